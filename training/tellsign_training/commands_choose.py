"""`tellsign-train choose` and `precision`: how a detector reads pictures and calculates."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tellsign.detector import Detector
from tellsign.engines.openvino import able
from tellsign.models.folder import ModelError, ModelFolder
from tellsign_training.choose import chosen, tried
from tellsign_training.data import DataError, read
from tellsign_training.delivery import TIERS
from tellsign_training.export import rewrite
from tellsign_training.precision import MOST_FLIPS, flipped
from tellsign_training.scores import score
from tellsign_training.terminal import WORKERS, Data, Model, stop


def choose_command(model: Model, data: Data) -> None:
    """Try numbers and scales of views on `val` in all tiers; write the best to the folder."""
    try:
        found = tried(Detector.load(model), read(data, "val"), WORKERS)
    except (DataError, ModelError) as error:
        stop(str(error))
    best = chosen(found)
    table = Table("long side", "crops", "whole", "views", "AUC", "TPR at 5 % FPR")
    for t in found:
        plan, style = t.plan, "bold" if t is best else None
        table.add_row(
            str(plan.long_side), str(plan.crops), "yes" if plan.whole else "no", f"{t.views:.1f}",
            f"{t.auc:.4f}", f"{t.tpr_at_5_fpr:.3f}", style=style,
        )  # fmt: skip
    Console().print(table)
    _set(model, "views", best.plan.as_dict())
    print(f"{model} now reads {best.plan}. Now run tellsign-train calibrate.")


def precision_command(
    model: Model,
    data: Data,
    precision: Annotated[str, typer.Option(help="bf16 or f16.")] = "bf16",
    split: str = "test",
) -> None:
    """Let a calibrated model calculate in a lower precision, if its verdicts stay what they are.

    All pictures of a split are scored in all tiers, in float32 and in the lower precision; the
    folder is changed only if at most 0.5 % of the verdicts differ.
    """
    try:
        folder, samples = ModelFolder(model), read(data, split)
        detectors = [Detector(folder, "openvino", name) for name in ("f32", precision)]
        for detector in detectors:
            detector.prepare()
        if not able(precision) or detectors[1].engine.engine != "openvino":
            stop(f"{model} can't calculate in {precision} here.")
        exact, lower = (score(detector, samples, TIERS, WORKERS) for detector in detectors)
        found = flipped(exact, lower, folder.calibration)
    except (DataError, ModelError, ValueError) as error:
        stop(str(error))
    Console().print_json(data=found)
    if found["share"]["value"] > MOST_FLIPS:
        stop(f"Too many verdicts differ; {model} is as it was.")
    _set(model, "precision", precision)
    print(f"{model} now calculates in {precision} on CPUs that do.")


def _set(model: Path, name: str, value: object) -> None:
    """Change a setting of a model folder."""
    config = json.loads((model / "config.json").read_text("utf-8"))
    rewrite(model, "config.json", config | {name: value})
