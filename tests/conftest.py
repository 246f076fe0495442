"""Pictures that the tests make, the real detector, and patience."""

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from PIL import Image

from tellsign.detector import Detector
from tellsign.models import folder
from tellsign.settings import DEFAULT_MODEL

T = TypeVar("T")


def until(probe: Callable[[], T | None]) -> T:
    """What a probe finds at last, of another process on a machine that may be busy."""
    end = time.monotonic() + 180
    while not (found := probe()):
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.1)
    return found


def scene(width: int = 320, height: int = 240, seed: int = 0) -> Image.Image:
    """A made picture with edges, gradients and texture; its left upper quarter is red."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 255 / width, y * 255 / height, (x + y) % 64 * 4], axis=-1)
    pixels += rng.normal(0, 12, pixels.shape)
    pixels[: height // 2, : width // 2] = (230, 20, 20)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    return saved(scene(), "JPEG", quality=90)


@pytest.fixture(scope="session")
def detector() -> Detector:
    return Detector.load(folder(DEFAULT_MODEL), "cpu")


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def write(name: str, data: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write
