"""`tellsign tray`: the icon that shows and steers the daemon."""

from typing import Annotated

import typer
from rich.console import Console

err = Console(stderr=True, highlight=False)


def tray(
    attached: Annotated[bool, typer.Option("--attached", hidden=True)] = False,
) -> None:
    """Show Tellsign in the tray: its state, its models, and what can be done with it.

    Exit status 1 if this desktop has no tray.
    """
    from tellsign import tray as icon

    try:
        icon.run(attached)
    except icon.TrayError as error:
        err.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
