"""Where in the picture the evidence lies: one file a method, every method returns a Heatmap."""

from collections.abc import Callable

from tellsign.explain.gradcam import gradcam
from tellsign.explain.heatmap import Heatmap

METHODS: dict[str, Callable[..., Heatmap]] = {"gradcam": gradcam}

__all__ = ["METHODS", "Heatmap"]
