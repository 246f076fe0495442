"""The report of several detectors side by side: report.json and one self-contained page.

Names, paths and labels come from files and are hostile: the template escapes all of them, and the
page's own policy allows neither scripts nor requests.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tellsign.models.folder import Calibration
from tellsign.verdict import probability
from tellsign_training.data import Sample
from tellsign_training.delivery import FORMATS, TIERS
from tellsign_training.evaluate import FEED_SHARE, GROUPINGS, MIN_GROUP, evaluate
from tellsign_training.html import environment, thumbnail
from tellsign_training.plots import colour, plots
from tellsign_training.scores import DELIVERIES, Scores, names
from tellsign_training.shortcuts import AIM, AS_NETWORK

WORST = 8
"""Worst cases of a kind that are shown."""
SHOWN = 200
"""Leaks of a kind that are shown."""


@dataclass(frozen=True)
class Measured:
    """One detector: its scores, its calibration and what it costs."""

    scores: Scores
    calibration: Calibration
    cost: dict[str, Any] = field(default_factory=dict)


def report(
    models: Mapping[str, Measured], data: str, selected: Mapping[str, Any]
) -> dict[str, Any]:
    """The content of report.json; `selected` is what `select` has found of the data."""
    return {
        "data": data,
        **selected,
        "models": {
            name: {**evaluate(m.scores, m.calibration), "cost": m.cost}
            for name, m in models.items()
        },
    }


def write_report(
    found: dict[str, Any], models: Mapping[str, Measured], samples: Sequence[Sample], out: Path
) -> None:
    """Write report.json and report.html of a `report` to a folder.

    `samples` are the whole split; those that can still be read are shown among the worst cases.
    """
    out.mkdir(parents=True, exist_ok=True)
    files = dict(zip(names(samples), samples, strict=True))
    pages = environment()
    pages.filters["count"] = _count
    page = pages.get_template("report.html").render(
        found=found,
        tables=_tables(found),
        groupings=GROUPINGS,
        least=MIN_GROUP,
        feed=FEED_SHARE,
        aim=AIM,
        judged=AS_NETWORK,
        all_deliveries=list(DELIVERIES),
        shown=SHOWN,
        colours={name: colour(i) for i, name in enumerate(models)},
        plots=plots({name: m.scores for name, m in models.items()}, found["models"]),
        worst={name: worst_cases(m, files) for name, m in models.items()},
    )
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    for name, content in (("report.json", text), ("report.html", page)):
        # File names that are no UTF-8 come as lone surrogates, which can't be written as they are.
        (out / name).write_text(content, "utf-8", errors="backslashreplace")


def _tables(found: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Titles and the deliveries of the protocol's two tables, as far as they were scored."""
    scored = {tier for model in found["models"].values() for tier in model["tiers"]}
    wanted = (("Delivery tiers", TIERS), ("Other formats and screenshots", FORMATS))
    tables = [(title, [t.name for t in tiers if t.name in scored]) for title, tiers in wanted]
    return [(title, tiers) for title, tiers in tables if tiers]


def worst_cases(model: Measured, files: Mapping[str, Sample]) -> dict[str, list[dict[str, Any]]]:
    """Real pictures that are suspected and AI pictures that are not, the furthest off first."""
    scores, calibration = model.scores, model.calibration
    p = probability(scores.logits[:, 0], calibration.a, calibration.b)
    hit = p >= calibration.suspected
    chosen = {
        "Real, yet suspected": (~scores.ai & hit, -p),
        "AI, yet missed": (scores.ai & ~hit, p),
    }
    return {
        title: [
            {
                "path": scores.path[i],
                "about": scores.generator[i] or scores.source[i],
                "probability": float(p[i]),
                "picture": thumbnail(files[scores.path[i]]) if scores.path[i] in files else "",
            }
            for i in np.argsort(order, kind="stable")
            if wrong[i]
        ][:WORST]
        for title, (wrong, order) in chosen.items()
    }


def _count(number: float) -> str:
    return f"{number:,}".replace(",", " ")
