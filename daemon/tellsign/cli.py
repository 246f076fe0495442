"""The command line, `tellsign …`: thin; each command's work is done elsewhere."""

from importlib import import_module
from typing import Annotated

import typer

from tellsign import __version__
from tellsign.commands import autostart, models, trust

app = typer.Typer(
    name="tellsign",
    help="Marks pictures that are suspected to be AI-made, on this machine.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    add_completion=False,
)

COMMANDS = {
    "check": "tellsign.commands.check",
    "bench": "tellsign.commands.bench",
    "serve": "tellsign.commands.daemon",
    "pair": "tellsign.commands.daemon",
    "token": "tellsign.commands.daemon",
    "open": "tellsign.commands.page",
    "doctor": "tellsign.commands.doctor",
    "tray": "tellsign.commands.tray",
    "demo": "tellsign.demo.command",
}

for name, module in COMMANDS.items():
    app.command(name)(getattr(import_module(module), name))
app.add_typer(models.app, name="models")
app.add_typer(trust.app, name="trust")
app.add_typer(autostart.app, name="autostart")


def _version(show: bool) -> None:
    if show:
        typer.echo(f"tellsign {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Marks pictures that are suspected to be AI-made, on this machine."""
