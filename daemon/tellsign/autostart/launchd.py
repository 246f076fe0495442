"""macOS: a launch agent for the daemon and its icon in the menu bar."""

import plistlib
from pathlib import Path

from tellsign.autostart import entry
from tellsign.autostart.entry import Start

HOW = "launchd starts the daemon with its icon in the menu bar"
LABEL = "org.tellsign.daemon"


def plist(start: Start, log: Path) -> str:
    agent = {
        "Label": LABEL,
        "ProgramArguments": [*start.program, "serve", "--tray"],
        "EnvironmentVariables": dict(start.environment),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 10,
        # The icon needs a session with a menu bar, which one over SSH is not.
        "LimitLoadToSessionType": "Aqua",
        "ProcessType": "Interactive",
        "StandardErrorPath": str(log),
        "Umask": 0o077,
    }
    return plistlib.dumps(agent).decode()


def check(start: Start) -> None:
    """launchd starts a program wherever it lies."""


def turn_on(start: Start) -> None:
    """launchd reads the folder at every login; nothing has to be told to it."""
    entry.write(_path(), plist(start, Path.home() / "Library/Logs/tellsign.log"), LABEL)


def turn_off() -> None:
    entry.remove(_path(), LABEL)


def is_on() -> bool:
    return entry.is_own(_path(), LABEL)


def _path() -> Path:
    return Path.home() / "Library/LaunchAgents" / f"{LABEL}.plist"
