"""`tellsign open`: the daemon's own page, on which a person checks pictures."""

from typing import Annotated

import typer

from tellsign.commands.terminal import err, not_running, out
from tellsign.desktop import browse
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
    running = local.find(state_dir()) or not_running()
    try:
        url = running.check_page()
    except OSError:  # it has stopped meanwhile
        not_running()
    except ValueError:
        err.print("The Tellsign that runs has no such page. Stop it, and start it again.")
        raise typer.Exit(1) from None
    if not no_browser and browse(url):
        out.print("The page has opened in your browser.")
    else:
        out.print(f"Open this on this machine, once, within {PASS_CODE_SECONDS} seconds:")
        out.print(url, soft_wrap=True)
