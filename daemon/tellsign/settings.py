"""Every constant that more than one module leans on, once."""

import os
from pathlib import Path

import platformdirs

HOST = "127.0.0.1"
DEFAULT_PORT = 28417
PORT_COUNT = 10

MAX_BODY = 32 * 2**20
"""Bytes of one picture file; more is refused while it streams in."""
MAX_PIXELS = 100_000_000
"""Width times height of a picture; checked from the header, before any pixel is decoded."""
MIN_SIDE = 32
"""Pixels of the short side under which a picture holds no evidence."""

DEFAULT_MODEL = "levit-128s"


def state_dir() -> Path:
    """The folder of the running daemon's state and of paired clients; `TELLSIGN_STATE` moves it."""
    moved = os.environ.get("TELLSIGN_STATE")
    return Path(moved) if moved else platformdirs.user_state_path("tellsign")


def cache_dir() -> Path:
    """The folder of what can be made again at any time; `TELLSIGN_CACHE` moves it."""
    moved = os.environ.get("TELLSIGN_CACHE")
    return Path(moved) if moved else platformdirs.user_cache_path("tellsign")


def precision() -> str:
    """`TELLSIGN_PRECISION`, what networks calculate in: auto, f32, bf16 or f16."""
    return os.environ.get("TELLSIGN_PRECISION", "auto")


def data_dir() -> Path:
    """The folder of installed models; `TELLSIGN_DATA` moves it."""
    moved = os.environ.get("TELLSIGN_DATA")
    return Path(moved) if moved else platformdirs.user_data_path("tellsign")
