"""The running daemon as seen from the same user's command line: its state file and its calls."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tellsign.files import read_private, write_private

PATIENCE = 25.0
"""Seconds for an answer; the daemon itself keeps to 20, and a busy machine may need them."""


@dataclass(frozen=True)
class Running:
    """What `daemon.json` says while the daemon runs; `control` opens its doors to the CLI."""

    pid: int
    host: str
    port: int
    version: str
    started: int
    control: str

    @property
    def address(self) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON of a call. http.client, because it asks no proxy.

        Raises:
            OSError: nobody answers.
            ValueError: what answers is not Tellsign.
        """
        try:
            with self._answered(method, path, json.dumps(body) if body else None) as response:
                content = json.loads(response.read())
        except http.client.HTTPException as error:
            raise ValueError(str(error)) from None
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")
        return response.status, content

    def check_page(self) -> str:
        """An address of the check page that is good for one opening.

        Raises:
            OSError: nobody answers.
            ValueError: what answers is not this Tellsign.
        """
        status, answer = self.call("POST", "/v1/page/code")
        if status != 200:
            raise ValueError(f"status {status}")
        return f"{self.address}/check#{answer['code']}"

    def events(self, patience: float) -> Iterator[tuple[str, dict[str, Any]]]:
        """Names and data of the daemon's events, until it ends the stream.

        Raises:
            OSError: it has gone, or has been silent for so many seconds.
            ValueError, http.client.HTTPException: this is not Tellsign.
        """
        with self._answered("GET", "/v1/events", None, patience) as response:
            if response.status != 200:
                raise ValueError(f"status {response.status}")
            name = ""
            while line := response.readline():
                key, _, value = line.decode().rstrip("\n").partition(": ")
                if key == "event":
                    name = value
                elif key == "data":
                    yield name, json.loads(value)

    @contextmanager
    def _answered(
        self, method: str, path: str, body: str | None, patience: float = PATIENCE
    ) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=patience)
        try:
            headers = {"Authorization": f"Bearer {self.control}"}
            connection.request(method, path, body, headers)
            yield connection.getresponse()
        finally:
            connection.close()


def _path(folder: Path) -> Path:
    return folder / "daemon.json"


def write(folder: Path, running: Running) -> None:
    write_private(_path(folder), asdict(running))


def remove(folder: Path, running: Running) -> None:
    """Take the state file away, unless another daemon has written it meanwhile."""
    if _read(folder) == running:
        _path(folder).unlink(missing_ok=True)


def find(folder: Path) -> Running | None:
    """The daemon that runs on this state directory.

    A state file may be stale: its process killed, its number and even its port given to another.
    Only the daemon that wrote the file knows its control token, so that is what is asked.
    """
    running = _read(folder)
    if running is None:
        return None
    try:
        status, _ = running.call("GET", "/v1/pair/code")
    except (OSError, ValueError):
        return None
    return running if status == 200 else None


def _read(folder: Path) -> Running | None:
    try:
        content = read_private(_path(folder))
        return Running(**content) if content else None
    except (ValueError, TypeError):
        return None
