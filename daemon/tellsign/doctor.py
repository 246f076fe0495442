"""What is wrong here, in words, and what to do about it: small checks in a list.

A check looks at the real thing and mends nothing. It says how it stands in one sentence; its name
is a heading for people and a key for scripts.
"""

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tellsign import __version__
from tellsign.settings import (
    DEFAULT_MODEL,
    DEFAULT_PORT,
    HOST,
    PORT_COUNT,
    RESUME,
    cache_dir,
    state_dir,
)

Level = Literal["ok", "warning", "problem"]

SPARE = 2**30
"""Bytes that the cache's disk should have free: room for the graphs of a few large models."""
LEAST = 2**26
"""Bytes under which not even the graph of a small model finds room."""


@dataclass(frozen=True)
class Finding:
    """How one thing stands, and what to do if it does not stand well."""

    level: Level
    what: str
    todo: str = ""


def examine() -> Iterator[tuple[str, Finding]]:
    """The findings under the names of their checks, one after the other as they are made."""
    for name, check in CHECKS.items():
        try:
            found = check()
        except Exception as error:  # a machine in disorder is what this is for
            what = f"It can't be found out: {type(error).__name__}: {error}."
            found = Finding("problem", what, "Please report this as a bug of Tellsign.")
        yield name, found


def check_daemon() -> Finding:
    from tellsign.server import local

    running = local.find(state_dir())
    if running is None:
        return Finding("problem", "Tellsign is not running.", "Start it with `tellsign serve`.")
    try:
        _, model = running.call("GET", "/v1/model")
        _, paused = running.call("GET", "/v1/pause")
    except (OSError, ValueError):
        what = f"Tellsign runs at {running.address}, but does not say with which model."
        return Finding("problem", what, "If it stays so, stop it and start it again.")
    if not model["current"] and model["state"] == "failed":
        return Finding(
            "problem",
            f"Tellsign runs at {running.address} without a model: {model['message']}",
            f"Use another one: `tellsign serve --model {DEFAULT_MODEL}`.",
        )
    what = f"Tellsign {running.version} runs at {running.address}"
    if running.version != __version__:
        todo = "Stop it, and start it again with `tellsign serve`."
        return Finding("warning", f"{what}, but {__version__} is installed.", todo)
    if paused.get("paused"):
        return Finding("warning", f"{what}, but is paused: it checks nothing on pages.", RESUME)
    return Finding("ok", f"{what}.")


def check_port() -> Finding:
    """The extension looks for Tellsign on these ports only."""
    from tellsign.server import local

    ports = range(DEFAULT_PORT, DEFAULT_PORT + PORT_COUNT)
    running = local.find(state_dir())
    own = running.port if running else 0
    if own and own not in ports:
        return Finding(
            "warning",
            f"Tellsign runs on port {own}, where no browser looks for it.",
            f"Start it without --port, or type {HOST}:{own} in the extension's settings.",
        )
    free = [port for port in ports if port == own or _is_free(port)]
    if not free:
        what = f"All ports from {ports[0]} to {ports[-1]} are taken by other programs."
        return Finding(
            "problem", what, f"End one of them; `{_who_listens(DEFAULT_PORT)}` names it."
        )
    if free[0] != DEFAULT_PORT:
        return Finding(
            "warning",
            f"Port {DEFAULT_PORT} is taken by another program; Tellsign takes {own or free[0]}.",
            f"Nothing has to be done. `{_who_listens(DEFAULT_PORT)}` names the program.",
        )
    return Finding("ok", f"Port {own or DEFAULT_PORT} is {'Tellsign’s' if own else 'free'}.")


def _is_free(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def _who_listens(port: int) -> str:
    commands = {
        "win32": f"netstat -ano | findstr :{port}",
        "darwin": f"lsof -nP -iTCP:{port} -sTCP:LISTEN",
    }
    return commands.get(sys.platform, f"ss -ltnp sport = :{port}")


def check_permissions() -> Finding:
    """Whoever reads the files of the state folder can use the daemon."""
    folder = state_dir()
    if not folder.exists():
        return Finding("ok", f"There is no {folder} yet; it will be for your eyes only.")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        todo = f"Make it yours: `sudo chown -R $USER '{folder}'`."
        return Finding("problem", f"{folder} can't be written to.", todo)
    if sys.platform == "win32":
        return Finding("ok", f"{folder} is inside your profile.")
    paths = [folder, *sorted(folder.glob("*.json"))]
    for path in paths:
        if path.stat().st_mode & 0o077:
            mode = "700" if path == folder else "600"
            todo = f"`chmod {mode} '{path}'`, and pair again what you don't trust any more."
            return Finding("problem", f"Other users of this machine can reach {path}.", todo)
    return Finding("ok", f"{folder} is for your eyes only.")


def check_models() -> Finding:
    """Every byte is read: a digest that was right when the daemon started may not be any more."""
    from tellsign.models.registry import entries, installed

    found = entries()
    for entry in found:
        if entry.problem:
            again = "Install Tellsign again." if entry.bundled else _install_again(entry.path)
            return Finding("problem", entry.problem, again)
    known = {entry.path for entry in found}
    for path in sorted(installed().glob("[!.]*")):
        if path not in known:
            return Finding("problem", f"{path} is no model.", _install_again(path))
    if not found:
        return Finding("problem", "There is no model.", "Install Tellsign again.")
    names = ", ".join(entry.id for entry in found)
    return Finding("ok", f"Every file is as its digest says: {names}.")


def _install_again(path: Path) -> str:
    return f"Delete {path}, and install it again with `tellsign models install`."


def check_engine() -> Finding:
    """On the CPU: OpenVINO, on a graph that does what torch does, or torch alone."""
    import torch

    from tellsign.engines.cpu import Unfit, opened
    from tellsign.engines.graphs import Graphs
    from tellsign.engines.openvino import library
    from tellsign.models.folder import ModelFolder
    from tellsign.models.registry import folder

    slow = f"On the CPU torch {torch.__version__} is used, which is slower:"
    try:
        version = library().__version__.split("-")[0]
    except ImportError as error:
        todo = "`pip install --force-reinstall openvino`."
        return Finding("warning", f"{slow} OpenVINO can't be used ({error}).", todo)
    model = ModelFolder(folder(DEFAULT_MODEL))
    entry = Graphs(model).get()
    if entry is None:
        what = f"OpenVINO {version} is there; {model.id} is converted after the first pictures."
        return Finding("ok", what)
    try:
        opened(entry, model)
    except Unfit as why:
        todo = f"Delete {Graphs(model).path} to have it tried again."
        return Finding("warning", f"{slow} {why}.", todo)
    return Finding("ok", f"OpenVINO {version} runs {model.id} and gives what torch gives.")


def check_gpu() -> Finding:
    from tellsign.engines import has_gpu_driver

    if not has_gpu_driver():
        return Finding("ok", "There is no GPU that torch could use; the CPU is used.")
    import torch

    from tellsign.engines.torch import choose_device

    device = choose_device()
    if device.type == "cpu":
        build = torch.version.cuda or torch.version.hip
        return Finding(
            "warning",
            f"There is a GPU driver, but torch {torch.__version__} finds no GPU.",
            "Look whether `nvidia-smi` finds one; if it does, the driver may be too old for torch."
            if build
            else "Install a torch that knows your GPU: https://pytorch.org/get-started/locally/.",
        )
    torch.ones(8, device=device).sum().item()
    name = torch.cuda.get_device_name() if device.type == "cuda" else "Apple's GPU"
    return Finding("ok", f"{name} is used, by torch's {device.type}.")


def check_tray() -> Finding:
    from tellsign.desktop import TRAY_NEEDS, TrayError, tray_library, wait_for_tray

    todo = "Nothing has to be done: all else works without it."
    try:
        library = tray_library()
        wait_for_tray(library, 0)
    except TrayError as error:
        return Finding("warning", str(error), todo)
    if not library.Icon.HAS_MENU:
        return Finding("warning", TRAY_NEEDS, todo)
    return Finding("ok", "This desktop shows tray icons.")


def check_autostart() -> Finding:
    from tellsign import autostart
    from tellsign.autostart import AutostartError

    on = False
    try:
        system = autostart.current()
        on = system.is_on()
        system.check(autostart.this_program())
    except AutostartError as error:
        todo = "Until then, start it with `tellsign serve`."
        return Finding("problem" if on else "warning", str(error), todo)
    return Finding("ok", f"Tellsign {'starts' if on else 'does not start'} at login.")


def check_browser() -> Finding:
    from tellsign.demo.browsers import BrowserError, find

    try:
        found = find()
    except BrowserError:
        todo = "Install Chromium or Firefox."
        return Finding("warning", "No browser was found that could use Tellsign.", todo)
    return Finding("ok", f"{found.path} is there.")


def check_pairing() -> Finding:
    from tellsign.files import read_private

    try:
        content = read_private(state_dir() / "clients.json") or {"clients": []}
        names = [str(client["name"]) for client in content["clients"]]
    except (OSError, ValueError, KeyError, TypeError):
        what = f"{state_dir() / 'clients.json'} can't be read."
        return Finding("problem", what, "Start Tellsign again, and pair your browsers again.")
    if not names:
        return Finding("warning", "No browser is paired yet.", "Run `tellsign pair`.")
    return Finding("ok", f"Paired: {', '.join(dict.fromkeys(names))}.")


def check_disk() -> Finding:
    folder = cache_dir()
    place = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(place).free
    what = f"{free / 2**20:,.0f} MB are free for {folder}."
    todo = "Make room on that disk, or name a folder on another one by TELLSIGN_CACHE."
    if free < LEAST:
        return Finding("problem", f"Only {what}", todo)
    return Finding("warning", f"Only {what}", todo) if free < SPARE else Finding("ok", what)


CHECKS: dict[str, Callable[[], Finding]] = {
    "daemon": check_daemon,
    "port": check_port,
    "permissions": check_permissions,
    "models": check_models,
    "engine": check_engine,
    "gpu": check_gpu,
    "tray": check_tray,
    "autostart": check_autostart,
    "browser": check_browser,
    "pairing": check_pairing,
    "disk": check_disk,
}
