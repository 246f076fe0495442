"""Long runs of broken files, each batch in a process of its own, so that a crash is survived and
told with the file that made it."""

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

SLOW = 2.0
"""Seconds after which a file counts as having hung the reader."""
BATCH = 500
GROWTH = 64
"""Megabytes by which the memory of a batch may grow after its first files."""

File = tuple[str, bytes]
"""A format's name and the bytes."""
Read = Callable[[str, bytes], None]
Mutations = Callable[[int, int], Iterable[File]]
"""By seed and count."""


def slow(read: Read, files: Iterable[File], trace: Path | None = None, first: int = 0) -> list[str]:
    """Read the files; what took long is told, the file in hand is kept in `trace`."""
    found = []
    for number, (format, data) in enumerate(files, first):
        if trace:
            trace.write_bytes(data)
        start = time.perf_counter()
        read(format, data)
        if (took := time.perf_counter() - start) > SLOW:
            found.append(f"file {number} ({format}, {len(data)} bytes): {took:.1f} s")
    return found


def run(read: Read, mutations: Mutations, count: int) -> None:
    """Read as many broken files, and tell of each that died, took long or left memory behind."""
    died, grown, start = 0, 0, time.perf_counter()
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(-(-count // BATCH)):
            trace, told = Path(folder) / "file", Path(folder) / "grown"
            process = context.Process(target=_batch, args=(read, mutations, seed, trace, told))
            process.start()
            process.join(BATCH * SLOW)
            if process.exitcode != 0:
                died += 1
                kept = trace.rename(Path(tempfile.gettempdir()) / f"tellsign-fuzz-{seed}")
                print(f"seed {seed} ended with {process.exitcode}: {kept}", flush=True)
                process.kill()
            else:
                grown = max(grown, int(told.read_text()))
    seconds = time.perf_counter() - start
    print(f"{count} files in {seconds:.0f} s, {died} batches died, {grown} MB grown at most")


def _batch(read: Read, mutations: Mutations, seed: int, trace: Path, told: Path) -> None:
    files = list(mutations(seed, BATCH))
    few = BATCH // 5
    lines = slow(read, files[:few], trace)
    before = _megabytes()
    lines += slow(read, files[few:], trace, few)
    grown = _megabytes() - before
    told.write_text(str(grown))
    if grown > GROWTH:
        lines.append(f"grew by {grown} MB")
    for line in lines:
        print(f"seed {seed}, {line}", flush=True)


def _megabytes() -> int:
    """Resident ones, on Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 // 2**20
