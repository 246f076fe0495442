"""Logits of a detector for every picture of a split in every delivery tier."""

import csv
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import track

from tellsign.detector import Detector
from tellsign.picture import PictureError
from tellsign.views import Pixels, ViewPlan, views
from tellsign_training.data import Sample, load
from tellsign_training.delivery import TIERS, Tier, deliver

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Pooled logits [pictures, tiers] and what is known of each picture."""

    logits: Array
    tiers: tuple[str, ...]
    ai: npt.NDArray[np.bool_]
    generator: list[str]
    source: list[str]
    content: list[str]
    path: list[str]

    def tier(self, name: str) -> Array:
        column: Array = self.logits[:, self.tiers.index(name)]
        return column

    def save(self, path: Path) -> None:
        """Write as CSV, a row a picture."""
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "ai", "generator", "source", "content", *self.tiers])
            rows = zip(
                self.path, self.ai.astype(int), self.generator, self.source, self.content,
                np.round(self.logits, 5).tolist(), strict=True,
            )  # fmt: skip
            writer.writerows([*known, *logits] for *known, logits in rows)

    @classmethod
    def read(cls, path: Path) -> "Scores":
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = list(csv.reader(file))
        columns = list(zip(*rows, strict=True))
        return cls(
            logits=np.array([row[5:] for row in rows], np.float64),
            tiers=tuple(header[5:]),
            ai=np.array(columns[1]) == "1",
            generator=list(columns[2]),
            source=list(columns[3]),
            content=list(columns[4]),
            path=list(columns[0]),
        )


def score(
    detector: Detector,
    samples: Sequence[Sample],
    plan: ViewPlan | None = None,
    tiers: tuple[Tier, ...] = TIERS,
    workers: int = 2,
) -> Scores:
    """Score all samples in all tiers; unreadable pictures are left out and named."""
    kept, rows = [], []
    work = partial(_views, plan=plan or detector.plan, tiers=tiers)
    with ProcessPoolExecutor(workers) as pool:
        results = _eager(pool, work, samples, ahead=8 * workers)
        for sample, result in track(zip(samples, results, strict=True), "scoring", len(samples)):
            if isinstance(result, str):
                print(f"left out {sample.path}: {result}")
                continue
            rows.append(detector.score(result))
            kept.append(sample)
    return Scores(
        logits=np.array(rows),
        tiers=tuple(tier.name for tier in tiers),
        ai=np.array([s.ai for s in kept]),
        generator=[s.generator for s in kept],
        source=[s.source for s in kept],
        content=[s.content for s in kept],
        path=[f"{s.path.parent.name}/{s.path.name}" for s in kept],
    )


def _eager(
    pool: ProcessPoolExecutor,
    work: partial[list[Pixels] | str],
    samples: Sequence[Sample],
    ahead: int,
) -> Iterator[list[Pixels] | str]:
    """Like `pool.map`, with a bounded number of results waiting in memory."""
    todo = iter(samples)
    waiting = [pool.submit(work, s) for s in islice(todo, ahead)]
    while waiting:
        yield waiting.pop(0).result()
        waiting += [pool.submit(work, s) for s in islice(todo, 1)]


def _views(sample: Sample, plan: ViewPlan, tiers: tuple[Tier, ...]) -> list[Pixels] | str:
    try:
        image, _ = load(sample)
    except PictureError as error:
        return error.message
    return [views(np.asarray(deliver(image, tier)), plan) for tier in tiers]
