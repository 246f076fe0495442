"""Windows: a value under the user's Run key for the daemon and its icon in the tray."""

import subprocess
from importlib import import_module
from pathlib import PureWindowsPath
from typing import Any

from tellsign.autostart.entry import AutostartError, Start

HOW = "Windows starts the daemon with its tray icon"
KEY = r"Software\Microsoft\Windows\CurrentVersion\Run"
VALUE = "Tellsign"
LONGEST = 260
"""Characters; what is longer is passed over at login, without a word."""


def command(start: Start) -> str:
    """By pythonw.exe, which opens no console window.

    Raises:
        AutostartError: it is too long.
    """
    python = PureWindowsPath(start.program[0])
    windowless = python.with_name(python.name.lower().replace("python.exe", "pythonw.exe"))
    line = subprocess.list2cmdline([str(windowless), *start.program[1:], "serve", "--tray"])
    if len(line) > LONGEST:
        raise AutostartError(f"Windows starts nothing whose path is as long as that of {python}.")
    return line


def check(start: Start) -> None:
    command(start)


def turn_on(start: Start) -> None:
    """Variables of the environment are Windows's own: `setx` sets them for every login."""
    with _key() as key:
        _registry().SetValueEx(key, VALUE, 0, _registry().REG_SZ, command(start))


def turn_off() -> None:
    try:
        with _key() as key:
            _registry().DeleteValue(key, VALUE)
    except FileNotFoundError:
        pass


def is_on() -> bool:
    try:
        with _key() as key:
            _registry().QueryValueEx(key, VALUE)
    except FileNotFoundError:
        return False
    return True


def _key() -> Any:
    return _registry().CreateKey(_registry().HKEY_CURRENT_USER, KEY)


def _registry() -> Any:
    return import_module("winreg")
