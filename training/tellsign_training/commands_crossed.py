"""`tellsign-train crossed`: sources left out in turn."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tellsign.models.folder import ModelError
from tellsign_training.crossed import FPRS, crossed
from tellsign_training.data import DataError, read
from tellsign_training.evaluate import told
from tellsign_training.networks import build
from tellsign_training.recipe import RecipeError, read_recipe
from tellsign_training.terminal import Data, RecipeName, Start, StorePaths, Weights, stop
from tellsign_training.unfuse import further

WORST = 10
"""Sources that are shown."""


def crossed_command(
    recipe: RecipeName,
    stores: StorePaths,
    data: Data,
    weights: Weights = None,
    start: Start = None,
    out: Annotated[Path | None, typer.Option(help="Write the figures to this JSON file.")] = None,
    folds: Annotated[int, typer.Option(help="Parts that the sources are divided in.", min=2)] = 5,
) -> None:
    """Leave a part of the sources out in turn: what kinds of real pictures are accused then?

    Heads are fitted as by `probe`, on the rest; a picture's score is the mean over its crops.
    """
    try:
        plan = read_recipe(recipe)
        network = further(start, stores[0], plan) if start else build(plan, weights)
        found = crossed(network, plan, stores, read(data), folds)
    except (DataError, ModelError, RecipeError, OSError, ValueError) as error:
        stop(str(error))
    if out:
        out.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    rates = [f"{fpr:.0%}" for fpr in FPRS]
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{found['pictures']['ai']} AI, {found['pictures']['real']} real pictures")
    for name in ("auc", *(f"tpr_at_{rate}" for rate in rates)):
        console.print(f"{name}  {told(found[name])}")
    for title, rows in (
        ("real pictures of a kind", found["content"].items()),
        ("of a source", list(found["source"].items())[:WORST]),
    ):
        table = Table(title, "number", *(f"accused at {rate}" for rate in rates))
        for name, row in rows:
            table.add_row(name, str(row["n"]), *(told(row[rate]) for rate in rates))
        console.print(table)
