"""What decodes and resizes fastest: `python -m tellsign.bench.decoders`.

Each in one thread; OpenCV and simplejpeg only where they are installed. Pixels that differ from
Pillow's at full size are told; a scaled decode (`draft`) gives other pixels by its nature.
"""

import io
import statistics
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch.nn import functional as F

from tellsign.bench.pictures import make
from tellsign.views import Pixels

try:
    import cv2
except ImportError:
    cv2 = None  # type: ignore[assignment]

LONG_SIDE = 512
ROUNDS = 15
LANCZOS, BICUBIC = Image.Resampling.LANCZOS, Image.Resampling.BICUBIC


def decoders(data: bytes) -> dict[str, Callable[[], Pixels]]:
    """Ways from a file to uint8 [height, width, 3]."""
    found: dict[str, Callable[[], Pixels]] = {"Pillow": lambda: np.asarray(_opened(data))}
    jpeg = data[:2] == b"\xff\xd8"
    with suppress(ImportError):  # torchvision is to lose its decoders
        from torchvision.io import decode_jpeg, decode_webp  # type: ignore[import-untyped]

        file = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        decode = decode_jpeg if jpeg else decode_webp
        found["torchvision"] = lambda: _quietly(decode, file).permute(1, 2, 0).numpy()
    if cv2:
        coded = np.frombuffer(data, np.uint8)
        found["OpenCV"] = lambda: np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR_RGB), np.uint8)
    if jpeg:
        found["Pillow, draft of half the size"] = lambda: np.asarray(_draft(data))
        with suppress(ImportError):
            import simplejpeg  # type: ignore[import-not-found, unused-ignore]

            found["simplejpeg"] = lambda: simplejpeg.decode_jpeg(data, "RGB")
    return found


def resizers(pixels: Pixels) -> dict[str, Callable[[], Pixels]]:
    """Ways to a long side of LONG_SIDE, uint8 [height, width, 3]; all antialiased."""
    image = Image.fromarray(pixels)
    scale = LONG_SIDE / max(image.size)
    size = round(image.width * scale), round(image.height * scale)

    def pillow(kernel: Image.Resampling, gap: float | None) -> Callable[[], Pixels]:
        return lambda: np.asarray(image.resize(size, kernel, reducing_gap=gap))

    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]
    found = {
        "Pillow Lanczos": pillow(LANCZOS, None),
        "Pillow Lanczos, reducing_gap 3": pillow(LANCZOS, 3.0),
        "Pillow Lanczos, reducing_gap 2": pillow(LANCZOS, 2.0),
        "Pillow Lanczos, reducing_gap 1": pillow(LANCZOS, 1.0),
        "Pillow bicubic": pillow(BICUBIC, None),
        "torch bicubic": lambda: (
            F.interpolate(x, size[::-1], mode="bicubic", antialias=True)[0].permute(1, 2, 0).numpy()
        ),
    }
    if cv2:
        found["OpenCV area"] = lambda: np.asarray(
            cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8
        )
    return found


def _quietly(decode: Any, file: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return decode(file)


def _opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def _draft(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", (image.width // 2, image.height // 2))
    return image.convert("RGB")


def _table(title: str, ways: dict[str, Callable[[], Pixels]]) -> Table:
    """Milliseconds, the ratio to the first, and how far the pixels are from its."""
    table = Table(title=title, title_justify="left", box=None)
    for column in ("", "ms", "x faster", "mean difference", "largest"):
        table.add_column(column, justify="right" if column else "left")
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    pixels = {name: way() for name, way in ways.items()}
    for _ in range(ROUNDS):  # in turns: whatever else the machine does hits all of them
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    first, expected = next(iter(pixels.items()))
    for name, taken in seconds.items():
        median = statistics.median(taken)
        row: list[Any] = ["other size", ""]
        if pixels[name].shape == expected.shape:
            off = np.abs(pixels[name].astype(np.int16) - expected)
            row = [f"{off.mean():.2f}", str(off.max())]
        ratio = statistics.median(seconds[first]) / median
        table.add_row(name, f"{median * 1000:.1f}", f"{ratio:.1f}", *row)
    return table


def main() -> None:
    """Print a table of each picture's ways."""
    torch.set_num_threads(1)
    if cv2:
        cv2.setNumThreads(1)
    console = Console()
    for picture in make():
        console.print(_table(f"{picture.name}: decode", decoders(picture.data)))
        pixels = np.asarray(_opened(picture.data))
        console.print(_table(f"{picture.name}: to {LONG_SIDE}", resizers(pixels)), "")


if __name__ == "__main__":
    main()
