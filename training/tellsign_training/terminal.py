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
Weights = Annotated[Path, typer.Option(help="Weights of the backbone (safetensors).")]


def stop(message: str) -> NoReturn:
    """Say what is wrong and end with status 2."""
    Console(stderr=True).print(message, style="red", markup=False)
    raise typer.Exit(2)
