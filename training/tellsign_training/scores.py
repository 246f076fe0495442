"""Logits of a detector for every picture of a split in every delivery tier."""

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tellsign.detector import Detector
from tellsign.models.folder import ModelFolder
from tellsign.picture import PictureError
from tellsign.views import Pixels, ViewPlan, views
from tellsign_training.data import DataError, Sample, load
from tellsign_training.delivery import FORMATS, TIERS, Tier, deliver
from tellsign_training.pooled import pooled

Array = npt.NDArray[np.float64]

DELIVERIES = {tier.name: tier for tier in TIERS + FORMATS}
"""All deliveries of the protocol, in the order of its tables."""
KNOWN = ("path", "model", "ai", "generator", "source", "content")
"""The first columns of a file of scores; a column a tier follows, empty where not scored."""

Logits = dict[str, float]
"""A picture's pooled logits by the names of the tiers."""


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
    tiers: Sequence[Tier] = TIERS,
    workers: int = 2,
    keep: Path | None = None,
    among: Sequence[Sample] | None = None,
) -> Scores:
    """Score all samples; unreadable pictures are left out and named.

    With `keep`, a CSV, each picture's row is written as soon as it is there, and what is there
    already is not scored again. Where the samples are a part of something, `among` is all of it:
    their names then are the same for every part, and so are found again.

    Raises:
        DataError: the file holds something else.
    """
    whole = samples if among is None else among
    names_of = {sample.path: name for name, sample in zip(names(whole), whole, strict=True)}
    named = {names_of[sample.path]: sample for sample in samples}
    key = key_of(detector)
    found = _kept(keep, key) if keep and keep.exists() else {}
    if found and not found.keys() & set(names_of.values()):
        raise DataError(f"{keep} holds the scores of other pictures; name another file.")
    wanted = {name: [t for t in tiers if t.name not in found.get(name, {})] for name in named}
    todo = {name: (named[name], missing) for name, missing in wanted.items() if missing}
    with _book(keep, key) as write:
        work = partial(_views, plan=detector.plan)
        results = pooled(work, list(todo.values()), workers, "scoring")
        for (name, (sample, missing)), result in zip(todo.items(), results, strict=True):
            if isinstance(result, str):
                print(f"left out {name}: {result}")
                continue
            logits = [round(logit, 5) for logit in detector.score(result)]
            new = zip((tier.name for tier in missing), logits, strict=True)
            found[name] = found.get(name, {}) | dict(new)
            write(name, sample, found[name])
    return _table(named, found, tuple(tier.name for tier in tiers))


def _table(named: dict[str, Sample], found: dict[str, Logits], tiers: tuple[str, ...]) -> Scores:
    """The scores of the pictures that have all of these tiers."""
    kept = {name: s for name, s in named.items() if found.get(name, {}).keys() >= set(tiers)}
    logits = [[found[name][tier] for tier in tiers] for name in kept]
    return Scores(
        logits=np.array(logits).reshape(-1, len(tiers)),
        tiers=tiers,
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


def key_of(model: Detector | ModelFolder) -> str:
    """Tells the scores of a model from those of another training or with other views."""
    what = f"{model.info.digest} {model.plan}"
    return hashlib.sha256(what.encode()).hexdigest()[:12]


def _kept(path: Path, key: str) -> dict[str, Logits]:
    """The logits in a file of scores, by picture; of several rows of one the last counts.

    A last row that a kill cut short is taken out of the file, and columns that it lacks are added.
    """
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        text = file.read()
    header, *rows = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
    tiers = header[len(KNOWN) :]
    if tuple(header[: len(KNOWN)]) != KNOWN or not set(tiers) <= set(DELIVERIES):
        raise DataError(f"{path} is no file of scores of these deliveries; name another.")
    whole = rows if text.endswith("\n") else rows[:-1]
    if any(row[1] != key for row in whole):
        raise DataError(f"{path} holds the scores of another model; name another file.")
    cells = [dict(zip(tiers, row[len(KNOWN) :], strict=True)) for row in whole]
    if whole != rows or tiers != list(DELIVERIES):
        part = path.with_name(path.name + ".part")
        with part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            csv.writer(file).writerows(
                [
                    [*KNOWN, *DELIVERIES],
                    *(
                        [*row[: len(KNOWN)], *(logits.get(tier, "") for tier in DELIVERIES)]
                        for row, logits in zip(whole, cells, strict=True)
                    ),
                ]
            )
        part.replace(path)
    return {
        row[0]: {tier: float(logit) for tier, logit in logits.items() if logit}
        for row, logits in zip(whole, cells, strict=True)
    }


@contextmanager
def _book(path: Path | None, key: str) -> Iterator[Callable[[str, Sample, Logits], None]]:
    """A writer of rows to the end of the file, if any; each is on its way to the disk at once."""
    if path is None:
        yield lambda name, sample, logits: None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        if not file.tell():
            writer.writerow([*KNOWN, *DELIVERIES])

        def write(name: str, s: Sample, logits: Logits) -> None:
            known = [name, key, int(s.ai), s.generator, s.source, s.content]
            writer.writerow([*known, *(logits.get(tier, "") for tier in DELIVERIES)])
            file.flush()

        yield write


def _views(work: tuple[Sample, Sequence[Tier]], plan: ViewPlan) -> list[Pixels] | str:
    sample, tiers = work
    try:
        image, _ = load(sample)
    except PictureError as error:
        return error.message
    except OSError as error:
        return f"The file can't be read ({error.strerror})."
    return [views(deliver(image, tier), plan) for tier in tiers]
