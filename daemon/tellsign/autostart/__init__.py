"""Starting at login, in the way of the system that this is; one file a system."""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from tellsign.autostart.entry import AutostartError, Start
from tellsign.settings import cache_dir, data_dir, state_dir, verdicts_file

__all__ = ["AutostartError", "Start", "System", "current", "this_program"]

SYSTEMS = {"linux": "systemd", "darwin": "launchd", "win32": "windows"}
"""By `sys.platform`."""
CARRIED = [f"TELLSIGN_{name}" for name in ("STATE", "CACHE", "DATA", "VERDICTS", "PRECISION")]
"""What a shell may have set and a login does not."""


class System(Protocol):
    """What the module of a system offers. It touches only what it has made itself."""

    HOW: str

    def check(self, start: Start) -> None:
        """Raises: AutostartError if it could not be started from where it lies."""

    def turn_on(self, start: Start) -> None:
        """From the next login on; once more changes nothing. Raises: AutostartError."""

    def turn_off(self) -> None:
        """What runs already goes on. Raises: AutostartError."""

    def is_on(self) -> bool: ...


def current() -> System:
    """Raises: AutostartError on a system that is not known."""
    if sys.platform not in SYSTEMS:
        raise AutostartError(f"Tellsign does not know how to start at login on {sys.platform}.")
    return cast("System", import_module(f"tellsign.autostart.{SYSTEMS[sys.platform]}"))


def this_program() -> Start:
    """The program that runs now, with the folders that it uses now."""
    folders = [state_dir(), cache_dir(), data_dir()]
    verdicts = verdicts_file()
    if verdicts and verdicts.parent not in folders:
        folders.append(verdicts.parent)
    return Start(
        program=[os.path.abspath(sys.executable), "-m", "tellsign"],
        # An empty TELLSIGN_VERDICTS has a meaning.
        environment={name: os.environ[name] for name in CARRIED if name in os.environ},
        folders=[folder.absolute() for folder in folders],
        # Of an editable install, the code is not where the interpreter is.
        lies_in=[Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parents[1]],
    )
