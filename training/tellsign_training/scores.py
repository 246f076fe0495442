"""Logits of a detector for every picture of a split in every delivery tier."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tellsign.detector import Detector
from tellsign.picture import PictureError
from tellsign.views import Pixels, ViewPlan, views
from tellsign_training.data import DataError, Sample, load
from tellsign_training.delivery import FORMATS, TIERS, Tier, deliver
from tellsign_training.pooled import pooled

Array = npt.NDArray[np.float64]

KNOWN = ("path", "ai", "generator", "source", "content")
"""The first columns of a file of scores; a column a tier follows."""


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


def score(
    detector: Detector,
    samples: Sequence[Sample],
    tiers: tuple[Tier, ...] = TIERS,
    workers: int = 2,
    keep: Path | None = None,
) -> Scores:
    """Score all samples; unreadable pictures are left out and named.

    With `keep`, a CSV, each picture's row is written as soon as it is there, those there already
    are not scored again, and the tiers are those of the file.

    Raises:
        DataError: the file holds something else.
    """
    named = dict(zip(names(samples), samples, strict=True))
    found: dict[str, list[float]] = {}
    if keep and keep.exists():
        tiers, found = _kept(keep)
        if found and not found.keys() & named.keys():
            raise DataError(f"{keep} holds the scores of other pictures; name another file.")
    todo = {name: sample for name, sample in named.items() if name not in found}
    work = partial(_views, plan=detector.plan, tiers=tiers)
    with _book(keep, tiers) as write:
        results = pooled(work, list(todo.values()), workers, "scoring")
        for name, result in zip(todo, results, strict=True):
            if isinstance(result, str):
                print(f"left out {name}: {result}")
                continue
            found[name] = [round(logit, 5) for logit in detector.score(result)]
            write(name, named[name], found[name])
    kept = {name: sample for name, sample in named.items() if name in found}
    return Scores(
        logits=np.array([found[name] for name in kept]).reshape(-1, len(tiers)),
        tiers=tuple(tier.name for tier in tiers),
        ai=np.array([s.ai for s in kept.values()], bool),
        generator=[s.generator for s in kept.values()],
        source=[s.source for s in kept.values()],
        content=[s.content for s in kept.values()],
        path=list(kept),
    )


def names(samples: Sequence[Sample]) -> list[str]:
    """The last parts of each path, as many as tell all samples apart, but at least two.

    Raises:
        DataError: two samples are the same file.
    """
    parts = [sample.path.parts for sample in samples]
    for count in range(2, max((len(p) for p in parts), default=2) + 1):
        found = ["/".join(p[-count:]) for p in parts]
        if len(set(found)) == len(found):
            return found
    raise DataError("A picture is listed twice.")


def _kept(path: Path) -> tuple[tuple[Tier, ...], dict[str, list[float]]]:
    """The tiers of a file of scores and the logits of the pictures in it, by name.

    A last row that a kill cut short is taken out of the file.
    """
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        text = file.read()
    header, *rows = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
    known = {tier.name: tier for tier in TIERS + FORMATS}
    if tuple(header[: len(KNOWN)]) != KNOWN or not set(header[len(KNOWN) :]) <= set(known):
        raise DataError(f"{path} is no file of scores of these deliveries; name another.")
    if not text.endswith("\n"):
        rows = rows[:-1]
        part = path.with_name(path.name + ".part")
        with part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            csv.writer(file).writerows([header, *rows])
        part.replace(path)
    return (
        tuple(known[name] for name in header[len(KNOWN) :]),
        {row[0]: [float(logit) for logit in row[len(KNOWN) :]] for row in rows},
    )


@contextmanager
def _book(
    path: Path | None, tiers: tuple[Tier, ...]
) -> Iterator[Callable[[str, Sample, list[float]], None]]:
    """A writer of rows to the end of the file, if any; each is on its way to the disk at once."""
    if path is None:
        yield lambda name, sample, logits: None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        if not file.tell():
            writer.writerow([*KNOWN, *(tier.name for tier in tiers)])

        def write(name: str, s: Sample, logits: list[float]) -> None:
            writer.writerow([name, int(s.ai), s.generator, s.source, s.content, *logits])
            file.flush()

        yield write


def _views(sample: Sample, plan: ViewPlan, tiers: tuple[Tier, ...]) -> list[Pixels] | str:
    try:
        image, _ = load(sample)
    except PictureError as error:
        return error.message
    except OSError as error:
        return f"The file can't be read ({error.strerror})."
    return [views(np.asarray(deliver(image, tier)), plan) for tier in tiers]
