"""`tellsign-train choose`: the views that a detector reads."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tellsign.detector import Detector
from tellsign.models.folder import ModelError
from tellsign_training.choose import chosen, tried
from tellsign_training.data import DataError, read
from tellsign_training.export import reseal
from tellsign_training.terminal import WORKERS, stop


def choose_command(
    model: Annotated[Path, typer.Argument(help="A model folder.")],
    data: Annotated[Path, typer.Option(help="A manifest (CSV) or a folder of pictures.")],
) -> None:
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
    config = json.loads((model / "config.json").read_text("utf-8"))
    config["views"] = best.plan.as_dict()
    (model / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    reseal(model)
    print(f"{model} now reads {best.plan}. Now run tellsign-train calibrate.")
