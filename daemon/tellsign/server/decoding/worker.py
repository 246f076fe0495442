"""A worker: reads requests, decodes, answers, and ends with its input.

`python -P -m tellsign.server.decoding.worker BYTES` is started by the pool. It imports nothing of
the network or the server.
"""

import logging
import os
import signal
import sys
from contextlib import suppress
from typing import IO

from tellsign.picture import PictureError
from tellsign.prepared import prepare
from tellsign.server import lines
from tellsign.server.decoding import wire
from tellsign.settings import DEADLINE

MAX_FILES = 64
"""That may be open at once: c2pa's library, the trust list and a few of Python's."""
ALARM = int(3 * DEADLINE)
"""Seconds after which a worker that hangs ends though nobody is left to end it."""

log = logging.getLogger(__name__)


def confine(memory: int) -> None:
    """Bound what this process may take, `memory` in bytes of data.

    RLIMIT_DATA on Linux counts what can be written to, wherever it comes from; RLIMIT_AS would
    count the address space as well that threads of a decoder reserve. macOS enforces neither, and
    Windows has none.
    """
    if sys.platform != "win32":
        import resource

        _limit(resource.RLIMIT_DATA, memory)
        _limit(resource.RLIMIT_NOFILE, MAX_FILES)
        _limit(resource.RLIMIT_CORE, 0)


def _limit(what: int, most: int) -> None:
    if sys.platform != "win32":
        import resource

        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(ValueError, OSError):  # a system that sets no such limit goes without
            resource.setrlimit(what, (most, most))


def answer(requests: IO[bytes], answers: IO[bytes]) -> None:
    """One request; all that it took is let go afterwards.

    Raises:
        EOFError: there is none, and there will be none.
    """
    request = wire.read_request(requests)
    _alarm(ALARM)
    try:
        prepared = prepare(request.data, request.plan, request.most)
        wire.write_answer(answers, request, prepared)
    except PictureError as error:
        wire.write_refusal(answers, error)
    except MemoryError:
        message = "The picture does not fit in memory."
        wire.write_refusal(answers, PictureError("too_many_pixels", message))
    _alarm(0)


def _alarm(seconds: int) -> None:
    if sys.platform != "win32":
        signal.alarm(seconds)


def main(memory: int) -> None:
    """Until the input ends or the output is closed, as they are when the daemon is gone."""
    lines.set_up()
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    confine(memory)
    with suppress(EOFError, BrokenPipeError):
        while True:
            answer(requests, answers)


if __name__ == "__main__":
    main(int(sys.argv[1]))
