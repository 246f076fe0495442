"""`tellsign tray`: the icon that shows and steers the daemon."""

from typing import Annotated

import typer

from tellsign.commands.terminal import told


def tray(
    attached: Annotated[bool, typer.Option("--attached", hidden=True)] = False,
) -> None:
    """Show Tellsign in the tray: its state, its models, and what can be done with it.

    Exit status 1 if this desktop has no tray.
    """
    from tellsign import tray as icon
    from tellsign.desktop import TrayError

    with told(TrayError):
        icon.run(attached)
