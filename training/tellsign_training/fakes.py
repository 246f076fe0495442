"""Aligned fakes out of real pictures: the same picture drawn anew by a generative network.

Aligned fakes take away the content shortcut: the pair differs in nothing but the decoder's traces
(Rajan et al., "Aligned Datasets Improve Detection of Latent Diffusion-Generated Images", 2025).
"""

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F

from tellsign_training.frozen import compiled

Pixels = npt.NDArray[np.uint8]

SCALE = 4
"""How much larger a Real-ESRGAN network makes a picture."""


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


Redraw = Callable[[Pixels], Pixels]
"""uint8 [n, H, W, 3] -> the same, every pixel drawn anew."""


def round_trip(folder: Path, threads: int) -> Redraw:
    """The autoencoder on OpenVINO, any H and W.

    `folder` holds `taef2_encoder.pth` and `taef2_decoder.pth`.

    Raises:
        OSError: one of the two is missing.
    """
    model = compiled(TinyAutoencoder.load(folder), torch.zeros(1, 3, 64, 64), threads)

    def redraw(pixels: Pixels) -> Pixels:
        _, height, width, _ = pixels.shape
        (y,) = model(_channels_first(_padded(pixels, TinyAutoencoder.STRIDE)))
        return _pixels(y)[:, :height, :width]

    return redraw


def upscaler(param: Path, threads: int, factor: int = SCALE) -> Redraw:
    """A picture shrunk by `factor` and enlarged again by Real-ESRGAN on ncnn; any H and W.

    Shrunk by more than the network enlarges, it is drawn anew several times, each time larger.
    `param` is the network's ncnn description, its weights lie beside it as `.bin` (Wang et al.,
    "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data", 2021).

    Raises:
        OSError: one of the two files is missing or can't be read by ncnn.
    """
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = threads
    for read, path in ((net.load_param, param), (net.load_model, param.with_suffix(".bin"))):
        if not path.is_file() or read(os.fspath(path)) != 0:
            raise OSError(f"{path} is no network that ncnn can read.")

    def enlarge(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        extractor = net.create_extractor()
        extractor.input("data", ncnn.Mat(np.ascontiguousarray(x)))
        _, out = extractor.extract("output")
        return np.array(out, np.float32)

    def redraw(pixels: Pixels) -> Pixels:
        _, height, width, _ = pixels.shape
        x = torch.from_numpy(_channels_first(_padded(pixels, factor)))
        sides = np.array(x.shape[2:])
        y = F.avg_pool2d(x, factor)
        for left in reversed([SCALE**k for k in range(max(1, math.ceil(math.log(factor, SCALE))))]):
            y = torch.from_numpy(np.stack([enlarge(one.numpy()) for one in y]))
            y = F.interpolate(y, size=(sides // left).tolist(), mode="area")
        return _pixels(y.numpy())[:, :height, :width]

    return redraw


def redraws(
    autoencoder: Path, upscalers: Sequence[Path], threads: int, factors: Sequence[int] = (SCALE,)
) -> dict[str, Redraw]:
    """The ways to draw pictures anew, by name: the autoencoder, and each upscaler for each factor.

    Raises:
        OSError: a file of weights is missing or damaged.
    """
    trip = {"taef2": round_trip(autoencoder, threads)}
    return trip | {
        f"{param.stem}-by{factor}": upscaler(param, threads, factor)
        for factor in factors
        for param in upscalers
    }


def mixed(fakes: Pixels, originals: Pixels, rng: np.random.Generator, chance: float) -> Pixels:
    """Some of the fakes [n, H, W, 3] blended with their originals, which keep 10 to 50 %."""
    share = rng.uniform(0.1, 0.5, len(fakes)) * (rng.random(len(fakes)) < chance)
    weight = share.astype(np.float32).reshape(-1, 1, 1, 1)
    blend = fakes * (1 - weight) + originals * weight
    return blend.round().astype(np.uint8)


def _padded(pixels: Pixels, stride: int) -> Pixels:
    """[n, H, W, 3] with sides that are multiples of the stride, by repeating the last pixels."""
    _, height, width, _ = pixels.shape
    return np.pad(pixels, ((0, 0), (0, -height % stride), (0, -width % stride), (0, 0)), "edge")


def _channels_first(pixels: Pixels) -> npt.NDArray[np.float32]:
    """uint8 [n, H, W, 3] -> float32 [n, 3, H, W] in 0..1."""
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32) / np.float32(255)


def _pixels(y: npt.NDArray[np.float32]) -> Pixels:
    """float [n, 3, H, W] in 0..1 -> uint8 [n, H, W, 3]."""
    result: Pixels = (y.clip(0, 1) * 255).round().astype(np.uint8).transpose(0, 2, 3, 1)
    return result
