"""What the commands share: options, how many processes they use, how they give up."""

import os
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

WORKERS = os.cpu_count() or 1

Data = Annotated[Path, typer.Option(help="A manifest (CSV) or a folder of pictures.")]
Model = Annotated[Path, typer.Argument(help="A model folder.")]
RecipeName = Annotated[str, typer.Argument(help="A recipe's name or TOML file.")]
StorePath = Annotated[Path, typer.Argument(help="A store of crops.")]
StorePaths = Annotated[list[Path], typer.Argument(help="Stores of crops.")]
Start = Annotated[Path | None, typer.Option(help="A model folder of the recipe's to go on from.")]
Weights = Annotated[
    Path | None, typer.Option(help="First weights of the backbone (safetensors), else fetched.")
]


def stop(message: str) -> NoReturn:
    """Say what is wrong and end with status 2."""
    Console(stderr=True).print(message, style="red", markup=False)
    raise typer.Exit(2)
