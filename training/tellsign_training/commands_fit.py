"""`tellsign-train pack | align | teach | fit | export`: from pictures to a model folder."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text
from safetensors.torch import save_file
from torch import nn

from tellsign.models.architectures import ResNetSVM
from tellsign.models.folder import ModelError, ModelFolder
from tellsign_training.augment import Augmentation
from tellsign_training.crops import CropPlan, pack
from tellsign_training.data import DataError, read
from tellsign_training.export import export as write_folder
from tellsign_training.fit import Setting, fit
from tellsign_training.networks import build
from tellsign_training.probe import probe
from tellsign_training.recipe import Recipe, RecipeError, read_recipe
from tellsign_training.stores import Store, have_hints, open_store
from tellsign_training.svm import fit_svm
from tellsign_training.terminal import (
    WORKERS,
    Data,
    RecipeName,
    Start,
    StorePath,
    StorePaths,
    Weights,
    stop,
)
from tellsign_training.unfuse import further

console = Console()
VAL_SEED = 99


def pack_command(
    recipe: RecipeName,
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder of the store of crops.")],
    split: str = "train",
    passes: Annotated[int, typer.Option(help="Crops a picture.")] = 4,
    seed: int = 0,
) -> None:
    """Deliver, cut and store training crops; goes on where it was stopped."""
    _pack(_recipe(recipe), data, split, out, passes, seed)


def align_command(
    recipe: RecipeName,
    data: Data,
    autoencoder: Annotated[Path, typer.Option(help="Folder of taef2_encoder.pth and _decoder.")],
    out: Annotated[Path, typer.Option(help="Folder of the store of crops.")],
    upscaler: Annotated[
        list[Path] | None,
        typer.Option(help="A Real-ESRGAN network (ncnn's .param, its .bin beside it); repeatable."),
    ] = None,
    shrink: Annotated[
        list[int] | None,
        typer.Option(help="How much smaller a picture is before that; repeatable, 4 if none."),
    ] = None,
    split: str = "train",
    count: Annotated[int, typer.Option(help="Pairs of a picture and what is drawn anew.")] = 2000,
    mix: Annotated[float, typer.Option(help="Share of fakes blended with their originals.")] = 0.0,
    seed: int = 7,
) -> None:
    """Make aligned fakes out of real pictures and store both as crops.

    The autoencoder and the upscalers take turns.
    """
    from tellsign_training.aligned import pack_pairs
    from tellsign_training.fakes import SCALE, redraws

    plan = CropPlan(4, _recipe(recipe).views, seed)
    try:
        samples = read(data, split)
        networks = redraws(autoencoder, upscaler or [], WORKERS, shrink or (SCALE,))
        pack_pairs(samples, networks, count, out, plan, WORKERS, mix)
    except (DataError, OSError) as error:
        stop(str(error))


def teach_command(
    store: StorePath,
    teacher: Annotated[
        Path | None, typer.Option(help="Weights of the CLIP tower (safetensors).")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="A model folder, whose logits are learnt from.")
    ] = None,
    hints: Annotated[
        Path | None,
        typer.Option(help="A model folder, whose maps and statistics are learnt from."),
    ] = None,
    passes: Annotated[str, typer.Option(help="Which crops of each picture, as 3,0.")] = "3,0",
) -> None:
    """Add a frozen teacher's features, logits or hints to a store; goes on where it was stopped.

    A store may have all of them.
    """
    from tellsign_training.hints import teach_hints
    from tellsign_training.teacher import extractor, teach, teach_logits, turns

    if not (teacher or model or hints):
        stop("Give --teacher, --model or --hints.")
    try:
        chosen = turns(passes, store)
        if teacher:
            teach(store, extractor(teacher, WORKERS), chosen)
        if model:
            teach_logits(store, ModelFolder(model), chosen)
        if hints:
            teach_hints(store, ModelFolder(hints), chosen)
    except (ModelError, OSError, ValueError) as error:
        stop(str(error))


def probe_command(
    recipe: RecipeName,
    stores: StorePaths,
    out: Annotated[Path, typer.Option(help="Folder of best.safetensors.")],
    weights: Weights = None,
    start: Start = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes through the features, in place of the usual.", min=1)
    ] = None,
) -> None:
    """Fit a head on a frozen backbone's features, in minutes.

    The backbone is that of --weights or of a model folder. Of clip-vit-b16 the features are what
    `teach` has written into the stores. Next is `tellsign-train export RECIPE --weights
    OUT/best.safetensors`.
    """
    plan = _recipe(recipe)
    try:
        network = further(start, stores[0], plan) if start else build(plan, weights)
        network = probe(network, plan, stores, epochs)
    except (DataError, ModelError, RecipeError, OSError, ValueError) as error:
        stop(str(error))
    out.mkdir(parents=True, exist_ok=True)
    save_file(network.state_dict(), out / "best.safetensors")
    console.print(f"Wrote {out / 'best.safetensors'}.")


def fit_command(
    recipe: RecipeName,
    out: Annotated[Path, typer.Option(help="Folder of checkpoints, log and plot.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="A manifest (CSV) or a folder of pictures; its crops are packed into OUT first."
        ),
    ] = None,
    store: Annotated[
        list[Path] | None, typer.Option(help="A store of crops instead; may be given again.")
    ] = None,
    share: Annotated[
        list[float] | None, typer.Option(help="Each store's share of a batch; default equal.")
    ] = None,
    val: Annotated[Path | None, typer.Option(help="The store of `val`.")] = None,
    start: Start = None,
    weights: Weights = None,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Start from random weights.")
    ] = False,
    epochs: Annotated[int | None, typer.Option(help="In place of the recipe's.")] = None,
    samples: Annotated[int | None, typer.Option(help="An epoch, in place of the recipe's.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="Slower; the same result at every run.")
    ] = False,
    watts: Annotated[float, typer.Option(help="The machine's power, to estimate kWh.")] = 100.0,
) -> None:
    """Train; goes on from the last checkpoint of OUT, also after a kill."""
    plan = _recipe(recipe, epochs, samples)
    if data is not None and not store:
        store, val = [out / "train"], out / "val"
        _pack(plan, data, "train", store[0], 4, 0)
        _pack(plan, data, "val", val, 4, VAL_SEED)
    if not store or val is None:
        stop("Give --data, or --store and --val.")
    if share and len(share) != len(store):
        stop("Give --share once for each --store.")
    shares = [s / sum(share) for s in share] if share else [1 / len(store)] * len(store)
    stores = [open_store(path) for path in store]
    try:
        network = further(start, store[0], plan) if start else build(plan, weights, from_scratch)
        setting = Setting(device, deterministic, watts=watts)
        _train(plan, network, stores, shares, open_store(val), out, setting)
    except (RecipeError, ModelError, ValueError) as error:
        stop(str(error))
    except KeyboardInterrupt:
        console.print(f"Stopped. The same command goes on from the last checkpoint of {out}.")
        raise typer.Exit(130) from None


def _train(
    plan: Recipe,
    network: nn.Module,
    stores: list[Store],
    shares: list[float],
    val: Store,
    out: Path,
    setting: Setting,
) -> None:
    """Print the log of each epoch as it ends, and how far the training has come."""
    if plan.fit.hints_weight and not have_hints(stores):
        console.print(
            "No store has hints, so there is less to learn from: `tellsign-train teach STORE "
            "--hints FOLDER` takes them."
        )
    if isinstance(network, ResNetSVM):
        console.print_json(data=fit_svm(plan, network, stores, val, out), indent=None)
        return
    with _progress() as progress:
        task = progress.add_task("training", total=None)

        def tick(done: int, total: int) -> None:
            progress.update(task, completed=done * plan.fit.batch, total=total * plan.fit.batch)

        for row in fit(plan, network, stores, shares, val, out, replace(setting, tick=tick)):
            progress.console.print_json(data=row, indent=None)


def export_command(
    recipe: RecipeName,
    weights: Annotated[
        Path, typer.Option(help="best.safetensors of a training.", exists=True, dir_okay=False)
    ],
    out: Annotated[Path, typer.Option(help="The model folder.")],
    card: Annotated[
        Path, typer.Option(help="The model card (Markdown).", exists=True, dir_okay=False)
    ],
    small: Annotated[
        bool, typer.Option("--small", help="Store large matrices as int8: a quarter of the bytes.")
    ] = False,
) -> None:
    """Write a model folder, to be calibrated next."""
    write_folder(_recipe(recipe), weights, out, None, card.read_text("utf-8"), small)
    console.print(f"Wrote {out}. Now run tellsign-train calibrate.")


def _pack(recipe: Recipe, data: Path, split: str, out: Path, passes: int, seed: int) -> None:
    augment = recipe.augment if split == "train" else Augmentation()
    try:
        pack(read(data, split), out, CropPlan(passes, recipe.views, seed, augment), WORKERS)
    except DataError as error:
        stop(str(error))


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f} pictures/s" if task.speed else "")


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeRemainingColumn(), _Speed(), console=console)


def _recipe(name: str, epochs: int | None = None, samples: int | None = None) -> Recipe:
    try:
        recipe = read_recipe(name)
    except RecipeError as error:
        stop(str(error))
    plan = replace(
        recipe.fit,
        epochs=epochs or recipe.fit.epochs,
        samples_per_epoch=samples or recipe.fit.samples_per_epoch,
    )
    return replace(recipe, fit=plan)
