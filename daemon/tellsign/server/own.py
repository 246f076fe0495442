"""A daemon of a program's own, for a benchmark or a demonstration: on a free port, with its state
in a folder, and gone when the program goes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tellsign.server import local
from tellsign.server.local import Running

PATIENCE = 120.0
"""Seconds for a start, and for an end."""
SHOWN = 2000
"""Characters of the log that an error shows, the last ones."""


class OwnError(RuntimeError):
    """The daemon does not start; the message shows its log."""


@dataclass(frozen=True)
class Own:
    """A daemon that was started a moment ago."""

    process: "subprocess.Popen[bytes]"
    state: Path

    def listening(self) -> Running:
        """Waits until it can be called; its model may still be loading.

        Raises:
            OwnError: it has ended, or is too late.
        """
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < end:
            if running := local.find(self.state):
                return running
            time.sleep(0.02)
        raise self._failure("The daemon did not start")

    def ready(self) -> Running:
        """Waits until its model is loaded.

        Raises:
            OwnError: it has ended, can't load its model, or is too late.
        """
        running = self.listening()
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < end:
            try:
                state = running.call("GET", "/v1/health")[1]["state"]
            except (OSError, ValueError):
                continue  # it is ending, which the loop sees
            if state == "ready":
                return running
            if state == "failed":
                raise self._failure("The daemon could not load its model")
            time.sleep(0.1)
        raise self._failure("The daemon did not get ready")

    def _failure(self, what: str) -> OwnError:
        log = (self.state / "log").read_text("utf-8", "replace")
        return OwnError(f"{what}:\n{log[-SHOWN:]}")


@contextmanager
def own(state: Path, *options: str) -> Iterator[Own]:
    """Start a daemon with options of `tellsign serve`; it keeps no verdicts on the disk."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "tellsign", "serve", "--port", "0", *options],
            env=os.environ | {"TELLSIGN_STATE": str(state), "TELLSIGN_VERDICTS": ""},
            stdout=log,
            stderr=log,
        )
    try:
        yield Own(process, state)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def token(running: Running, name: str) -> str:
    """A new token for a client of that name."""
    _, answer = running.call("POST", "/v1/clients", {"name": name})
    return str(answer["token"])
