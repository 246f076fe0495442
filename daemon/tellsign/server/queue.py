"""The one way of a picture through the daemon: waiting -> decoding -> ready -> scoring.

Bounded and by priority: what a person asks for goes before what they see, and that before what is
further down the page; first in, first out inside a priority, and what has waited for long before
all others. What could hardly be answered in time is refused when it comes. Decoding runs in a few
processes, the network in one thread, which takes all that is ready as one batch. A picture that is
asked for while it is on its way joins the one that is. Nothing here blocks the event loop.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tellsign.server.decoding.pool import Pool
from tellsign.server.errors import busy
from tellsign.server.job import Answer, Job, Key, Priority, Stage
from tellsign.server.pace import Pace
from tellsign.settings import DEADLINE

if TYPE_CHECKING:
    from tellsign.detector import Detector

MAX_JOBS = 256
"""Pictures on their way. Their bytes are bounded where they arrive: see Room."""
LONG = DEADLINE / 2
"""Seconds after which a picture goes before all others: it would be overtaken until its deadline
otherwise."""
MAX_BATCH = 8
"""Pictures in one call of the network: few, so that a person's request waits little."""
MAX_READY = 2 * MAX_BATCH
"""Decoded pictures ahead of the network; more would only make the order of decoding final."""

SHARE = {Priority.USER: 1.0, Priority.VISIBLE: 0.9, Priority.BACKGROUND: 0.7}
"""How much of the queue each priority may fill: the last places are for a person's requests."""
PATIENCE = {Priority.USER: 0.75, Priority.VISIBLE: 0.5, Priority.BACKGROUND: 0.35}
"""How much of the time until its deadline a picture may take by the pace of the last ones, with all
that goes before it; and how much of a whole deadline all that is on its way may take then, as what
it overtakes was let in as well. The rest is for a machine that gets slower meanwhile, as other
programs run."""


@dataclass(frozen=True)
class Load:
    """What of one priority is on its way; `bytes` are the encoded ones."""

    pictures: int
    bytes: int


T = TypeVar("T")

Entry = tuple[Priority, int, Job]
Line = asyncio.PriorityQueue[Entry]


class Queue:
    """Bounded; to be made, started and closed in a running event loop."""

    def __init__(self, max_jobs: int = MAX_JOBS, pool: Pool | None = None) -> None:
        self._max_jobs = max_jobs
        self._pool = pool or Pool()
        self._jobs: dict[Key, Job] = {}
        self._number = 0
        self._pace = Pace()
        self._waiting: Line = asyncio.PriorityQueue()
        self._ready: Line = asyncio.PriorityQueue()
        self._room = asyncio.Semaphore(MAX_READY)
        self._network = ThreadPoolExecutor(1, "tellsign-network")
        self._tasks: list[asyncio.Task[None]] = []

    def __len__(self) -> int:
        """Pictures that are on their way."""
        return len(self._jobs)

    def load(self) -> dict[Priority, Load]:
        """What is on its way, by the priority that it has by now."""
        sizes: dict[Priority, list[int]] = {priority: [] for priority in Priority}
        for job in self._jobs.values():
            sizes[job.priority].append(len(job.data))
        return {priority: Load(len(of), sum(of)) for priority, of in sizes.items()}

    def start(self) -> None:
        loops = [self._decode_forever() for _ in range(self._pool.size)]
        self._tasks = [asyncio.create_task(loop) for loop in [*loops, self._score_forever()]]

    async def close(self) -> None:
        """To be called when nobody waits any more; a running network call is waited for."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pool.close()
        await asyncio.to_thread(self._network.shutdown, cancel_futures=True)

    async def ask(
        self,
        data: bytes,
        sha256: str,
        detector: "Detector",
        priority: Priority,
        method: str | None = None,
        left: float = DEADLINE,
    ) -> Answer:
        """The answer for a picture's bytes, with a heatmap by `method` if one is given, in the
        seconds that are `left` for it.

        Raises:
            PictureError: the bytes give no picture.
            ApiError: `busy`.
        """
        key = (sha256, id(detector), method)
        job = self._jobs.get(key) or self._accept(key, data, detector, priority, left)
        if priority < job.priority:
            self._hurry(job, priority)
        job.waiters += 1
        try:
            return await asyncio.shield(job.answer)
        finally:
            job.waiters -= 1
            if not job.waiters:  # all have gone: whoever takes the job next drops it
                self._leave(job)
                job.answer.cancel()

    def _accept(
        self, key: Key, data: bytes, detector: "Detector", priority: Priority, left: float
    ) -> Job:
        full = len(self._jobs) >= SHARE[priority] * self._max_jobs
        if full or not self._in_time(detector, priority, left):
            raise busy()
        self._number += 1
        loop = asyncio.get_running_loop()
        job = Job(key, self._number, data, detector, key[2], priority, loop.create_future())
        job.timer = loop.call_later(LONG, self._hurry, job, Priority.USER)
        self._jobs[key] = job
        self._waiting.put_nowait((priority, job.number, job))
        return job

    def _in_time(self, detector: "Detector", priority: Priority, left: float) -> bool:
        """Whether one more picture will be answered in the seconds that are `left` for it, and what
        it overtakes as well."""
        if self._pace.model != detector.info.digest:
            self._pace = Pace(detector.info.digest)
        jobs = self._jobs.values()
        if not jobs:  # whatever the pace: only an answer can tell that it is better by now
            return True
        before = sum(job.priority <= priority or job.stage is not Stage.WAITING for job in jobs)
        start = next(iter(jobs)).start
        until_its_own = self._pace.seconds(before + 1, start)
        until_all = self._pace.seconds(len(jobs) + 1, start)
        patience = PATIENCE[priority]
        return until_its_own <= patience * left and until_all <= patience * DEADLINE

    def _hurry(self, job: Job, priority: Priority) -> None:
        """Enter the job once more, further ahead; its later entry will be passed over."""
        job.priority = priority
        if job.stage in (Stage.WAITING, Stage.READY):
            line = self._waiting if job.stage is Stage.WAITING else self._ready
            line.put_nowait((priority, job.number, job))

    def _leave(self, job: Job) -> None:
        if self._jobs.get(job.key) is job:
            del self._jobs[job.key]
            job.timer.cancel()
            job.data = b""  # an entry of a job that all have left may stand in line for a while

    def _settle(self, job: Job, outcome: Answer | Exception) -> None:
        self._leave(job)
        if job.answer.done():
            return
        if isinstance(outcome, Exception):
            job.answer.set_exception(outcome)
        else:
            job.answer.set_result(outcome)

    async def _decode_forever(self) -> None:
        while True:
            await self._room.acquire()
            job = await self._take_waiting()
            try:
                job.prepared = await self._pool.prepare(
                    job.data, job.key[0], job.detector.plan, scaled=job.method is not None
                )
            except Exception as error:
                self._room.release()
                self._settle(job, error)
            else:
                job.stage = Stage.READY
                self._ready.put_nowait((job.priority, job.number, job))

    async def _take_waiting(self) -> Job:
        while True:
            _, _, job = await self._waiting.get()
            if job.stage is Stage.WAITING and not job.answer.done():
                job.stage = Stage.DECODING
                return job

    async def _score_forever(self) -> None:
        while True:
            batch = self._batch(await self._ready.get())
            if batch:
                try:
                    await self._score(batch)
                except Exception as error:
                    for job in batch:
                        self._settle(job, error)

    def _batch(self, entry: Entry | None) -> list[Job]:
        """What is ready for the same detector, in the order of the line, `entry` first."""
        batch: list[Job] = []
        while entry:
            job = entry[2]
            if batch and job.detector is not batch[0].detector:
                self._ready.put_nowait(entry)  # models are never mixed
                break
            if job.stage is Stage.READY:
                job.stage = Stage.SCORING
                self._room.release()
                if not job.answer.done():
                    batch.append(job)
            if len(batch) == MAX_BATCH or self._ready.empty():
                break
            entry = self._ready.get_nowait()
        return batch

    async def _score(self, batch: list[Job]) -> None:
        detector, start = batch[0].detector, time.perf_counter()
        views = [job.prepared.views for job in batch if job.prepared]
        logits = await _run(self._network, lambda: detector.score(views))
        seconds = time.perf_counter() - start
        explained = []
        for job, logit in zip(batch, logits, strict=True):
            job.network = seconds
            if job.method is None:
                self._settle(job, job.answered(logit))
            else:
                explained.append((job, logit))
        self._tell_pace([job for job in batch if job.method is None])
        for job, logit in explained:  # after the others: a heatmap takes longer than a batch
            if not job.answer.done():
                await self._explain(job, logit)

    async def _explain(self, job: Job, logit: float) -> None:
        prepared, method = job.prepared, job.method
        assert prepared is not None
        assert method is not None
        try:
            heatmap = await _run(
                self._network, lambda: job.detector.explain(prepared.scaled, method)
            )
        except Exception as error:
            self._settle(job, error)
        else:
            self._settle(job, job.answered(logit, heatmap))
            self._tell_pace([job])

    def _tell_pace(self, jobs: list[Job]) -> None:
        """These are answered; refusals take less, and tell nothing."""
        if jobs and self._pace.model == jobs[0].detector.info.digest:
            self._pace.answered(min(job.start for job in jobs), len(jobs))


async def _run(pool: Executor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, work)
