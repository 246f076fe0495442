"""The unit and the desktop's entry, read and run by systemd and by GLib themselves."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tellsign import doctor
from tellsign.autostart import Start, systemd
from tellsign.cli import app
from tellsign.doctor import Finding
from tellsign.server import local
from tests.conftest import until
from tests.server.conftest import picture

MANAGER = Path("/lib/systemd/systemd")
# What systemd, as the machine's init, has there for a user's manager; in a mount namespace, because
# /run/systemd/system tells every program that systemd is the init.
START_MANAGER = """
mount --make-rprivate / && mkdir -p /run/systemd && mount -t tmpfs none /run/systemd || exit 1
mkdir -p /run/systemd/system /run/systemd/inaccessible/dir
touch /run/systemd/inaccessible/reg
exec "$0" --user
"""

needs_manager = pytest.mark.skipif(
    not (sys.platform == "linux" and os.geteuid() == 0 and MANAGER.exists()),
    reason="starting a user manager of systemd needs root and systemd",
)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An odd place outside /tmp, of which the unit has its own."""
    with tempfile.TemporaryDirectory(prefix='tellsign t%h$HOME "q" ', dir=Path.home()) as name:
        folder = Path(name)
        for one in ("state", "cache", "data"):
            monkeypatch.setenv(f"TELLSIGN_{one.upper()}", str(folder / one))
        monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        yield folder


@pytest.fixture
def manager(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A real user manager of systemd with a configuration of its own."""
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    silent = subprocess.DEVNULL
    start = ["unshare", "--mount", "--cgroup", "sh", "-c", START_MANAGER, str(MANAGER)]
    process = subprocess.Popen(start, stdout=silent, stderr=silent)
    try:
        if until(lambda: systemctl("show", "-p", "Version") or process.poll()) == 1:
            pytest.skip("systemd's user manager does not start here")
        yield
    finally:
        systemctl("exit")
        process.wait(60)


def systemctl(*arguments: str) -> str:
    done = subprocess.run(["systemctl", "--user", *arguments], capture_output=True, text=True)
    return done.stdout.strip()


outside_tmp = pytest.mark.skipif(
    Path(__file__).parts[1] == "tmp" or sys.executable.startswith(("/tmp/", "/var/tmp/")),
    reason="a unit has a /tmp of its own, where this program is not",
)


def tellsign(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()}


@needs_manager
@outside_tmp
def test_on_status_off(home: Path, manager: None) -> None:
    assert tellsign("autostart", "status")[0] == 3
    for _ in range(2):
        assert tellsign("autostart", "on")[0] == 0
        assert files(home / "config") == {"tellsign.service", "tellsign-tray.desktop"}
        assert systemctl("is-enabled", "tellsign") == "enabled"
        assert tellsign("autostart", "status")[0] == 0
    (home / "config/autostart/other.desktop").touch()
    for _ in range(2):
        assert tellsign("autostart", "off")[0] == 0
        assert files(home / "config") == {"other.desktop"}
        assert tellsign("autostart", "status")[0] == 3


@needs_manager
@outside_tmp
def test_a_foreign_unit_stays(home: Path, manager: None) -> None:
    unit = home / "config/systemd/user/tellsign.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\nExecStart=/bin/true\n")
    for word in ("on", "off"):
        status, output = tellsign("autostart", word)
        assert status == 1
        assert "not Tellsign's own" in output
    assert files(home / "config") == {"tellsign.service"}


@needs_manager
@outside_tmp
def test_the_daemon_works_in_its_unit(home: Path, manager: None) -> None:
    """Loopback, its files and OpenVINO's conversion are there, the rest of the disk is not."""
    tellsign("autostart", "on")
    systemctl("start", "tellsign")
    running = until(lambda: local.find(home / "state"))
    assert systemctl("show", "-p", "MainPID", "--value", "tellsign") == str(running.pid)
    token = tellsign("token", "test")[1].strip()
    seeds = iter(range(100))

    def converted() -> Path | None:
        check(running.address, token, picture(next(seeds), 900, 900))
        return next((home / "cache").glob("graphs/[!.]*/entry.json"), None)

    assert json.loads(until(converted).read_text())["refused"] == ""
    inside = ["nsenter", "-t", str(running.pid), "-m", "touch"]
    for path in (Path("/etc/tellsign-test"), home / "here", Path("/usr/tellsign-test")):
        done = subprocess.run([*inside, path], capture_output=True, text=True)
        assert "Read-only file system" in done.stderr
        assert not path.exists()
    status = Path(f"/proc/{running.pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    systemctl("stop", "tellsign")
    assert not (home / "state/daemon.json").exists()


def check(address: str, token: str, data: bytes) -> None:
    import urllib.request

    headers = {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"{address}/v1/check", data, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        assert answer.status == 200


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd")
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    """It would pass over what it does not, with a warning."""
    unit = tmp_path / "tellsign.service"
    unit.write_text(systemd.unit(Start([sys.executable, "-m", "tellsign"], {}, [tmp_path])))
    command = ["systemd-analyze", "--user", "--man=no", "verify", unit]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    about_it = [line for line in done.stderr.splitlines() if "tellsign" in line]
    assert (done.returncode, about_it) == (0, [])


@pytest.mark.skipif(not shutil.which("gio"), reason="there is no gio, GLib's launcher")
def test_the_desktop_starts_what_was_meant(tmp_path: Path) -> None:
    program = tmp_path / "a b%f$HOME`id`\\\"q\" 'x'" / "program"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$0" "$TELLSIGN_STATE" "$@" >"$OUT.part"\n')
    with program.open("a") as file:
        file.write('mv "$OUT.part" "$OUT"\n')
    program.chmod(0o755)
    odd = '/s p/%u/$HOME/"q"/\\'
    entry = tmp_path / "tray.desktop"
    entry.write_text(systemd.desktop(Start([str(program), "-m"], {"TELLSIGN_STATE": odd}, [])))
    out = tmp_path / "out"
    subprocess.run(["gio", "launch", entry], check=True, env={**os.environ, "OUT": str(out)})
    until(out.exists)
    assert out.read_text().splitlines() == [str(program), odd, "-m", "tray"]


@pytest.mark.parametrize("hidden", ["program", "link to the program", "code", "state"])
@pytest.mark.parametrize("own", ["/tmp", "/var/tmp"])
def test_what_a_unit_does_not_see_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, hidden: str, own: str
) -> None:
    """Before anything is written; off works all the same."""
    place = Path(own, "tellsign test")
    link = home / "link"
    link.symlink_to(place)
    if hidden == "program":
        monkeypatch.setattr(sys, "prefix", str(place))
    elif hidden == "link to the program":
        monkeypatch.setattr(sys, "prefix", str(link))
    elif hidden == "code":
        monkeypatch.setattr("tellsign.autostart.__file__", str(place / "tellsign/autostart/x.py"))
    else:
        monkeypatch.setenv("TELLSIGN_STATE", str(place / "state"))
    status, output = tellsign("autostart", "on")
    assert status == 1
    assert f"does not see {link if hidden.startswith('link') else place}" in output
    assert ("TELLSIGN_STATE" if hidden == "state" else "in your home folder") in output
    assert not (home / "config").exists()
    found = doctor.check_autostart()
    assert (found.level, found.what) == ("warning", output.strip())
    assert tellsign("autostart", "off")[0] == 0


@outside_tmp
def test_the_doctor_says_whether_it_is_on(home: Path) -> None:
    assert doctor.check_autostart() == Finding("ok", "Tellsign does not start at login.")


@outside_tmp
def test_without_a_user_manager(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    status, output = tellsign("autostart", "on")
    assert status == 1
    assert "systemd's user manager can't be used here" in output
    assert "tellsign serve" in output
    assert not (home / "config").exists()
    assert tellsign("autostart", "off")[0] == 0
    assert tellsign("autostart", "status")[0] == 3
