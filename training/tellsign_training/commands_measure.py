"""The commands that measure: `tellsign-train calibrate` and `tellsign-train evaluate`."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tellsign.detector import Detector
from tellsign.models.folder import ModelError, ModelFolder
from tellsign_training.calibrate import WrongWayError, calibrate
from tellsign_training.cost import cost
from tellsign_training.data import DataError, read
from tellsign_training.delivery import TIERS, Tier
from tellsign_training.evaluate import summary
from tellsign_training.export import rewrite
from tellsign_training.report import Measured, report, write_report
from tellsign_training.scores import DELIVERIES, key_of, score
from tellsign_training.selection import LeakError, Selection, remarks, select
from tellsign_training.terminal import WORKERS, Data, Model, stop

Kept = Annotated[Path | None, typer.Option(help="Keep the scores in this CSV.")]

console = Console(soft_wrap=True, highlight=False)


def calibrate_command(model: Model, data: Data, scores: Kept = None) -> None:
    """Fit Platt scaling and the thresholds on `val` in all tiers, and write them to the folder."""
    try:
        detector = Detector(ModelFolder(model))
        found = score(detector, read(data, "val"), TIERS, WORKERS, scores)
        result = calibrate(found, _title(data))
    except (DataError, ModelError) as error:
        stop(str(error))
    except WrongWayError as error:
        stop(f"{error} {model} is as it was.")
    except KeyboardInterrupt:
        stop(
            "Stopped. The same command goes on from here."
            if scores
            else "Stopped; nothing is kept."
        )
    rewrite(model, "calibration.json", result)
    console.print_json(data=result)


def evaluate_command(
    models: Annotated[list[Path], typer.Argument(help="Model folders, measured side by side.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder of report.json, report.html and the scores.")],
    split: str = "test",
    drop_leaks: Annotated[
        bool, typer.Option("--drop-leaks", help="Leave out pictures that leak, and go on.")
    ] = False,
    deliveries: Annotated[str, typer.Option(help="Those to measure.")] = ",".join(DELIVERIES),
    most: Annotated[
        int | None, typer.Option(help="Pictures of each class, evenly over the sources.", min=1)
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(help="Of one model: keep its scores here, not in OUT.")
    ] = None,
) -> None:
    """Measure models by the protocol, print a table of each, write the report; goes on if stopped.

    The splits are compared first: exit status 1 if the measured one shares a file, a picture, a
    source or a generator with another. Scores and what is read out of the files are kept in OUT,
    so a folder is for one set of data.
    """
    if scores and len(models) > 1:
        stop("--scores is for one model; several keep theirs in OUT.")
    tiers = _deliveries(deliveries)
    try:
        read(data, split)  # refuses a split that is not there
        folders = {name: ModelFolder(path) for name, path in _named(models).items()}
        chosen = select(read(data), split, out / "files", WORKERS, drop_leaks, most)
        _remark(chosen)
        measured = {
            name: _measured(folder, chosen, tiers, scores or _kept(out, name, folder, split))
            for name, folder in folders.items()
        }
        result = report(measured, _title(data), chosen.found)
    except LeakError as error:
        Console(stderr=True, soft_wrap=True).print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    except (DataError, ModelError) as error:
        stop(str(error))
    except KeyboardInterrupt:
        stop("Stopped. The same command goes on from here.")
    write_report(result, measured, chosen.whole, out)
    for name, figures in result["models"].items():
        print(f"\n{name}\n\n{summary(figures)}")


def _measured(
    folder: ModelFolder, chosen: Selection, tiers: Sequence[Tier], kept: Path
) -> Measured:
    found = score(Detector(folder), chosen.samples, tiers, WORKERS, kept, chosen.whole)
    return Measured(found, folder.calibration, cost(folder))


def _deliveries(names: str) -> list[Tier]:
    """The deliveries of a list such as `clean,web`, in the protocol's order."""
    wanted = {name.strip() for name in names.split(",")}
    if unknown := wanted - set(DELIVERIES):
        stop(f"No delivery is called {', '.join(sorted(unknown))}. Known: {', '.join(DELIVERIES)}.")
    return [tier for name, tier in DELIVERIES.items() if name in wanted]


def _remark(chosen: Selection) -> None:
    for line, warning in remarks(chosen.found):
        console.print(line, style="bold yellow" if warning else None, markup=False)


def _title(data: Path) -> str:
    """What the data is called: a folder's own name, or that of the folder of a manifest."""
    return (data if data.is_dir() else data.parent).resolve().name


def _named(models: Sequence[Path]) -> dict[str, Path]:
    """The models by the names of their folders, with a number where two have the same."""
    seen: Counter[str] = Counter()
    named = {}
    for model in models:
        name = model.resolve().name
        seen[name] += 1
        named[name if seen[name] == 1 else f"{name} ({seen[name]})"] = model
    return named


def _kept(out: Path, name: str, folder: ModelFolder, split: str) -> Path:
    """Where a model's scores go: those of another training or with other views go elsewhere."""
    return out / "scores" / f"{name}.{key_of(folder)}.{split}.csv"
