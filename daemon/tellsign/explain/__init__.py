"""Where in the picture the evidence lies: one file a method, every method returns a Heatmap.

Methods bring torch, which takes seconds to import, and are imported when one is asked for.
"""

from collections.abc import Callable
from importlib import import_module

from tellsign.explain.heatmap import Heatmap

METHODS = ("gradcam", "pixels")
"""Names of files, and of the function in each."""

LABELLING = frozenset({"fcn", "noise_unet"})
"""Architectures that label pixels."""

__all__ = ["METHODS", "Heatmap", "method", "methods"]


def methods(architecture: str) -> tuple[str, ...]:
    """Those that can explain such a network, the best first."""
    return ("pixels", "gradcam") if architecture in LABELLING else ("gradcam",)


def method(name: str) -> Callable[..., Heatmap]:
    """Raises: KeyError, if there is none of that name."""
    if name not in METHODS:
        raise KeyError(name)
    found: Callable[..., Heatmap] = getattr(import_module(f"{__name__}.{name}"), name)
    return found
