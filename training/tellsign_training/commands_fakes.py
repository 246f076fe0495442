"""`tellsign-train partly | pixels`: partly fake pictures with masks, and what is found in them."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tellsign_training.crops import CropPlan
from tellsign_training.data import DataError, read
from tellsign_training.delivery import TIERS
from tellsign_training.recipe import RecipeError, read_recipe
from tellsign_training.terminal import WORKERS, Data, RecipeName, stop


def partly_command(
    recipe: RecipeName,
    data: Data,
    autoencoder: Annotated[Path, typer.Option(help="Folder of taef2_encoder.pth and _decoder.")],
    out: Annotated[Path, typer.Option(help="Folder of the store of crops and masks.")],
    count: Annotated[
        int, typer.Option(min=3, help="Pictures: a third each partly fake, real, fake throughout.")
    ] = 3000,
    split: str = "train",
    delivery: Annotated[
        str, typer.Option(help="random, to learn from; clean, web, hard or thumb to measure by.")
    ] = "random",
    seed: int = 11,
) -> None:
    """Make partly fake pictures with masks and store them as crops; goes on where it was stopped.

    A region of a real picture is drawn anew by the autoencoder or cut out of a generated picture.
    """
    from tellsign_training.fakes import TinyAutoencoder
    from tellsign_training.partly import RoundTrip, pack_partly

    tiers = {"random": None} | {tier.name: tier for tier in TIERS}
    if delivery not in tiers:
        stop(f"There is no delivery {delivery}: it can be {', '.join(tiers)}.")
    try:
        chosen = read_recipe(recipe)
        samples = read(data, split)
        TinyAutoencoder.load(autoencoder)  # here, so that what is missing is said once
        plan = CropPlan(4, chosen.views, seed, chosen.augment)
        pack_partly(samples, RoundTrip(autoencoder), count, out, plan, WORKERS, tiers[delivery])
    except OSError as error:
        stop(f"{error.filename}: {error.strerror}.")
    except (RecipeError, DataError) as error:
        stop(str(error))


def pixels_command(
    model: Annotated[Path, typer.Argument(help="A model folder of pixels or an fcn.")],
    store: Annotated[Path, typer.Argument(help="A store of tellsign-train partly.")],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Measure how well a pixel detector finds the generated parts; prints JSON."""
    from tellsign.engines.torch import TorchEngine
    from tellsign.models.folder import ModelError, ModelFolder
    from tellsign_training.pixels import pixel_figures

    try:
        folder = ModelFolder(model)
        engine = TorchEngine(folder.network(), folder.mean, folder.std, device)
        figures = pixel_figures(engine, store)
    except FileNotFoundError as error:
        stop(f"There is no {error.filename}.")
    except (DataError, ModelError, ValueError) as error:
        stop(str(error))
    Console().print_json(data=figures)
