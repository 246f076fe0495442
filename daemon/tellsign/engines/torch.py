"""Runs a network with torch: CUDA, MPS or the CPU."""

import numpy as np
import numpy.typing as npt
import torch
from torch import nn


class TorchEngine:
    """A network on a device: uint8 views [n, S, S, 3] -> logits float32 [n]."""

    def __init__(
        self, network: nn.Module, mean: list[float], std: list[float], device: str
    ) -> None:
        self.device = choose_device(device)
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(mean, device=self.device).reshape(shape) * 255
        self._std = torch.tensor(std, device=self.device).reshape(shape) * 255

    def tensor(self, views: npt.NDArray[np.uint8]) -> torch.Tensor:
        """Normalised float32 [n, 3, S, S] on the device."""
        x = torch.from_numpy(views).to(self.device).permute(0, 3, 1, 2)
        return (x.float() - self._mean) / self._std

    @torch.no_grad()  # not inference_mode: LeViT caches its attention biases, Grad-CAM needs them
    def logits(self, views: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        with torch.autocast(self.device.type, enabled=self.device.type == "cuda"):
            logits = self.network(self.tensor(views)).flatten()
        result: npt.NDArray[np.float32] = logits.float().cpu().numpy()
        return result


def choose_device(device: str = "auto") -> torch.device:
    """`auto` is CUDA, then MPS, then the CPU.

    Raises:
        ValueError: the device asked for is not there.
    """
    if device != "auto":
        try:
            chosen = torch.device(device)
            torch.empty(1, device=chosen)
        except (RuntimeError, AssertionError):
            raise ValueError(f"The device {device!r} is not there; use auto or cpu.") from None
        return chosen
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
