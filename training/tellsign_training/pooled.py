"""Work on many pictures in several processes, with a progress bar."""

import signal
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from rich.progress import track

Item = TypeVar("Item")
Result = TypeVar("Result")


def pooled(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int, title: str
) -> Generator[Result, None, None]:
    """The results in the order of the items; what has not begun is dropped if the caller stops."""
    # Ctrl-C is for this process alone: it stops the others in its own time.
    pool = ProcessPoolExecutor(
        workers, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    )
    try:
        yield from track(pool.map(work, items, chunksize=4), title, len(items))
    finally:
        pool.shutdown(cancel_futures=True)
