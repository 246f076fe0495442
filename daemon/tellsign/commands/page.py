"""`tellsign open`: the daemon's own page, on which a person checks pictures."""

import webbrowser
from typing import Annotated

import typer

from tellsign.commands.terminal import err, out
from tellsign.desktop import has_display
from tellsign.server import local
from tellsign.server.passes import PASS_CODE_SECONDS
from tellsign.settings import state_dir


def open(
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only show the page's address; open nothing.")
    ] = False,
) -> None:
    """Open a page on which you drop pictures to have them checked.

    Its address is good for one opening, within a minute.
    """
    running = local.find(state_dir())
    try:
        url = running.check_page() if running else ""
    except OSError:  # it has stopped meanwhile
        url = ""
    except ValueError:
        err.print("The Tellsign that runs has no such page. Stop it, and start it again.")
        raise typer.Exit(1) from None
    if not url:
        err.print("Tellsign is not running. Start it with `tellsign serve`.")
        raise typer.Exit(1)
    # Without a display, `webbrowser` would start a text browser in this very terminal.
    if not no_browser and has_display() and webbrowser.open(url):
        out.print("The page has opened in your browser.")
    else:
        out.print(f"Open this on this machine, once, within {PASS_CODE_SECONDS} seconds:")
        out.print(url, soft_wrap=True)
