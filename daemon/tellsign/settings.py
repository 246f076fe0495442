"""Every constant that more than one module leans on, once."""

import os
from pathlib import Path

import platformdirs

HOST = "127.0.0.1"
DEFAULT_PORT = 28417
PORT_COUNT = 10

API = 1
"""Number of the HTTP interface; what an older client can't live with makes it the next."""
OLDEST_API = 1
"""The oldest one that is still spoken."""

MAX_BODY = 32 * 2**20
"""Bytes of one picture file; more is refused while it streams in."""
MAX_PIXELS = 100_000_000
"""Width times height of a picture; checked from the header, before any pixel is decoded."""
MIN_SIDE = 32
"""Pixels of the short side under which a picture holds no evidence."""

DEADLINE = 20.0
"""Seconds for an answer: Chrome gives up a service worker whose fetch takes more than 30. Decoding
a picture may take no longer either."""

DEFAULT_MODEL = "levit-128s"
UNLOAD_MINUTES = 10.0
"""Without a new picture, after which a model leaves the memory: longer than a page is read for, and
short against an evening in which a game or another program wants the GPU. Loading LeViT again
takes the next picture half a second."""


RESUME = "Let it go on in its tray icon or in the extension's popup."
"""What to do about a pause."""


def state_dir() -> Path:
    """The folder of the running daemon's state and of paired clients; `TELLSIGN_STATE` moves it."""
    moved = os.environ.get("TELLSIGN_STATE")
    return Path(moved) if moved else platformdirs.user_state_path("tellsign")


def cache_dir() -> Path:
    """The folder of what can be made again at any time; `TELLSIGN_CACHE` moves it."""
    moved = os.environ.get("TELLSIGN_CACHE")
    return Path(moved) if moved else platformdirs.user_cache_path("tellsign")


def verdicts_file() -> Path | None:
    """The file of verdicts that are known already; `TELLSIGN_VERDICTS` moves it, empty: none."""
    moved = os.environ.get("TELLSIGN_VERDICTS")
    if moved is None:
        return cache_dir() / "verdicts.sqlite"
    return Path(moved) if moved else None


def precision() -> str:
    """`TELLSIGN_PRECISION`, what networks calculate in: auto, f32, bf16 or f16."""
    return os.environ.get("TELLSIGN_PRECISION") or "auto"


def data_dir() -> Path:
    """The folder of installed models; `TELLSIGN_DATA` moves it."""
    moved = os.environ.get("TELLSIGN_DATA")
    return Path(moved) if moved else platformdirs.user_data_path("tellsign")
