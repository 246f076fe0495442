"""What the self-contained pages share: how templates are read, pictures and plots in the text."""

import base64
import io
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from tellsign.picture import PictureError
from tellsign_training.data import Sample, load
from tellsign_training.delivery import encoded, limited

GREY = "#888888"
STYLE: Any = {
    "svg.fonttype": "none", "svg.hashsalt": "tellsign", "font.size": 9,
    "font.family": "sans-serif", "text.color": GREY, "axes.edgecolor": GREY,
    "axes.labelcolor": GREY, "axes.titlecolor": GREY, "xtick.color": GREY, "ytick.color": GREY,
    "grid.color": GREY, "grid.alpha": 0.25, "axes.grid": True,
}  # fmt: skip
"""Matplotlib's settings for plots that are readable on light and on dark pages."""
THUMBNAIL = 112
"""The long side of a thumbnail in pixels."""


def environment() -> Environment:
    """The templates of `pages/`; all that is put into them is escaped."""
    return Environment(
        loader=PackageLoader("tellsign_training", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def thumbnail(sample: Sample) -> str:
    """A small JPEG as a data URI, made from the pixels alone; "" if the picture can't be read."""
    try:
        image, _ = load(sample)
    except (PictureError, OSError):
        return ""
    return _uri("image/jpeg", encoded(limited(image, THUMBNAIL), "JPEG", 70))


def svg(figure: Figure) -> str:
    """A plot as a data URI, its background that of the page."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return _uri("image/svg+xml", buffer.getvalue())


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
