"""How a detector holds up against noise, blur, and somebody who knows its weights.

The attacker changes each value of the views by at most epsilon, towards the wrong verdict: down for
a generated picture, up for a real one. That is the worst case: who has only the picture, and not
the views, can do less.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFilter

from tellsign.engines.torch import TorchEngine
from tellsign.models.folder import Calibration
from tellsign.verdict import probability
from tellsign.views import Pixels, ViewPlan, views
from tellsign_training.augment import with_noise
from tellsign_training.data import Sample, load
from tellsign_training.metrics import Labels, auc, measured, wilson_share

Change = Callable[[Image.Image, np.random.Generator], Image.Image]

STEPS = 10
"""Of projected gradient descent."""


def attacked(engine: TorchEngine, crops: Pixels, ai: bool, epsilon: float, steps: int) -> float:
    """The mean logit of views, uint8 [n, S, S, 3], after the attack within epsilon of 255 levels.

    One step is the fast gradient sign method (Goodfellow et al., 2015); several are projected
    gradient descent from a random start (Madry et al., 2018).
    """
    black, white = (engine.tensor(np.full_like(crops[:1], level)) for level in (0, 255))
    x = engine.tensor(crops)
    radius = (white - black) * epsilon / 255
    low, high = torch.maximum(x - radius, black), torch.minimum(x + radius, white)
    step = radius if steps == 1 else 2.5 * radius / steps
    torch.manual_seed(0)
    if steps > 1:
        x = low + torch.rand_like(x) * (high - low)
    for _ in range(steps):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(engine.network(x).sum(), x)
        x = x + slope.sign() * step * (-1 if ai else 1)
        x = torch.minimum(torch.maximum(x, low), high)
    with torch.no_grad():
        return float(engine.network(x).mean())


def _blurred(image: Image.Image, radius: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(radius))


CHANGES: dict[str, Change] = {
    "none": lambda image, rng: image,
    "noise 4": lambda image, rng: with_noise(image, 4, rng),
    "noise 8": lambda image, rng: with_noise(image, 8, rng),
    "blur 1": lambda image, rng: _blurred(image, 1),
    "blur 2": lambda image, rng: _blurred(image, 2),
}
"""Gaussian, by standard deviations in levels of 255 and in pixels."""
ATTACKS: dict[str, tuple[int, int]] = {
    "FGSM 1/255": (1, 1), "FGSM 2/255": (2, 1),
    "PGD 1/255": (1, STEPS), "PGD 2/255": (2, STEPS),
}  # fmt: skip
"""Levels of 255, and steps."""


def logits(engine: TorchEngine, plan: ViewPlan, sample: Sample, seed: int) -> dict[str, float]:
    """The logits of a picture after each change and attack.

    Raises:
        PictureError: the picture can't be read.
    """
    image, _ = load(sample)
    rng = np.random.default_rng(seed)
    crops = {name: views(change(image, rng), plan) for name, change in CHANGES.items()}
    return {
        **{name: float(engine.logits(views_of).mean()) for name, views_of in crops.items()},
        **{
            name: attacked(engine, crops["none"], sample.ai, epsilon, steps)
            for name, (epsilon, steps) in ATTACKS.items()
        },
    }


def figures(
    found: Sequence[dict[str, float]], ai: Labels, calibration: Calibration
) -> dict[str, dict[str, Any]]:
    """By change or attack: the AUC, and the share of each class that is suspected."""
    result = {}
    for name in [*CHANGES, *ATTACKS]:
        score = np.array([one[name] for one in found])
        hit = probability(score, calibration.a, calibration.b) >= calibration.suspected
        result[name] = {
            **measured({"auc": partial(auc, ai, score)}, ai),
            **{
                f"suspected_{kind}": wilson_share(int(hit[of].sum()), int(of.sum()))
                for kind, of in (("ai", ai), ("real", ~ai))
            },
        }
    return result
