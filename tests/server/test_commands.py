"""`tellsign pair` and `tellsign token`, against a real daemon and without one."""

import re
import signal
import subprocess
from collections.abc import Iterator
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


def test_pair(daemon: Process) -> None:
    with subprocess.Popen(
        [*COMMAND, "pair", "--no-browser"], stdout=subprocess.PIPE, text=True
    ) as pair:
        assert pair.stdout
        lines = iter(pair.stdout.readline, "")
        shown = next(line for line in lines if re.search(r"\d{3} \d{3}", line))
        [code] = re.findall(r"\d{3} \d{3}", shown)
        page = next(line for line in lines if "/pair#" in line)
        assert page.strip() == f"{daemon.running.address}/pair#{code.replace(' ', '')}"
        body = {"code": code.replace(" ", ""), "name": "Firefox [bold]"}
        assert daemon.running.call("POST", "/v1/pair", body)[0] == 200
        assert "Paired: Firefox [bold]." in pair.stdout.read()
    assert pair.returncode == 0


def test_pair_that_fails(daemon: Process) -> None:
    with subprocess.Popen(
        [*COMMAND, "pair", "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as pair:
        assert pair.stdout
        assert pair.stderr
        next(line for line in iter(pair.stdout.readline, "") if "/pair#" in line)
        for _ in range(5):
            daemon.running.call("POST", "/v1/pair", {"code": "wrong", "name": "x"})
        assert "no longer valid" in pair.stderr.read()
    assert pair.returncode == 1


def test_interrupted_pair_ends_cleanly(daemon: Process) -> None:
    with subprocess.Popen(
        [*COMMAND, "pair", "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as pair:
        assert pair.stdout
        assert pair.stderr
        next(line for line in iter(pair.stdout.readline, "") if "/pair#" in line)
        pair.send_signal(signal.SIGINT)
        assert pair.stderr.read() == "Stopped waiting.\n"
    assert pair.returncode == 130


def test_token_from_the_daemon(daemon: Process) -> None:
    result = CliRunner().invoke(app, ["token", "cron"])
    assert result.exit_code == 0
    found = Clients(daemon.folder).find(result.stdout.strip())
    assert found
    assert found.name == "cron"


def test_without_a_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLSIGN_STATE", str(tmp_path))
    assert local.find(tmp_path) is None
    result = CliRunner().invoke(app, ["pair"])
    assert result.exit_code == 1
    assert "Tellsign is not running. Start it with `tellsign serve`." in result.output
    result = CliRunner().invoke(app, ["token", "cron"])
    assert result.exit_code == 0
    assert Clients(tmp_path).find(result.stdout.strip())


def test_serve_listens_on_loopback_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLSIGN_STATE", str(tmp_path))
    result = CliRunner().invoke(app, ["serve", "--host", "0.0.0.0"])
    assert result.exit_code == 1
    assert "this machine only" in result.output
