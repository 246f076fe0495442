"""`tellsign pair` and `tellsign token`, against a real daemon and without one."""

import logging
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tellsign.cli import app
from tellsign.server import local
from tellsign.server.pairing import Clients

from .test_app import COMMAND, Process


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = Process(tmp_path_factory.mktemp("state"))
    yield process
    process.stop(signal.SIGTERM)


@pytest.fixture
def daemon(serving: Process, monkeypatch: pytest.MonkeyPatch) -> Process:
    monkeypatch.setenv("TELLSIGN_STATE", str(serving.folder))
    return serving


@contextmanager
def pairing() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running `tellsign pair` and what it has printed, up to the address of its page."""
    command = [*COMMAND, "pair", "--no-browser"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        shown = ""
        while "/pair#" not in shown:
            line = process.stdout.readline()
            assert line, shown
            shown += line
        yield process, shown


def test_pair(daemon: Process) -> None:
    with pairing() as (pair, shown):
        [code] = re.findall(r"\d{3} \d{3}", shown)
        assert f"{daemon.running.address}/pair#{code.replace(' ', '')}\n" in shown
        body = {"code": code.replace(" ", ""), "name": "Firefox [bold]"}
        assert daemon.running.call("POST", "/v1/pair", body)[0] == 200
        assert pair.stdout
        assert "Paired: Firefox [bold]." in pair.stdout.read()
    assert pair.returncode == 0


def test_pair_that_fails(daemon: Process) -> None:
    with pairing() as (pair, _):
        for _ in range(5):
            daemon.running.call("POST", "/v1/pair", {"code": "wrong", "name": "x"})
        assert pair.stderr
        assert "no longer valid" in pair.stderr.read()
    assert pair.returncode == 1


def test_interrupted_pair_ends_cleanly(daemon: Process) -> None:
    with pairing() as (pair, _):
        pair.send_signal(signal.SIGINT)
        assert pair.stderr
        assert pair.stderr.read() == "Stopped waiting.\n"
    assert pair.returncode == 130


def test_open(daemon: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shown without a display, opened with one, and each address good for one opening."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    shown = CliRunner().invoke(app, ["open"])
    assert shown.exit_code == 0
    opened: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    assert "has opened in your browser" in CliRunner().invoke(app, ["open"]).output
    only_shown = CliRunner().invoke(app, ["open", "--no-browser"])
    urls = [shown.output.split()[-1], *opened, only_shown.output.split()[-1]]
    assert len(opened) == 1
    assert len(set(urls)) == 3
    for url in urls:
        address, _, code = url.partition("/check#")
        assert address == daemon.running.address
        assert daemon.running.call("POST", "/v1/page", {"code": code})[0] == 200
        assert daemon.running.call("POST", "/v1/page", {"code": code})[0] == 410


def test_token_from_the_daemon(daemon: Process) -> None:
    result = CliRunner().invoke(app, ["token", "cron"])
    assert result.exit_code == 0
    found = Clients(daemon.folder).find(result.stdout.strip())
    assert found
    assert found.name == "cron"


def test_without_a_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLSIGN_STATE", str(tmp_path))
    assert local.find(tmp_path) is None
    for name in ("pair", "open"):
        result = CliRunner().invoke(app, [name])
        assert result.exit_code == 1
        assert "Tellsign is not running. Start it with `tellsign serve`." in result.output
    result = CliRunner().invoke(app, ["token", "cron"])
    assert result.exit_code == 0
    assert Clients(tmp_path).find(result.stdout.strip())


def test_serve_listens_on_loopback_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLSIGN_STATE", str(tmp_path))
    monkeypatch.setattr(logging.root, "handlers", [])  # the log goes to a stream of this call
    result = CliRunner().invoke(app, ["serve", "--host", "0.0.0.0"])
    assert result.exit_code == 1
    assert "this machine only" in result.output
