"""The command line, `tellsign-train …`."""

import os
from pathlib import Path
from typing import Annotated, NoReturn

import numpy as np
import torch
import typer
from rich.console import Console

from tellsign.models.folder import ModelError
from tellsign_training.commands_measure import calibrate_command, evaluate_command
from tellsign_training.crops import CropPlan, pack
from tellsign_training.data import DataError, read_manifest
from tellsign_training.export import export as write_folder
from tellsign_training.recipe import Recipe, RecipeError, read_recipe

app = typer.Typer(
    name="tellsign-train",
    help="Trains, calibrates, measures and exports Tellsign's detectors.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
console = Console()
WORKERS = os.cpu_count() or 1

RecipeName = Annotated[str, typer.Argument(help="A recipe's name or TOML file.")]
Data = Annotated[Path, typer.Option(help="The data's manifest (CSV).")]


@app.command("pack")
def pack_command(
    recipe: RecipeName,
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder of the store of crops.")],
    split: str = "train",
    passes: Annotated[int, typer.Option(help="Crops a picture.")] = 4,
    seed: int = 0,
) -> None:
    """Deliver, cut and store training crops; goes on where it was stopped."""
    plan = CropPlan(passes, _recipe(recipe).views, seed)
    try:
        pack(read_manifest(data, split), out, plan, WORKERS)
    except DataError as error:
        _stop(str(error))


@app.command("align")
def align_command(
    recipe: RecipeName,
    data: Data,
    autoencoder: Annotated[Path, typer.Option(help="Folder of taef2_encoder.pth and _decoder.")],
    out: Annotated[Path, typer.Option(help="Folder of the store of crops.")],
    count: Annotated[int, typer.Option(help="Pairs of a picture and its round trip.")] = 2000,
    seed: int = 7,
) -> None:
    """Make aligned fakes out of the real pictures of `train` and store both as crops."""
    from tellsign_training.aligned import pack_pairs
    from tellsign_training.fakes import round_trip

    plan = CropPlan(4, _recipe(recipe).views, seed)
    try:
        samples = read_manifest(data, "train")
    except DataError as error:
        _stop(str(error))
    pack_pairs(samples, round_trip(autoencoder, WORKERS), count, out, plan, WORKERS)


@app.command("teach")
def teach_command(
    store: Annotated[Path, typer.Argument(help="A store of crops.")],
    teacher: Annotated[Path, typer.Option(help="Weights of the CLIP tower (safetensors).")],
    passes: Annotated[str, typer.Option(help="Which crops of each picture, as 3,0.")] = "3,0",
) -> None:
    """Add a frozen teacher's features to a store; goes on where it was stopped."""
    from tellsign_training.teacher import extractor, teach

    teach(store, extractor(teacher, WORKERS), [int(turn) for turn in passes.split(",")])


@app.command("fit")
def fit_command(
    recipe: RecipeName,
    store: Annotated[list[Path], typer.Option(help="A store of crops; may be given again.")],
    val: Annotated[Path, typer.Option(help="The store of `val`.")],
    out: Annotated[Path, typer.Option(help="Folder of checkpoints and log.")],
    share: Annotated[
        list[float] | None, typer.Option(help="Each store's share of a batch; default equal.")
    ] = None,
    start: Annotated[
        Path | None, typer.Option(help="A model folder to start from; default random weights.")
    ] = None,
) -> None:
    """Train; goes on from the last epoch of OUT."""
    from tellsign_training.fit import fit, normalised, open_store
    from tellsign_training.unfuse import unfused

    if share and len(share) != len(store):
        _stop("Give --share once for each --store.")
    shares = [s / sum(share) for s in share] if share else [1 / len(store)] * len(store)
    stores = [open_store(path) for path in store]
    network = None
    if start:
        rows = np.flatnonzero(stores[0].packed)[:: max(1, len(stores[0].packed) // 512)]
        try:
            network = unfused(start, normalised(torch.from_numpy(stores[0].crops[rows, 0])))
        except ModelError as error:
            _stop(str(error))
    for row in fit(_recipe(recipe), stores, shares, open_store(val), out, network):
        console.print_json(data=row, indent=None)


@app.command("export")
def export_command(
    recipe: RecipeName,
    weights: Annotated[Path, typer.Option(help="best.safetensors of a training.")],
    out: Annotated[Path, typer.Option(help="The model folder.")],
    card: Annotated[Path, typer.Option(help="The model card (Markdown).")],
) -> None:
    """Write a model folder, to be calibrated next."""
    write_folder(_recipe(recipe), weights, out, None, card.read_text("utf-8"))
    console.print(f"Wrote {out}. Now run tellsign-train calibrate.")


app.command("calibrate")(calibrate_command)
app.command("evaluate")(evaluate_command)


def _recipe(name: str) -> Recipe:
    try:
        return read_recipe(name)
    except RecipeError as error:
        _stop(str(error))


def _stop(message: str) -> NoReturn:
    Console(stderr=True).print(message, style="red", markup=False)
    raise typer.Exit(2)
