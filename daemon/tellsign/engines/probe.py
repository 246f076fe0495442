"""Made views by which two engines are compared, without a picture at hand."""

import numpy as np

from tellsign.engines.engine import Logits, Views

TOLERANCE = 0.05
"""Logits by which a graph may differ from torch on the probe."""
LOWER_TOLERANCE = 0.25
"""The same in a lower precision, whose verdicts were measured on pictures."""


def probe(size: int) -> Views:
    """Views that differ in content, contrast and fineness, uint8 [6, size, size, 3].

    The same everywhere and at all times: RandomState's numbers are frozen.
    """
    rng = np.random.RandomState(0)
    y, x = np.mgrid[0:size, 0:size] / size
    ramps = np.stack([x, y, (x + y) / 2], -1) * 255
    noise = rng.normal(0, 1, (size, size, 3))
    blocks = np.kron(rng.randint(0, 256, (size // 16, size // 16, 3)), np.ones((16, 16, 1)))
    blocks = np.pad(blocks, ((0, size % 16), (0, size % 16), (0, 0)), "edge")
    stripes = np.sin(np.hypot(x - 0.5, y - 0.3) * size)[..., None] * 100 + 128
    made = [
        ramps, 128 + 50 * noise, blocks, stripes + 10 * noise, ramps / 2 + blocks / 2 + 5 * noise,
        np.full_like(ramps, 90) + noise,
    ]  # fmt: skip
    return np.stack(made).clip(0, 255).astype(np.uint8)


def difference(a: Logits, b: Logits) -> float:
    """The largest of the differences of logits; infinite where one is no number."""
    found = float(np.abs(a - b).max())
    return found if np.isfinite(found) else float("inf")
