"""What takes a training's steps: one optimizer for all that learns, or two that share it."""

from collections.abc import Callable

import torch
from torch import nn

from tellsign_training.learner import Learner
from tellsign_training.recipe import FitPlan, RecipeError

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
}
MUON = "muon"


def optimizers(learner: Learner, plan: FitPlan) -> list[torch.optim.Optimizer]:
    """Those of a learner; only what has more than one axis decays.

    With `muon`, that (Jordan et al., 2024) takes the matrices of the detector's backbone, and AdamW
    the rest.

    Raises:
        RecipeError: the optimizer is unknown, this torch lacks it, or it has nothing to do.
    """
    learning = {id(p): p for p in learner.parameters() if p.requires_grad}
    found: list[torch.optim.Optimizer] = []
    if plan.optimizer == MUON:
        if not hasattr(torch.optim, "Muon"):
            raise RecipeError(f"optimizer = {MUON!r} needs torch 2.9 or newer; adamw does not.")
        backbone = getattr(learner.detector, "backbone", learner.detector)
        linear = [m.weight for m in backbone.modules() if isinstance(m, nn.Linear)]
        matrices = [learning.pop(id(w)) for w in linear if id(w) in learning]
        if not matrices:
            raise RecipeError(f"optimizer = {MUON!r}: no matrix learns here; take adamw.")
        found.append(
            torch.optim.Muon(matrices, plan.lr, plan.weight_decay, adjust_lr_fn="match_rms_adamw")
        )
    elif plan.optimizer not in OPTIMIZERS:
        known = ", ".join([*OPTIMIZERS, MUON])
        raise RecipeError(f"optimizer = {plan.optimizer!r}: {known} are known.")
    groups = [
        {"params": [p for p in learning.values() if (p.ndim > 1) == decays],
         "weight_decay": plan.weight_decay * decays}
        for decays in (True, False)
    ]  # fmt: skip
    extra = {"momentum": plan.momentum} if plan.optimizer == "sgd" else {}
    make = OPTIMIZERS.get(plan.optimizer, torch.optim.AdamW)
    return [*found, make(groups, lr=plan.lr, fused=True, **extra)]
