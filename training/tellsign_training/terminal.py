"""What the commands share: how many processes they use, how they give up."""

import os
from typing import NoReturn

import typer
from rich.console import Console

WORKERS = os.cpu_count() or 1


def stop(message: str) -> NoReturn:
    """Say what is wrong and end with status 2."""
    Console(stderr=True).print(message, style="red", markup=False)
    raise typer.Exit(2)
