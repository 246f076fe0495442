"""Aligned fakes out of real pictures: the same picture sent through a generator's autoencoder.

Aligned fakes take away the content shortcut: the pair differs in nothing but the decoder's traces
(Rajan et al., "Aligned Datasets Improve Detection of Latent Diffusion-Generated Images", 2025).
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tellsign_training.frozen import compiled

Pixels = npt.NDArray[np.uint8]


class _Block(nn.Module):
    """Residual block of the tiny autoencoders; `attend` adds their group-normalised middle path."""

    def __init__(self, attend: bool = False) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            _conv(), nn.ReLU(inplace=True), _conv(), nn.ReLU(inplace=True), _conv()
        )
        self.pool = (
            nn.Sequential(
                nn.Conv2d(64, 256, 1, bias=False),
                nn.GroupNorm(4, 256),
                nn.ReLU(inplace=True),
                nn.Conv2d(256, 64, 1, bias=False),
            )
            if attend
            else None
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.pool is not None:
            x = x + self.pool(x)
        return torch.relu(self.conv(x) + x)


class _Clamp(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x / 3) * 3


def _conv(n_in: int = 64, n_out: int = 64, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, 3, stride, 1, bias=bias)


def _down() -> list[nn.Module]:
    return [_conv(stride=2, bias=False)]


def _up() -> list[nn.Module]:
    return [nn.Upsample(scale_factor=2), _conv(bias=False)]


def _blocks(n: int, attend: bool = False) -> list[nn.Module]:
    return [_Block(attend) for _ in range(n)]


class TinyAutoencoder(nn.Module):
    """The tiny autoencoder of FLUX.2 (TAEF2, MIT): 8x smaller, 32 latent channels.

    Architecture of the AutoencoderTiny family, github.com/madebyollin/taesd.
    """

    STRIDE = 8

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            _conv(3), *_blocks(1), *_down(), *_blocks(3), *_down(), *_blocks(3), *_down(),
            *_blocks(3, attend=True), _conv(64, 32),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            _Clamp(), _conv(32), nn.ReLU(), *_blocks(3, attend=True), *_up(), *_blocks(3), *_up(),
            *_blocks(3), *_up(), *_blocks(1), _conv(64, 3),
        )  # fmt: skip

    @classmethod
    def load(cls, folder: Path) -> "TinyAutoencoder":
        """From `taef2_encoder.pth` and `taef2_decoder.pth` (tensors only are read)."""
        model = cls()
        for part in ("encoder", "decoder"):
            state = torch.load(folder / f"taef2_{part}.pth", map_location="cpu", weights_only=True)
            getattr(model, part).load_state_dict(state, strict=True)
        return model.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float [n, 3, H, W] in 0..1, sides a multiple of 8 -> the same, encoded and decoded."""
        y: torch.Tensor = self.decoder(self.encoder(x))
        return y


RoundTrip = Callable[[Pixels], Pixels]


def round_trip(folder: Path, threads: int) -> RoundTrip:
    """The autoencoder on OpenVINO in bfloat16: uint8 [n, H, W, 3] -> the same, redrawn.

    `folder` holds `taef2_encoder.pth` and `taef2_decoder.pth`; any H and W.
    """
    model = compiled(TinyAutoencoder.load(folder), torch.zeros(1, 3, 64, 64), threads)

    def redraw(pixels: Pixels) -> Pixels:
        _, height, width, _ = pixels.shape
        stride = TinyAutoencoder.STRIDE
        pad = ((0, 0), (0, -height % stride), (0, -width % stride), (0, 0))
        x = np.pad(pixels, pad, "edge").transpose(0, 3, 1, 2).astype(np.float32) / 255
        (y,) = model(np.ascontiguousarray(x))
        drawn = (y.clip(0, 1) * 255).round().astype(np.uint8).transpose(0, 2, 3, 1)
        result: Pixels = drawn[:, :height, :width]
        return result

    return redraw
