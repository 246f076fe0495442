"""`tellsign serve`, `tellsign token`, `tellsign pair`: the daemon and who may use it."""

import subprocess
import sys
import time
from typing import Annotated

import typer
from rich.panel import Panel
from rich.text import Text

from tellsign.commands.terminal import err, not_running, out
from tellsign.desktop import browse
from tellsign.server import local
from tellsign.server.local import Running
from tellsign.server.pairing import CODE_SECONDS, Clients
from tellsign.settings import (
    DEFAULT_MODEL,
    DEFAULT_PORT,
    HOST,
    PORT_COUNT,
    UNLOAD_MINUTES,
    state_dir,
)

POLL_SECONDS = 0.5


def serve(
    host: Annotated[str, typer.Option(help="Address on this machine to listen on.")] = HOST,
    port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65535,
            help=f"Port; the default makes way for the next {PORT_COUNT - 1}, 0 is any free one.",
        ),
    ] = DEFAULT_PORT,
    model: Annotated[
        str | None,
        typer.Option(
            help=f"Which model to use this time; else the one chosen last, or {DEFAULT_MODEL}.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    unload_after: Annotated[
        float,
        typer.Option(
            min=0, help="Minutes without a picture before the model is unloaded; 0: never."
        ),
    ] = UNLOAD_MINUTES,
    tray: Annotated[bool, typer.Option("--tray", help="With an icon in the tray.")] = False,
) -> None:
    """Run the daemon that checks pictures for your browser."""
    from tellsign.server import app, lines

    icons = []

    def announce(started: app.Started) -> None:
        out.print(f"Tellsign runs at {started.address} with the model {started.model}.")
        if not started.paired:
            out.print("No browser is paired yet: run `tellsign pair` in another terminal.")
        out.print("Stop it with Ctrl-C.")
        if tray:
            icons.append(_start_tray())

    lines.set_up()
    try:
        app.run(app.Options(host, port, model, device, unload_after * 60), announce)
    except app.StartError as error:
        err.print(str(error))
        raise typer.Exit(1) from None
    finally:
        for icon in icons:
            _stop_tray(icon)


def _start_tray() -> "subprocess.Popen[bytes]":
    """A program of its own: it can't harm this one, and ends with it, however that ends."""
    command = [sys.executable, "-m", "tellsign", "tray", "--attached"]
    return subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603


def _stop_tray(icon: "subprocess.Popen[bytes]") -> None:
    """The end of its input tells it; a tray that hangs is not waited for."""
    try:
        icon.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        icon.kill()
        icon.wait()


def token(name: Annotated[str, typer.Argument(help="What the token is for.")]) -> None:
    """Print a new token with which a script may use the daemon."""
    running = local.find(state_dir())
    if running:
        status, answer = running.call("POST", "/v1/clients", {"name": name})
        if status != 200:
            err.print(answer["error"]["message"])
            raise typer.Exit(1)
        print(answer["token"])
    else:
        print(Clients(state_dir()).add(name)[0])


def pair(
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only show the code; open no page.")
    ] = False,
) -> None:
    """Pair a browser with the daemon."""
    running = local.find(state_dir()) or not_running()
    try:
        _, answer = running.call("POST", "/v1/pair/code")
        _show(running, answer["code"], not no_browser)
        _wait(running)
    except KeyboardInterrupt:
        err.print("Stopped waiting.")
        raise typer.Exit(130) from None
    except (OSError, ValueError):
        err.print("Tellsign has stopped. Start it again with `tellsign serve`.")
        raise typer.Exit(1) from None


def _show(running: Running, code: str, open_page: bool) -> None:
    """The code, and the page that hands it to the extension with one click."""
    url = f"{running.address}/pair#{code}"
    digits = Text(f"{code[:3]} {code[3:]}", style="bold")
    out.print(Panel(digits, title="Pairing code", expand=False, padding=(1, 6)))
    if open_page and browse(url):
        out.print("A page has opened in your browser: press “Pair this browser” there.")
        out.print("Or type the code in the popup of the Tellsign extension.")
    else:
        out.print("Type the code in the popup of the Tellsign extension, or open")
        out.print(url, soft_wrap=True)


def _wait(running: Running) -> None:
    """Until the code has been used or is void."""
    with out.status("Waiting …") as status:
        while True:
            _, answer = running.call("GET", "/v1/pair/code")
            if answer["state"] != "pending":
                break
            status.update(f"Waiting, {answer['expires_in']} of {CODE_SECONDS} seconds left …")
            time.sleep(POLL_SECONDS)
    if answer["state"] != "used":
        err.print("The code is no longer valid. Run `tellsign pair` again.")
        raise typer.Exit(1)
    out.print(f"Paired: {answer['name']}.", markup=False)
