"""The life of the daemon as a process: start, ports, signals, state file, and what is left."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tellsign.server import app, local
from tellsign.server.app import StartError, listen
from tellsign.server.local import Running

from .conftest import picture

COMMAND = [sys.executable, "-m", "tellsign"]


class Process:
    """`tellsign serve` with a state directory of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0", "--device", "cpu", *options],
            env={**os.environ, "TELLSIGN_STATE": str(folder), "TELLSIGN_VERDICTS": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.greeting = self.process.stdout.readline()

    @property
    def running(self) -> Running:
        found = local.find(self.folder)
        assert found
        return found

    def until_ready(self) -> None:
        while self.running.call("GET", "/v1/health")[1]["state"] != "ready":
            time.sleep(0.1)
            assert self.process.poll() is None

    def stop(self, number: int) -> tuple[int, str]:
        """Exit status and log."""
        self.process.send_signal(number)
        _, log = self.process.communicate(timeout=60)
        return self.process.returncode, log


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    processes: list[Process] = []

    def start(*options: str) -> Process:
        processes.append(Process(tmp_path / "state", *options))
        return processes[-1]

    yield start
    for one in processes:
        one.process.kill()
        one.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_lets_running_work_finish(start: Callable[..., Process], number: int) -> None:
    """A request whose body is on its way when the signal comes still gets its verdict."""
    daemon = start()
    running = daemon.running
    daemon.until_ready()
    assert running.address in daemon.greeting
    assert (daemon.folder / "daemon.json").stat().st_mode & 0o777 == 0o600
    token = running.call("POST", "/v1/clients", {"name": "test"})[1]["token"]
    data = picture(1)
    with socket.create_connection(("127.0.0.1", running.port), timeout=60) as connection:
        head = (
            f"POST /v1/check HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: {len(data)}\r\n"
            "Expect: 100-continue\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        daemon.process.send_signal(number)
        wait_until_closed(running.port)
        connection.sendall(data)
        response = http.client.HTTPResponse(connection)
        response.begin()
        verdict = json.loads(response.read())
    assert response.status == 200
    assert verdict["model"]["id"] == "levit-128s"
    status, log = daemon.stop(number)  # once more: impatience changes nothing
    assert status == 0
    assert not (daemon.folder / "daemon.json").exists()
    assert "Traceback" not in log
    assert token not in log
    assert running.control not in log


def wait_until_closed(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=60).close()
        except OSError:
            return


def test_state_file_of_a_killed_daemon_is_stale(start: Callable[..., Process]) -> None:
    first = start()
    token = first.running.call("POST", "/v1/clients", {"name": "test"})[1]["token"]
    first.process.kill()
    first.process.wait()
    assert (first.folder / "daemon.json").exists()
    assert local.find(first.folder) is None
    second = start()
    connection = http.client.HTTPConnection("127.0.0.1", second.running.port, timeout=60)
    connection.request("GET", "/v1/model", headers={"Authorization": f"Bearer {token}"})
    assert connection.getresponse().status == 200
    connection.close()
    assert second.stop(signal.SIGTERM)[0] == 0


def test_second_daemon_is_refused(start: Callable[..., Process]) -> None:
    first = start()
    second = start()
    assert second.process.wait(60) == 1
    assert second.process.stderr
    assert first.running.address in second.process.stderr.read()
    assert first.running.pid == first.process.pid


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A taken port, which is the default one in this test."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = min(other.getsockname()[1], 65000)
        monkeypatch.setattr(app, "DEFAULT_PORT", port)
        yield port


def test_default_port_makes_way(taken: int) -> None:
    with listen("127.0.0.1", taken) as listener:
        address, port = listener.getsockname()
    assert address == "127.0.0.1"
    assert taken < port < taken + 10


def test_chosen_port_is_meant_exactly(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "DEFAULT_PORT", 1)
    with pytest.raises(StartError, match=f"Port {taken} is taken"):
        listen("127.0.0.1", taken)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.com", ""])
def test_loopback_only(host: str) -> None:
    with pytest.raises(StartError, match="this machine only"):
        listen(host, 0)


def test_another_daemons_port_in_a_stale_file(
    start: Callable[..., Process], tmp_path: Path
) -> None:
    """A killed daemon's port may belong to a daemon of another state directory by now."""
    other = start().running
    stale = Running(os.getpid(), other.host, other.port, other.version, 0, "its own token")
    local.write(tmp_path / "mine", stale)
    assert local.find(tmp_path / "mine") is None
    local.remove(tmp_path / "mine", other)
    assert (tmp_path / "mine" / "daemon.json").exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": 1}', "\x00"])
def test_odd_state_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "daemon.json").write_text(content)
    assert local.find(tmp_path) is None


def test_stop_while_the_model_loads(start: Callable[..., Process]) -> None:
    status, log = start().stop(signal.SIGTERM)
    assert status == 0
    assert "Traceback" not in log


def test_unknown_model_is_told(start: Callable[..., Process]) -> None:
    daemon = start("--model", "nope")
    status, answer = daemon.running.call("POST", "/v1/check")
    assert (status, answer["error"]["code"]) == (503, "model_failed")
    assert "nope" in answer["error"]["message"]
    assert daemon.stop(signal.SIGTERM)[0] == 0
