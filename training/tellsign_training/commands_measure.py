"""The commands that measure: `tellsign-train calibrate` and `tellsign-train evaluate`."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tellsign.detector import Detector
from tellsign.models.folder import ModelError, ModelFolder
from tellsign_training.calibrate import calibrate
from tellsign_training.cost import cost
from tellsign_training.data import DataError, Sample, read_manifest
from tellsign_training.delivery import FORMATS, TIERS, Tier
from tellsign_training.evaluate import summary
from tellsign_training.export import reseal
from tellsign_training.report import Measured, report, write_report
from tellsign_training.scores import Scores, score
from tellsign_training.terminal import WORKERS, stop

Data = Annotated[Path, typer.Option(help="The data's manifest (CSV).")]
Kept = Annotated[Path | None, typer.Option(help="Keep the scores in this CSV.")]


def calibrate_command(
    model: Annotated[Path, typer.Argument(help="A model folder.")], data: Data, scores: Kept = None
) -> None:
    """Fit Platt scaling and the thresholds on `val` in all tiers, and write them to the folder."""
    try:
        found = _scores(ModelFolder(model), read_manifest(data, "val"), scores, TIERS)
        result = calibrate(found, data.parent.name)
    except (DataError, ModelError) as error:
        stop(str(error))
    (model / "calibration.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    reseal(model)
    Console().print_json(data=result)


def evaluate_command(
    models: Annotated[list[Path], typer.Argument(help="Model folders, measured side by side.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder of report.json, report.html and the scores.")],
    split: str = "test",
    scores: Annotated[
        Path | None, typer.Option(help="Of one model: keep its scores here, not in OUT.")
    ] = None,
) -> None:
    """Measure models by the protocol, print a table of each, write the report; goes on if stopped.

    Scores are kept in OUT, so a folder is for one set of data.
    """
    if scores and len(models) > 1:
        stop("--scores is for one model; several keep theirs in OUT.")
    try:
        samples = read_manifest(data, split)
        measured = {}
        for name, model in _named(models).items():
            folder = ModelFolder(model)
            kept = scores or out / "scores" / f"{name}.{_key(folder)}.{split}.csv"
            found = _scores(folder, samples, kept, TIERS + FORMATS)
            measured[name] = Measured(found, folder.calibration, cost(folder))
        result = report(measured, data.parent.name, split, leaks=None, shortcut_auc=None)
    except (DataError, ModelError) as error:
        stop(str(error))
    write_report(result, measured, samples, out)
    for name, figures in result["models"].items():
        print(f"\n{name}\n\n{summary(figures)}")


def _named(models: Sequence[Path]) -> dict[str, Path]:
    """The models by the names of their folders, with a number where two have the same."""
    seen: Counter[str] = Counter()
    named = {}
    for model in models:
        name = model.resolve().name
        seen[name] += 1
        named[name if seen[name] == 1 else f"{name} ({seen[name]})"] = model
    return named


def _key(folder: ModelFolder) -> str:
    """Tells the scores of a model from those of another training or with other views."""
    digests = json.loads((folder.path / "digests.json").read_text("utf-8"))
    return f"{digests['model.safetensors'][:8]}-{digests['config.json'][:4]}"


def _scores(
    folder: ModelFolder, samples: Sequence[Sample], kept: Path | None, tiers: tuple[Tier, ...]
) -> Scores:
    try:
        return score(Detector(folder), samples, tiers, WORKERS, kept)
    except KeyboardInterrupt:
        stop(
            "Stopped. The same command goes on from here." if kept else "Stopped; nothing is kept."
        )
