"""`tellsign doctor`, with one thing after the other made wrong for real."""

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tellsign import doctor
from tellsign.cli import app
from tellsign.doctor import Finding
from tellsign.engines import has_gpu_driver
from tellsign.engines.graphs import Graphs
from tellsign.models import ModelFolder, folder
from tellsign.server import local
from tellsign.server.local import Running
from tellsign.server.pairing import Clients
from tellsign.settings import DEFAULT_MODEL
from tests.model_folders import make
from tests.server.test_app import Process

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no modes on Windows")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("state", "cache", "data"):
        monkeypatch.setenv(f"TELLSIGN_{name.upper()}", str(tmp_path / name))
    return tmp_path


@pytest.fixture
def daemon(home: Path) -> Iterator[Process]:
    process = Process(home / "state")
    yield process
    process.process.kill()
    process.process.communicate()


def test_daemon_and_port(daemon: Process) -> None:
    running = daemon.running
    assert doctor.check_daemon().level == "ok"
    away = doctor.check_port()
    assert away.level == "warning"
    assert f"type 127.0.0.1:{running.port}" in away.todo
    running.call("PUT", "/v1/pause", {"paused": True})
    assert "but is paused" in doctor.check_daemon().what
    running.call("PUT", "/v1/pause", {"paused": False})
    local.write(daemon.folder, Running(**{**running.__dict__, "version": "0.0"}))
    assert "Tellsign 0.0 runs" in doctor.check_daemon().what
    daemon.process.kill()
    daemon.process.wait()
    assert doctor.check_daemon() == Finding(
        "problem", "Tellsign is not running.", "Start it with `tellsign serve`."
    )


def test_daemon_without_a_model(home: Path) -> None:
    process = Process(home / "state", "--model", "nope")
    try:
        process.running.call("POST", "/v1/check")  # is answered when the model has failed
        found = doctor.check_daemon()
    finally:
        process.process.kill()
        process.process.communicate()
    assert found.level == "problem"
    assert "no model 'nope'" in found.what


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[socket.socket]]:
    """Two free ports in a row, listened on, in the place of Tellsign's ten."""
    with ExitStack() as stack:
        while True:
            first = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = first.getsockname()[1]
            try:
                second = stack.enter_context(socket.create_server(("127.0.0.1", port + 1)))
            except (OSError, OverflowError):
                continue
            break
        monkeypatch.setattr(doctor, "DEFAULT_PORT", port)
        monkeypatch.setattr(doctor, "PORT_COUNT", 2)
        yield [first, second]


def test_taken_ports(ports: list[socket.socket]) -> None:
    first, second = (one.getsockname()[1] for one in ports)
    assert doctor.check_port().level == "problem"
    ports[1].close()
    found = doctor.check_port()
    assert found.level == "warning"
    assert f"Port {first} is taken by another program; Tellsign takes {second}." == found.what
    ports[0].close()
    assert doctor.check_port() == Finding("ok", f"Port {first} is free.")


@posix
@pytest.mark.parametrize(
    ("path", "mode"), [("state", 0o755), ("state/daemon.json", 0o644), ("state", 0o500)]
)
def test_permissions(home: Path, path: str, mode: int) -> None:
    assert doctor.check_permissions().level == "ok"
    (home / "state").mkdir(mode=0o700)
    (home / "state/daemon.json").touch(0o600)
    assert doctor.check_permissions().level == "ok"
    (home / path).chmod(mode)
    if mode == 0o500 and os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    found = doctor.check_permissions()
    assert found.level == "problem"
    assert str(home / path) in found.what
    assert "chmod" in found.todo or "chown" in found.todo


@pytest.mark.parametrize("file", ["model.safetensors", "README.md", "config.json"])
@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"{}")])
def test_damaged_model(home: Path, file: str, spoil: Callable[[Path], object]) -> None:
    copy = make(home / "data/models/copy", "copy")
    assert doctor.check_models().level == "ok"
    spoil(copy / file)
    found = doctor.check_models()
    assert found.level == "problem"
    assert "copy" in found.what
    assert str(copy) in found.todo


def test_engine(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is converted after the first pictures" in doctor.check_engine().what
    graphs = Graphs(ModelFolder(folder(DEFAULT_MODEL)))
    graphs.refuse("its logits are off by 3")
    found = doctor.check_engine()
    assert found.level == "warning"
    assert "its logits are off by 3" in found.what
    assert str(home / "cache") in found.todo


@pytest.mark.skipif(has_gpu_driver(), reason="there is a GPU")
def test_gpu_is_not_missed() -> None:
    assert doctor.check_gpu().level == "ok"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a device file that is no GPU")
def test_driver_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellsign.engines.has_gpu_driver", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = doctor.check_gpu()
    assert found.level == "warning"
    assert "finds no GPU" in found.what


def test_no_tray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    found = doctor.check_tray()
    assert found.level == "warning"
    assert "there is no display" in found.what


@pytest.mark.skipif(sys.platform != "linux", reason="looks in other places too elsewhere")
def test_no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert doctor.check_browser().level == "warning"


def test_pairing(home: Path) -> None:
    assert "tellsign pair" in doctor.check_pairing().todo
    Clients(home / "state").add("Firefox")
    assert doctor.check_pairing() == Finding("ok", "Paired: Firefox.")
    (home / "state/clients.json").write_text("[]")
    assert doctor.check_pairing().level == "problem"
    assert (home / "state/clients.json").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, where no byte is free")
def test_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLSIGN_CACHE", "/proc/none/here")
    assert doctor.check_disk().level == "problem"


def test_command(home: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", "--json"])
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["name"] for one in found] == list(doctor.CHECKS)
    assert all(one["what"].endswith(".") for one in found)
    assert all(one["todo"] for one in found if one["level"] != "ok")
    assert result.exit_code == 1  # because nothing runs
    shown = CliRunner().invoke(app, ["doctor"]).stdout
    for one in found:
        assert one["what"] in shown
        assert one["todo"] in shown


def test_a_check_that_breaks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks() -> Finding:
        raise RuntimeError("boom")

    monkeypatch.setattr(doctor, "CHECKS", {"odd": breaks})
    [(_, found)] = doctor.examine()
    assert found.level == "problem"
    assert "boom" in found.what
