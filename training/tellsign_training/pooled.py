"""Work on many pictures in several processes, with a progress bar."""

import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import TypeVar

from rich.progress import track

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 8
"""Results of a process that may wait in memory: crops and views are large."""


def pooled(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int, title: str
) -> Generator[Result, None, None]:
    """The results in the order of the items; what has not begun is dropped if the caller stops."""
    if not items:
        return
    # Ctrl-C is for this process alone: it stops the others in its own time.
    pool = ProcessPoolExecutor(
        workers, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    )
    try:
        yield from track(_bounded(pool, work, items, AHEAD * workers), title, len(items))
    finally:
        pool.shutdown(cancel_futures=True)


def _bounded(
    pool: ProcessPoolExecutor, work: Callable[[Item], Result], items: Sequence[Item], ahead: int
) -> Iterator[Result]:
    """Like `pool.map`, with a bounded number of results waiting in memory."""
    todo = iter(items)
    waiting: list[Future[Result]] = [pool.submit(work, item) for item in islice(todo, ahead)]
    while waiting:
        yield waiting.pop(0).result()
        waiting += [pool.submit(work, item) for item in islice(todo, 1)]
