"""Runs a network with torch: CUDA, MPS or the CPU."""

import copy
import logging
from contextlib import nullcontext

import numpy as np
import torch
from torch import nn

from tellsign.engines.engine import EngineStatus, Logits, Views

BATCH = 64
"""Views in one call, until the device turns out to be too small for them."""
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
GPUS = ("cuda", "mps")

log = logging.getLogger(__name__)


class TorchEngine:
    """A network on a device; where that has too little memory, in smaller batches or on the CPU.

    `precision` is that of autocast; `auto` is float16 on a GPU and float32 on the CPU.

    Raises:
        ValueError: the device asked for is not there.
    """

    def __init__(
        self,
        network: nn.Module,
        mean: list[float],
        std: list[float],
        device: str,
        precision: str = "auto",
    ) -> None:
        self._mean_std = (mean, std)
        self._asked = precision
        self._batch = BATCH
        self._notice = ""
        self.network = network
        self._move(choose_device(device))

    @property
    def status(self) -> EngineStatus:
        return EngineStatus("torch", self.device.type, self._precision, self._batch, self._notice)

    @property
    def eager(self) -> "TorchEngine":
        return self

    def prepare(self) -> None:
        """Nothing is to be prepared."""

    def on_cpu(self) -> "TorchEngine":
        """Another engine with the same network, for one piece of work that is too large here."""
        return TorchEngine(copy.deepcopy(self.network), *self._mean_std, "cpu")

    def tensor(self, views: Views) -> torch.Tensor:
        """Normalised float32 [n, 3, S, S] on the device."""
        x = torch.from_numpy(views).to(self.device).permute(0, 3, 1, 2)
        return (x.float() - self._mean) / self._std

    def logits(self, views: Views) -> Logits:
        parts: list[Logits] = []
        done = 0
        while done < len(views):
            part = views[done : done + self._batch]
            try:
                parts.append(self._call(part))
                done += len(part)
            except RuntimeError as error:
                if not out_of_memory(error) or not self._retreat(len(part)):
                    raise
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    @torch.no_grad()  # not inference_mode: LeViT caches its attention biases, Grad-CAM needs them
    def _call(self, views: Views) -> Logits:
        half = self._precision != "f32"
        dtype = DTYPES[self._precision]
        with torch.autocast(self.device.type, dtype) if half else nullcontext():
            logits = self.network(self.tensor(views)).flatten()
        result: Logits = logits.float().cpu().numpy()
        return result

    def _retreat(self, views: int) -> bool:
        """After so many views were too many: half of them, then the CPU, then no further."""
        if views == 1 and self.device.type == "cpu":
            return False
        too_small = f"The memory of {self.device.type} is too small for {views} views at once"
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if views > 1:
            self._batch = views // 2
            self._notice = f"{too_small}: the batch is {self._batch} now."
        else:
            self._batch = BATCH
            self._move(torch.device("cpu"))
            self._notice = f"{too_small}: the CPU is used instead."
        log.warning("%s", self._notice)
        return True

    def _move(self, device: torch.device) -> None:
        self.device = device
        self.network = self.network.to(device).to(memory_format=torch.channels_last)
        half = "f16" if device.type in GPUS else "f32"
        self._precision = half if self._asked == "auto" else self._asked
        mean, std = (torch.tensor(v, device=device).reshape(1, 3, 1, 1) for v in self._mean_std)
        self._mean, self._std = mean * 255, std * 255


def out_of_memory(error: BaseException) -> bool:
    """Whether a device had too little memory; MPS and the CPU have no class of their own for it."""
    text = str(error).lower()
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(
        words in text for words in ("out of memory", "can't allocate memory", "not enough memory")
    )


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
