"""The command line, `tellsign-train …`."""

import json
import os
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from tellsign.detector import Detector
from tellsign.models.folder import ModelError
from tellsign_training import commands_data, commands_fit
from tellsign_training import evaluate as protocol
from tellsign_training.calibrate import calibrate as calibration_of
from tellsign_training.data import DataError, read
from tellsign_training.export import reseal
from tellsign_training.scores import Scores, score

app = typer.Typer(
    name="tellsign-train",
    help="Trains, calibrates, measures and exports Tellsign's detectors.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
console = Console()
WORKERS = os.cpu_count() or 1

Data = Annotated[Path, typer.Option(help="A manifest (CSV) or a folder of pictures.")]

app.command("check")(commands_data.check)
app.command("curate")(commands_data.curate)
app.command("pack")(commands_fit.pack_command)
app.command("align")(commands_fit.align_command)
app.command("teach")(commands_fit.teach_command)
app.command("fit")(commands_fit.fit_command)
app.command("export")(commands_fit.export_command)


@app.command("calibrate")
def calibrate_command(
    model: Annotated[Path, typer.Argument(help="A model folder.")],
    data: Data,
    scores: Annotated[Path | None, typer.Option(help="Keep the scores in this CSV.")] = None,
) -> None:
    """Fit Platt scaling and the thresholds on `val` in all tiers, and write them to the folder."""
    result = calibration_of(_scores(model, data, "val", scores), data.parent.name)
    (model / "calibration.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    reseal(model)
    console.print_json(data=result)


@app.command("evaluate")
def evaluate_command(
    model: Annotated[Path, typer.Argument(help="A model folder.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="Where the report goes (JSON).")],
    split: str = "test",
    scores: Annotated[Path | None, typer.Option(help="Keep the scores in this CSV.")] = None,
) -> None:
    """Measure a model by the protocol and print the table."""
    found = _scores(model, data, split, scores)
    report = protocol.evaluate(found, Detector.load(model).calibration)
    out.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", "utf-8")
    print(protocol.summary(report))


def _scores(model: Path, data: Path, split: str, kept: Path | None) -> Scores:
    """Scores of a split, from the CSV if they were kept there."""
    if kept and kept.exists():
        return Scores.read(kept)
    try:
        found = score(Detector.load(model), read(data, split), workers=WORKERS)
    except (DataError, ModelError) as error:
        _stop(str(error))
    if kept:
        found.save(kept)
    return found


def _stop(message: str) -> NoReturn:
    Console(stderr=True).print(message, style="red", markup=False)
    raise typer.Exit(2)
