"""What the desktop around us offers."""

import os
import sys


def has_display() -> bool:
    """Whether windows can be opened here."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
