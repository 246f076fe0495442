"""`tellsign autostart on|off|status`: whether Tellsign starts at login."""

import typer

from tellsign import autostart
from tellsign.autostart import AutostartError
from tellsign.commands.terminal import out, told

app = typer.Typer(help="Whether Tellsign starts at login.", no_args_is_help=True)


@app.command("on")
def on() -> None:
    """Start at every login from now on."""
    with told(AutostartError):
        system = autostart.current()
        system.turn_on(autostart.this_program())
        out.print(f"Tellsign starts at login: {system.HOW}.", soft_wrap=True)


@app.command("off")
def off() -> None:
    """Start at login no more; what runs goes on."""
    with told(AutostartError):
        autostart.current().turn_off()
        out.print("Tellsign does not start at login.")


@app.command("status")
def status() -> None:
    """Say whether Tellsign starts at login: exit status 0 if so, 3 if not."""
    with told(AutostartError):
        if not autostart.current().is_on():
            out.print("Tellsign does not start at login.")
            raise typer.Exit(3)
        out.print("Tellsign starts at login.")
