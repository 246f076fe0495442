"""`tellsign autostart on|off|status`: whether Tellsign starts at login."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from tellsign import autostart
from tellsign.autostart import AutostartError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

app = typer.Typer(help="Whether Tellsign starts at login.", no_args_is_help=True)


@app.command("on")
def on() -> None:
    """Start at every login from now on."""
    with _told():
        system = autostart.current()
        system.turn_on(autostart.this_program())
        out.print(f"Tellsign starts at login: {system.HOW}.", soft_wrap=True)


@app.command("off")
def off() -> None:
    """Start at login no more; what runs goes on."""
    with _told():
        autostart.current().turn_off()
        out.print("Tellsign does not start at login.")


@app.command("status")
def status() -> None:
    """Say whether Tellsign starts at login: exit status 0 if so, 3 if not."""
    with _told():
        if not autostart.current().is_on():
            out.print("Tellsign does not start at login.")
            raise typer.Exit(3)
        out.print("Tellsign starts at login.")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except AutostartError as error:
        err.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except OSError as error:
        err.print(f"{error.filename}: {error.strerror or error}.", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
