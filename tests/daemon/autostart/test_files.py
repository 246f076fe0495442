"""What each system is told, beside golden files, and who may change it. Paths are odd on purpose.

`python -m tests.daemon.autostart.test_files` writes the golden files anew: look at the difference.
"""

import plistlib
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tellsign.autostart import AutostartError, Start, launchd, systemd, windows

GOLDEN = Path(__file__).parent / "golden"
PLAIN = Start(
    program=["/usr/bin/python3", "-m", "tellsign"],
    environment={},
    folders=[Path("/home/me/.local/state/tellsign")],
)
ODD = Start(
    program=['/home/mé/a b/100%/$HOME/`id`/back\\slash/"q"/it\'s/<&>/python', "-m", "tellsign"],
    environment={"TELLSIGN_STATE": '/s p/%h/$HOME/"q"/\\/line\nbreak'},
    folders=[Path('/s p/%h/$HOME/"q"/\\')],
)
WINDOWS = Start([r"C:\Users\Zoë K\venv\Scripts\python.exe", "-m", "tellsign"], {}, [])
LOG = Path("/Users/me/Library/Logs/tellsign.log")

FILES: dict[str, Callable[[], str]] = {
    "plain.service": lambda: systemd.unit(PLAIN),
    "odd.service": lambda: systemd.unit(ODD),
    "plain.desktop": lambda: systemd.desktop(PLAIN),
    "odd.desktop": lambda: systemd.desktop(ODD),
    "plain.plist": lambda: launchd.plist(PLAIN, LOG),
    "odd.plist": lambda: launchd.plist(ODD, LOG),
    "windows.txt": lambda: windows.command(WINDOWS) + "\n",
}


@pytest.mark.parametrize("name", FILES)
def test_golden(name: str) -> None:
    assert FILES[name]() == (GOLDEN / name).read_text("utf-8")


def test_launchd_reads_what_was_meant() -> None:
    agent = plistlib.loads(launchd.plist(ODD, LOG).encode())
    assert agent["ProgramArguments"] == [*ODD.program, "serve", "--tray"]
    assert agent["EnvironmentVariables"] == ODD.environment


def test_launchd_on_and_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    launchd.turn_off()
    assert not launchd.is_on()
    launchd.turn_on(ODD)
    launchd.turn_on(PLAIN)
    assert launchd.is_on()
    [file] = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert plistlib.loads(file.read_bytes())["ProgramArguments"][0] == PLAIN.program[0]
    launchd.turn_off()
    assert not file.exists()
    file.write_text("somebody's own")
    assert not launchd.is_on()
    with pytest.raises(AutostartError, match="not Tellsign's own"):
        launchd.turn_on(PLAIN)
    with pytest.raises(AutostartError, match="not Tellsign's own"):
        launchd.turn_off()
    assert file.read_text() == "somebody's own"


def test_windows_starts_nothing_so_long() -> None:
    with pytest.raises(AutostartError, match="as long"):
        windows.command(Start(["C:\\" + "x" * 300 + "\\python.exe"], {}, []))


def test_windows_on_and_off(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"OneDrive": "somebody else's"}
    monkeypatch.setitem(sys.modules, "winreg", registry(values))
    windows.turn_off()
    assert not windows.is_on()
    windows.turn_on(WINDOWS)
    windows.turn_on(WINDOWS)
    assert windows.is_on()
    assert values["Tellsign"].startswith(r'"C:\Users\Zoë K\venv\Scripts\pythonw.exe" -m tellsign')
    windows.turn_off()
    assert values == {"OneDrive": "somebody else's"}


def registry(values: dict[str, str]) -> Any:
    """One key of a Windows registry; `winreg` as far as it is used."""

    @contextmanager
    def key(_: object, path: str) -> Any:
        assert path == r"Software\Microsoft\Windows\CurrentVersion\Run"
        yield values

    def found(key: dict[str, str], name: str) -> str:
        if name not in key:
            raise FileNotFoundError(name)
        return key[name]

    return SimpleNamespace(
        HKEY_CURRENT_USER=1,
        REG_SZ=1,
        CreateKey=key,
        SetValueEx=lambda key, name, _, kind, value: key.__setitem__(name, value),
        DeleteValue=lambda key, name: (found(key, name), key.pop(name)),
        QueryValueEx=lambda key, name: (found(key, name), 1),
    )


def write() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for name, make in FILES.items():
        (GOLDEN / name).write_text(make(), "utf-8")


if __name__ == "__main__":
    write()
