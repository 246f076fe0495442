"""A daemon of the benchmark's own, and clients that keep it busy."""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from tellsign.bench.pictures import Made
from tellsign.bench.steps import Times, times
from tellsign.server.local import Running
from tellsign.server.own import PATIENCE, OwnError, own, token

SEEN = 30
"""How often a picture that has been seen is sent again."""
IDLE_SECONDS = 3.0


class BenchError(RuntimeError):
    """The benchmark can't go on; the message says why."""


@dataclass(frozen=True)
class Daemon:
    """A running daemon, a token for it, and when its process was started."""

    pid: int
    running: Running
    token: str
    start: float


@contextmanager
def daemon(model: str, device: str) -> Iterator[Daemon]:
    """On a free port and in a temporary home; stopped at the end, whatever happens.

    Raises:
        BenchError: it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="tellsign-bench-") as name:
        start = time.monotonic()
        with own(Path(name), "--model", model, "--device", device) as mine:
            try:
                running = mine.listening()
            except OwnError as error:
                raise BenchError(str(error)) from None
            yield Daemon(mine.process.pid, running, token(running, "bench"), start)


class Clients:
    """Clients of a daemon, as the extension is one: connections kept, one request after another."""

    def __init__(self, daemon: Daemon, session: aiohttp.ClientSession) -> None:
        self._url = f"{daemon.running.address}/v1/check"
        self._headers = {"Authorization": f"Bearer {daemon.token}"}
        self._session = session
        self._numbers = count()

    async def check(self, data: bytes) -> dict[str, Any]:
        """One verdict.

        Raises:
            BenchError: there is none.
        """
        try:
            async with self._session.post(self._url, data=data, headers=self._headers) as answer:
                verdict: dict[str, Any] = await answer.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BenchError(f"The daemon does not answer: {error!r}.") from None
        if answer.status != 200:
            raise BenchError(f"The daemon refused: {verdict['error']['message']}")
        return verdict

    async def fresh(self, picture: Made) -> float:
        """Seconds for a file that the daemon has not seen."""
        data = picture.another(next(self._numbers))
        start = time.perf_counter()
        await self.check(data)
        return time.perf_counter() - start

    async def seen(self, picture: Made) -> Times:
        """The same file over and over."""
        await self.check(picture.data)
        taken = []
        for _ in range(SEEN):
            start = time.perf_counter()
            await self.check(picture.data)
            taken.append(time.perf_counter() - start)
        return times(taken, sum(taken))

    async def busy(self, picture: Made, clients: int, seconds: float) -> Times:
        """So many at once for so long; what is under way at the end counts."""
        taken: list[float] = []
        start = time.perf_counter()

        async def one() -> None:
            while True:
                taken.append(await self.fresh(picture))
                if time.perf_counter() - start > seconds:
                    return

        await asyncio.gather(*(one() for _ in range(clients)))
        return times(taken, time.perf_counter() - start)


def session() -> aiohttp.ClientSession:
    """Without proxies, and with as many connections as there are clients."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    return aiohttp.ClientSession(connector=connector, timeout=timeout)


def memory(pid: int) -> float | None:
    """Megabytes of a process and all it has started, where the system tells.

    What several of them share counts once (Linux's proportional set size).
    """
    try:
        kilobytes = [_proportional(process) for process in _family(pid)]
    except OSError:
        return None
    return round(sum(kilobytes) * 1024 / 1e6, 1)


async def idle_cpu(pid: int) -> float | None:
    """Per cent of a core that a process and all it has started take with nothing to do, where the
    system tells."""
    try:
        before = sum(map(_ticks, _family(pid)))
        await asyncio.sleep(IDLE_SECONDS)
        after = sum(map(_ticks, _family(pid)))
    except OSError:
        return None
    return round((after - before) / os.sysconf("SC_CLK_TCK") / IDLE_SECONDS * 100, 2)


def _proportional(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8").splitlines()
    [kilobytes] = [line.split()[1] for line in lines if line.startswith("Pss:")]
    return int(kilobytes)


def _family(pid: int) -> list[int]:
    """A process, its children and theirs."""
    _fields(pid)  # raises where there is no such process
    found = [pid]
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(path.name)] = int(_fields(int(path.name))[1])
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def _ticks(pid: int) -> int:
    fields = _fields(pid)
    return int(fields[11]) + int(fields[12])  # utime and stime, counted from the state field


def _fields(pid: int) -> list[str]:
    """What /proc tells of a process, from its state on."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
