"""A daemon of the benchmark's own, and clients that keep it busy."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
