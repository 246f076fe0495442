"""The training loop: labels and, where a store has them, a teacher's features."""

import csv
import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn import functional as F

from tellsign.models import architectures
from tellsign.models.architectures import LevitDetector
from tellsign_training.data import source_weights
from tellsign_training.recipe import FitPlan, Recipe
from tellsign_training.teacher import TOKENS, VECTOR

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Store:
    """A store of crops, opened (see crops.py), with the teacher's features where there are any.

    In a `paired` store the second half holds the originals of the first (see aligned.py).
    """

    crops: npt.NDArray[np.uint8]
    packed: npt.NDArray[np.bool_]
    ai: npt.NDArray[np.bool_]
    weight: npt.NDArray[np.float64]
    paired: bool
    vector: npt.NDArray[np.float16] | None
    tokens: npt.NDArray[np.float16] | None
    taught: npt.NDArray[np.bool_]


def open_store(path: Path) -> Store:
    crops = np.load(path / "crops.npy", mmap_mode="r")
    with (path / "rows.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    certain = np.array([1.0 if row["certain"] == "1" else 0.5 for row in rows])
    paths = [row["path"] for row in rows]
    teacher = path / "teacher"
    has = (teacher / "done.npy").exists()
    return Store(
        crops=crops,
        packed=np.load(path / "done.npy"),
        ai=np.array([row["ai"] == "1" for row in rows]),
        weight=certain * source_weights([row["source"] for row in rows]),
        paired=paths[: len(paths) // 2] == paths[len(paths) // 2 :],
        vector=np.load(teacher / "vector.npy", mmap_mode="r") if has else None,
        tokens=np.load(teacher / "tokens.npy", mmap_mode="r") if has else None,
        taught=np.load(teacher / "done.npy") if has else np.zeros(crops.shape[:2], np.bool_),
    )


class Batches:
    """Endless class-balanced, source-balanced batches over several stores."""

    def __init__(self, stores: list[Store], shares: list[float], batch: int) -> None:
        self.stores, self.shares, self.batch = stores, shares, batch
        self.chance = []
        for store in stores:
            w = store.weight * store.packed
            for label in (True, False):
                w[store.ai == label] /= w[store.ai == label].sum()
            if store.paired:
                w = w[: len(w) // 2]
            self.chance.append(w / w.sum())

    def __call__(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        counts = rng.multinomial(self.batch, self.shares)
        parts = [
            self._draw(s, c, int(n), rng)
            for s, c, n in zip(self.stores, self.chance, counts, strict=True)
            if n
        ]
        return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}

    def _draw(
        self, store: Store, chance: npt.NDArray[np.float64], n: int, rng: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        """n crops; of a paired store both of a pair, cut and turned alike, n rounded up to even."""
        pick = -(-n // 2) if store.paired else n
        rows = rng.choice(len(chance), pick, p=chance)
        turns = rng.integers(0, store.crops.shape[1], pick)
        mirrored = rng.random(pick) < 0.5
        if store.paired:
            rows = np.concatenate([rows, rows + len(chance)])
            turns, mirrored = np.tile(turns, 2), np.tile(mirrored, 2)
        taught = store.taught[rows, turns]
        vector = np.zeros((len(rows), VECTOR), np.float16)
        tokens = np.zeros((len(rows), 7, 7, TOKENS), np.float16)
        if store.vector is not None and store.tokens is not None:
            vector[taught] = store.vector[rows[taught], turns[taught]]
            tokens[taught] = store.tokens[rows[taught], turns[taught]]
        flip = torch.from_numpy(mirrored)[:, None, None, None]
        x = torch.from_numpy(store.crops[rows, turns])
        t = torch.from_numpy(tokens)
        return {
            "x": torch.where(flip, x.flip(2), x),
            "y": torch.from_numpy(store.ai[rows]).float(),
            "taught": torch.from_numpy(taught),
            "vector": torch.from_numpy(vector).float(),
            "tokens": torch.where(flip, t.flip(2), t).float(),
        }


def normalised(x: torch.Tensor) -> torch.Tensor:
    """uint8 [n, H, W, 3] -> float32 [n, 3, H, W], ImageNet mean and deviation, channels last."""
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (MEAN, STD))
    return (x.permute(0, 3, 1, 2).float() / 255 - mean) / std


def jittered(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Random gain and offset of a normalised batch, each picture its own."""
    n = len(x)
    gain = torch.from_numpy(rng.uniform(0.8, 1.25, (n, 1, 1, 1))).float()
    offset = torch.from_numpy(rng.normal(0, 0.15, (n, 3, 1, 1)) * 0.3).float()
    return x * gain + offset + torch.from_numpy(rng.normal(0, 0.15, (n, 1, 1, 1))).float()


class Student(nn.Module):
    """The detector, with two linear maps onto the teacher's features that are thrown away later."""

    def __init__(self, detector: LevitDetector) -> None:
        super().__init__()
        self.detector = detector
        self.to_tokens = nn.Linear(256, TOKENS)
        self.to_vector = nn.Sequential(nn.LayerNorm(384), nn.Linear(384, VECTOR))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        backbone = self.detector.backbone
        x = backbone.stem(x).flatten(2).transpose(1, 2)
        x = backbone.stages[1](backbone.stages[0](x))
        tokens = self.to_tokens(x).reshape(len(x), 7, 7, TOKENS)
        x = backbone.stages[2](x)
        vector = self.to_vector(x.mean(1))
        grid = x.transpose(1, 2).reshape(len(x), 384, LevitDetector.GRID, LevitDetector.GRID)
        return self.detector.head(grid).squeeze(1), vector, tokens


def losses(
    student: Student, batch: dict[str, torch.Tensor], plan: FitPlan
) -> dict[str, torch.Tensor]:
    """The parts of the loss, each weighted; their sum is minimised."""
    logit, vector, tokens = student(batch["x"])
    target = batch["y"] * (1 - plan.label_smoothing) + plan.label_smoothing / 2
    taught = batch["taught"]
    share = taught.float().mean()
    parts = {"label": F.binary_cross_entropy_with_logits(logit.float(), target)}
    if bool(taught.any()):
        v = F.mse_loss(vector[taught].float(), batch["vector"][taught])
        t = F.mse_loss(tokens[taught].float(), batch["tokens"][taught])
        parts["vector"] = plan.vector_weight * share * v
        parts["tokens"] = plan.tokens_weight * share * t
    return parts


def schedule(step: int, steps: int, plan: FitPlan, per_epoch: int) -> float:
    """Learning rate of a step: linear warm-up, then half a cosine down to 1 %."""
    warm = plan.warmup_epochs * per_epoch
    if step < warm:
        return plan.lr * (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    return float(plan.lr * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * done))))


@torch.inference_mode()
def validate(detector: nn.Module, store: Store, batch: int = 128) -> float:
    """AUC on a validation store, a picture's score being the mean logit of its crops."""
    detector.eval()
    rows = np.flatnonzero(store.packed)
    scores = []
    for start in range(0, len(rows), batch // store.crops.shape[1]):
        part = store.crops[rows[start : start + batch // store.crops.shape[1]]]
        x = normalised(torch.from_numpy(part.reshape(-1, *part.shape[2:])))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = detector(x).float().reshape(len(part), -1)
        scores.append(logits.mean(1).numpy())
    return float(roc_auc_score(store.ai[rows], np.concatenate(scores)))


class Run:
    """A training's state: the student, its running average, the optimizer, how far it has come."""

    def __init__(self, recipe: Recipe, start: LevitDetector | None) -> None:
        self.plan = recipe.fit
        torch.manual_seed(self.plan.seed)
        detector = start or architectures.create(recipe.network)
        assert isinstance(detector, LevitDetector)
        self.student = Student(detector).to(memory_format=torch.channels_last)
        self.average = deepcopy(self.student)
        groups = [
            {"params": [p for p in self.student.parameters() if (p.ndim > 1) == decays],
             "weight_decay": self.plan.weight_decay * decays}
            for decays in (True, False)
        ]  # fmt: skip
        self.optimizer = torch.optim.AdamW(groups, lr=self.plan.lr, fused=True)
        self.epoch, self.best = 0, 0.0

    def resume(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        for name in ("student", "average", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        self.epoch, self.best = state["epoch"], state["best"]

    def save(self, path: Path) -> None:
        state = {n: getattr(self, n).state_dict() for n in ("student", "average", "optimizer")}
        part = path.with_name(path.name + ".part")
        torch.save({**state, "epoch": self.epoch, "best": self.best}, part)
        part.replace(path)

    def step(self, number: int, rate: float, batch: dict[str, torch.Tensor]) -> dict[str, float]:
        """One step at a learning rate; returns the parts of the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", dtype=torch.bfloat16):
            parts = losses(self.student, batch, self.plan)
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.student.parameters(), 2.0)
        self.optimizer.step()
        decay = min(self.plan.ema_decay, (1 + number) / (10 + number))
        _average(self.average, self.student, decay)
        return {name: float(part.detach()) for name, part in parts.items()}


def fit(
    recipe: Recipe,
    stores: list[Store],
    shares: list[float],
    val: Store,
    out: Path,
    start: LevitDetector | None = None,
) -> Iterator[dict[str, Any]]:
    """Train, from `start` or from random weights; yields the log of each epoch.

    Goes on from `out/last.pt` where there is one. `out/best.safetensors` holds the averaged weights
    of the epoch with the highest AUC on `val`.
    """
    plan = recipe.fit
    out.mkdir(parents=True, exist_ok=True)
    run = Run(recipe, start)
    if (out / "last.pt").exists():
        run.resume(out / "last.pt")
    per_epoch = plan.samples_per_epoch // plan.batch
    draw = Batches(stores, shares, plan.batch)
    while run.epoch < plan.epochs:
        begun = time.perf_counter()
        rng = np.random.default_rng((plan.seed, run.epoch))
        run.student.train()
        totals: Counter[str] = Counter()
        for number, batch in enumerate(_ahead(draw, rng, per_epoch), run.epoch * per_epoch):
            rate = schedule(number, plan.epochs * per_epoch, plan, per_epoch)
            totals.update(run.step(number, rate, batch))
        auc = validate(run.average.detector, val)
        if auc > run.best:
            run.best = auc
            weights = run.average.detector.state_dict()
            save_file({k: v.contiguous() for k, v in weights.items()}, out / "best.safetensors")
        run.epoch += 1
        run.save(out / "last.pt")
        seconds = time.perf_counter() - begun
        row = {
            "epoch": run.epoch, "val_auc": round(auc, 4), "best": round(run.best, 4),
            **{name: round(value / per_epoch, 4) for name, value in totals.items()},
            "seconds": round(seconds, 1),
            "pictures_per_second": round(per_epoch * plan.batch / seconds, 1),
        }  # fmt: skip
        with (out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        yield row


def _ahead(
    draw: Batches, rng: np.random.Generator, count: int
) -> Iterator[dict[str, torch.Tensor]]:
    """Batches ready for the network, the next one made in a thread while this one is used."""

    def make() -> dict[str, torch.Tensor]:
        batch = draw(rng)
        batch["x"] = jittered(normalised(batch["x"]), rng)
        return batch

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(make)
        for i in range(count):
            batch = waiting.result()
            if i + 1 < count:
                waiting = pool.submit(make)
            yield batch


@torch.no_grad()
def _average(average: nn.Module, student: nn.Module, decay: float) -> None:
    """Exponential moving average of weights and batch statistics."""
    for mean, new in zip(average.state_dict().values(), student.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(new, 1 - decay)
        else:
            mean.copy_(new)
