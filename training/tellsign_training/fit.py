"""The training loop: resumes at the very step, keeps the best by AUC on `val`.

Every step draws from its own seed, so that a training that was killed goes on to the same result.
Under torchrun each process takes its share of every batch.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tellsign.engines.torch import choose_device
from tellsign_training import journal
from tellsign_training.learner import Learner
from tellsign_training.networks import plain, set_training
from tellsign_training.optimizers import optimizers
from tellsign_training.recipe import FitPlan, Recipe, RecipeError
from tellsign_training.stores import Batch, Batches, Store, ahead, have_hints
from tellsign_training.workers import Workers

Tick = Callable[[int, int], None]


@dataclass(frozen=True)
class Setting:
    """Where and how a training runs; nothing here changes what it computes, but `deterministic`."""

    device: str = "auto"
    deterministic: bool = False
    save_seconds: float = 300.0
    watts: float = 100.0
    tick: Tick | None = None


def normalised(x: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> torch.Tensor:
    """uint8 [n, H, W, 3] -> float32 [n, 3, H, W], channels last."""
    m, s = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (mean, std))
    return (x.permute(0, 3, 1, 2).float() / 255 - m) / s


def jittered(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Random gain and offset of a normalised batch, each picture its own."""
    n = len(x)
    gain = torch.from_numpy(rng.uniform(0.8, 1.25, (n, 1, 1, 1))).float()
    offset = torch.from_numpy(rng.normal(0, 0.15, (n, 3, 1, 1)) * 0.3).float()
    return x * gain + offset + torch.from_numpy(rng.normal(0, 0.15, (n, 1, 1, 1))).float()


def autocast(device: torch.device) -> torch.autocast:
    """bfloat16 where the device computes in it.

    On a CPU that does not, torch emulates: on two AVX2 cores a product of 2048x2048 matrices ran at
    0.3 GFLOPS, in float32 at 164.
    """
    able = device.type != "cpu" or bool(torch.cpu.get_capabilities().get("avx512_bf16"))
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=able)


def rate_at(step: int, steps: int, plan: FitPlan) -> float:
    """Learning rate of a step: linear warm-up, then constant or half a cosine down to 1 %.

    Raises:
        RecipeError: unknown schedule.
    """
    warm = plan.warmup_epochs * steps / plan.epochs
    if step < warm:
        return plan.lr * (step + 1) / warm
    if plan.schedule == "constant":
        return plan.lr
    if plan.schedule != "cosine":
        raise RecipeError(f"schedule = {plan.schedule!r}: it can be cosine or constant.")
    done = (step - warm) / max(1, steps - warm)
    return float(plan.lr * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * done))))


@torch.inference_mode()
def validate(detector: nn.Module, store: Store, recipe: Recipe, batch: int = 128) -> float:
    """AUC on a validation store, a picture's score being the mean logit of its crops."""
    detector.train().eval()  # LeViT drops the attention biases that it has cached on train() alone
    device = next(detector.parameters()).device
    rows = np.flatnonzero(store.packed)
    scores = []
    at_once = max(1, batch // store.crops.shape[1])
    for start in range(0, len(rows), at_once):
        part = store.crops[rows[start : start + at_once]]
        x = torch.from_numpy(part.reshape(-1, *part.shape[2:]))
        x = normalised(x, recipe.mean, recipe.std).to(device)
        with autocast(device):
            logits = detector(x).float().reshape(len(part), -1)
        scores.append(logits.mean(1).cpu().numpy())
    return float(roc_auc_score(store.ai[rows], np.concatenate(scores)))


class Run:
    """A training's state: the learner, its running average, optimizers, how far it has come."""

    KEPT = ("learner", "average")
    NUMBERS = ("step", "best", "best_epoch", "seconds")

    def __init__(self, recipe: Recipe, network: nn.Module, setting: Setting) -> None:
        plan = recipe.fit
        self.plan, self.device = plan, choose_device(setting.device)
        torch.manual_seed(plan.seed)
        torch.use_deterministic_algorithms(setting.deterministic)
        self.learner = Learner(network, plan).to(self.device)
        self.learner = self.learner.to(memory_format=torch.channels_last)
        self.average = deepcopy(self.learner)
        self.optimizers = optimizers(self.learner, plan)
        self.step, self.best, self.best_epoch, self.seconds = 0, -1.0, 0, 0.0
        self.totals: Counter[str] = Counter()

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            RecipeError: it is of another network, optimizer or version, or of stores without hints.
        """
        state = torch.load(path, map_location=self.device, weights_only=True)
        try:
            for name in self.KEPT:
                getattr(self, name).load_state_dict(state[name])
            for optimizer, left in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(left)
            for name in self.NUMBERS:
                setattr(self, name, state[name])
            self.totals = Counter(state["totals"])
        except (KeyError, RuntimeError, ValueError):
            raise RecipeError(
                f"{path} is of another recipe or version, or its stores had other hints: "
                "delete it, or take another --out."
            ) from None

    def save(self, path: Path) -> None:
        """Complete or as it was before: a kill at any moment leaves a checkpoint to go on from."""
        state = {name: getattr(self, name).state_dict() for name in self.KEPT}
        state["optimizers"] = [optimizer.state_dict() for optimizer in self.optimizers]
        state |= {name: getattr(self, name) for name in self.NUMBERS}
        part = path.with_name(path.name + ".part")
        torch.save({**state, "totals": dict(self.totals)}, part)
        part.replace(path)

    def learn(self, batch: Batch, rate: float, wrapped: nn.Module) -> None:
        """One step, in as many parts as the plan says, at a learning rate."""
        torch.manual_seed(self.plan.seed * 1_000_003 + self.step)  # what dropout draws from
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad(set_to_none=True)
        chunks = [torch.chunk(value, self.plan.accumulate) for value in batch.values()]
        for values in zip(*chunks, strict=True):
            part = {k: v.to(self.device) for k, v in zip(batch, values, strict=True)}
            with autocast(self.device):
                losses = wrapped(part)
            share = len(part["y"]) / len(batch["y"])
            loss = torch.stack(list(losses.values())).sum() * share
            loss.backward()  # type: ignore[no-untyped-call]
            self.totals.update({k: float(v.detach()) * share for k, v in losses.items()})
        nn.utils.clip_grad_norm_(self.learner.parameters(), 2.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        _average(self.average, self.learner, min(self.plan.ema_decay, self.step / (9 + self.step)))


def fit(
    recipe: Recipe,
    network: nn.Module,
    stores: list[Store],
    shares: list[float],
    val: Store,
    out: Path,
    setting: Setting | None = None,
) -> Iterator[dict[str, Any]]:
    """Train a network; yields the log of each epoch. Goes on from `out/last.pt` if there is one.

    What is learned from hints is learned from crops as they were when those were taken: they are
    neither mirrored nor jittered. Where no store has hints, labels and logits are all.

    `out/best.safetensors` holds the averaged weights of the epoch with the highest AUC on `val`.

    Raises:
        RecipeError: a setting that is unknown or does not fit the network.
    """
    setting = setting or Setting()
    if not have_hints(stores):
        recipe = replace(recipe, fit=replace(recipe.fit, hints_weight=0.0))
    plan, workers = recipe.fit, Workers()
    out.mkdir(parents=True, exist_ok=True)
    run = Run(recipe, network, setting)
    if (out / "last.pt").exists():
        run.resume(out / "last.pt")
    per_epoch = max(1, plan.samples_per_epoch // plan.batch)
    steps = plan.epochs * per_epoch
    hinted = bool(plan.hints_weight)
    draw = Batches(stores, shares, plan.batch // workers.count, plan.balanced_sources, hinted)
    wrapped = DistributedDataParallel(run.learner) if workers.count > 1 else run.learner

    def make(step: int) -> Batch:
        rng = np.random.default_rng((plan.seed, step, workers.rank))
        batch = draw(rng)
        x = normalised(batch["x"], recipe.mean, recipe.std)
        return batch | {"x": x if hinted else jittered(x, rng)}

    saved = begun = time.monotonic()
    set_training(run.learner, plan.frozen_norms)
    for step, batch in ahead(make, run.step, steps):
        run.learn(batch, rate_at(step, steps, plan), wrapped)
        if setting.tick:
            setting.tick(run.step, steps)
        now = time.monotonic()
        ended = run.step % per_epoch == 0
        if ended or now - saved > setting.save_seconds:
            run.seconds, begun, saved = run.seconds + now - begun, now, now
            if workers.first:
                row = _epoch_end(run, recipe, val, out, per_epoch, setting) if ended else None
                run.save(out / "last.pt")
                if row:
                    yield row
            workers.wait()
            if ended and plan.patience and workers.shared(_waited(run, per_epoch)) >= plan.patience:
                return


def _waited(run: Run, per_epoch: int) -> int:
    """Epochs since the best one."""
    return run.step // per_epoch - run.best_epoch


def _epoch_end(
    run: Run, recipe: Recipe, val: Store, out: Path, per_epoch: int, setting: Setting
) -> dict[str, Any]:
    """Validate, keep the weights if they are the best, log."""
    auc = validate(run.average.detector, val, recipe)
    epoch = run.step // per_epoch
    if auc > run.best:
        run.best, run.best_epoch = auc, epoch
        weights = plain(deepcopy(run.average.detector)).state_dict()
        save_file({k: v.contiguous().cpu() for k, v in weights.items()}, out / "best.safetensors")
    row = {
        "epoch": epoch, "val_auc": round(auc, 4), "best": round(run.best, 4),
        **{name: round(value / per_epoch, 4) for name, value in run.totals.items()},
        "hours": round(run.seconds / 3600, 4),
        "kwh": round(run.seconds / 3.6e6 * setting.watts, 4),
        "pictures_per_second": round(run.step * run.plan.batch / max(run.seconds, 1e-9), 1),
    }  # fmt: skip
    run.totals.clear()
    journal.write(out, row)
    return row


@torch.no_grad()
def _average(average: nn.Module, learner: nn.Module, decay: float) -> None:
    """Exponential moving average of weights and batch statistics."""
    for mean, new in zip(average.state_dict().values(), learner.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(new, 1 - decay)
        else:
            mean.copy_(new)
