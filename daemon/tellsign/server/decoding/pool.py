"""The worker processes: one picture each at a time, replaced when they die or take too long.

A worker starts when a picture has none to go to, so that one that can't start costs nothing while
there are no pictures, and ends when none has come for a while.
"""

import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from tellsign.picture import PictureError
from tellsign.prepared import Prepared
from tellsign.server.decoding import wire
from tellsign.server.decoding.wire import Garbage, Request
from tellsign.server.logs import problem
from tellsign.settings import DEADLINE, MAX_PIXELS, UNLOAD_MINUTES
from tellsign.views import ViewPlan

MEMORY = 5 * 2**29
"""Bytes of data of a worker. Of the formats with the most pixels that are allowed, TIFF with 32-bit
grey levels takes 2.2e9, 16-bit PNG 2.0e9, AVIF and WebP 1.7e9, JPEG 1.1e9."""
LARGE = MAX_PIXELS // 4
"""Pixels over which one picture is decoded at a time: the others take a quarter of that."""
IDLE = UNLOAD_MINUTES * 60
"""Seconds without a picture after which a worker ends, as the model is let go."""
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(15 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**25),
}
"""Of a worker: no threads that do nothing, and a heap that is kept from one usual picture to the
next (new pages for each would take a fifth of its time), while what large ones take goes back:
Pillow takes it in blocks of just under 16 MB, which would stay in the heap under whatever lies on
top of them."""


class Pool:
    """To be used in a running event loop."""

    def __init__(
        self, size: int | None = None, seconds: float = DEADLINE, memory: int = MEMORY
    ) -> None:
        """So many workers at most; `seconds` and `memory` (bytes) are what a picture may take."""
        self.size = size or min(4, os.cpu_count() or 1)
        self._seconds = seconds
        self._memory = memory
        self._idle: dict[Worker, asyncio.TimerHandle] = {}
        self._large = asyncio.Lock()
        self._threads = ThreadPoolExecutor(self.size, "tellsign-decode")

    async def prepare(
        self, data: bytes, sha256: str, plan: ViewPlan, scaled: bool = False
    ) -> Prepared:
        """`prepared.prepare`, elsewhere; the picture comes without its pixels, and at its canonical
        scale only if asked for. At most `size` calls at a time.

        Raises:
            PictureError: the bytes give no picture, or have ended the worker.
        """
        try:
            return await self._ask(Request(data, plan, scaled, LARGE), sha256)
        except PictureError as error:
            if error.code != "too_many_pixels":
                raise
        async with self._large:
            return await self._ask(Request(data, plan, scaled), sha256)

    async def close(self) -> None:
        """End all workers. Calls that are still running have been cancelled."""
        for worker in list(self._idle):
            self._rouse(worker)
            self._threads.submit(worker.end)
        await asyncio.to_thread(self._threads.shutdown)

    async def _ask(self, request: Request, sha256: str) -> Prepared:
        loop = asyncio.get_running_loop()
        worker = self._worker()
        timer = loop.call_later(self._seconds, worker.kill)
        try:
            prepared = await loop.run_in_executor(self._threads, worker.ask, request, sha256)
        except PictureError:
            self._rest(worker)
            raise
        except (EOFError, OSError, Garbage) as error:
            raise _lost(worker, error, loop.time() >= timer.when()) from None
        except asyncio.CancelledError:
            worker.kill()  # its thread ends with it
            raise
        finally:
            timer.cancel()
        self._rest(worker)
        return prepared

    def _worker(self) -> "Worker":
        """The one that was busy last, so that those which are not needed end; or a new one."""
        while self._idle:
            worker = next(reversed(self._idle))
            self._rouse(worker)
            if worker.alive():
                return worker
            worker.end()  # at once: it has ended
        return Worker(self._memory)

    def _rouse(self, worker: "Worker") -> None:
        self._idle.pop(worker).cancel()

    def _rest(self, worker: "Worker") -> None:
        loop = asyncio.get_running_loop()
        self._idle[worker] = loop.call_later(IDLE, self._retire, worker)

    def _retire(self, worker: "Worker") -> None:
        del self._idle[worker]
        self._threads.submit(worker.end)


class Worker:
    """One process, started at once. `ask` and `end` block."""

    def __init__(self, memory: int) -> None:
        """Raises: OSError."""
        command = [sys.executable, "-P", "-m", "tellsign.server.decoding.worker", str(memory)]
        self._process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.PIPE,  # whose end tells it that this process has gone
            stdout=subprocess.PIPE,
            env=os.environ | ENVIRONMENT,
            start_new_session=True,  # Ctrl-C is for the daemon, which lets running work finish
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )

    @property
    def status(self) -> int | None:
        """How it has ended; a signal is negative."""
        return self._process.returncode

    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: Request, sha256: str) -> Prepared:
        """A request's answer. After anything but a PictureError the worker has ended.

        Raises:
            PictureError: the bytes give no picture.
            EOFError, OSError, Garbage: there is no answer.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin
        assert stdout
        try:
            wire.write_request(stdin, request)
            return wire.read_answer(stdout, request, sha256)
        except PictureError:
            raise
        except BaseException:
            self.end()
            raise

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            with suppress(BrokenPipeError):  # of what was not written
                pipe.close()


def _lost(worker: Worker, error: Exception, late: bool) -> PictureError:
    """What is said of a picture whose worker has ended."""
    ended = "late" if late else str(error) if isinstance(error, Garbage) else "died"
    problem("decoding", worker=ended, status=worker.status)
    if late:
        return PictureError("unreadable", "The picture takes too long to decode.")
    return PictureError("unreadable", "The picture could not be decoded.")
