"""Verdicts of pictures that were seen before, so that they need not be checked again.

All of them are in memory, those that may be on disk are there too, for the next start. A look-up
never touches the disk: the file is read once, at the start, and written behind, seconds after a
change, in a thread. The least recently used go first.

What is where:

- On disk: verdicts without evidence. A row's key is one hash over picture, model, views,
  calibration and program, and the picture's own hash is nowhere in the row: the file can be asked
  "was this picture checked?" by someone who has the same picture and can read this user's files,
  and says nothing else. No pixels, no addresses, no times.
- In memory only: verdicts with evidence, which holds texts out of the file: a prompt, a camera.
- Nowhere: verdicts with signed evidence, since a signature is judged by today's date and by the
  trust list in use; heatmaps; and whatever a private window asks for, which reads nothing here
  either: how fast an answer comes would tell what was looked at outside.
"""

import asyncio
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tellsign import __version__
from tellsign.prepared import STEPS
from tellsign.server.cache_file import CacheFile

if TYPE_CHECKING:
    from tellsign.detector import Detector

MAX_ENTRIES = 20_000
MAX_BYTES = 16 * 2**20
"""Of verdicts as JSON; with MAX_ENTRIES the bound of the cache, in memory and on disk."""
SAVE_AFTER = 3.0
"""Seconds from a change to its being written: a page's pictures are one transaction."""

T = TypeVar("T")


class Kept(NamedTuple):
    """A verdict as JSON, and whether it may be on disk."""

    text: bytes
    lasting: bool


class Cache:
    """Bounded in entries and in bytes; to be made, started and closed in a running event loop."""

    def __init__(
        self, path: Path | None, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES
    ) -> None:
        """`path`: the file on disk; None for none."""
        self.bytes = 0
        self._max_entries, self._max_bytes = max_entries, max_bytes
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._unsaved: OrderedDict[bytes, None] = OrderedDict()
        self._changed = asyncio.Event()
        self._file = CacheFile(path, max_entries) if path else None
        self._disk = ThreadPoolExecutor(1, "tellsign-cache")
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._kept)

    def start(self) -> None:
        if self._file:
            self._task = asyncio.create_task(self._follow(self._file))

    async def close(self) -> None:
        """Write what is not written yet."""
        if self._file and self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._save(self._file)
        await asyncio.to_thread(self._disk.shutdown)

    def get(self, sha256: str, detector: "Detector") -> dict[str, Any] | None:
        """The report of a picture that was seen before; of its timings only `total` is not 0."""
        start = time.perf_counter()
        key = _key(sha256, detector)
        kept = self._kept.get(key)
        if kept is None:
            return None
        try:
            report: dict[str, Any] = json.loads(kept.text)
            report["picture"]["sha256"] = sha256
        except (ValueError, TypeError, KeyError):  # a row that was damaged on disk
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        self._touch(key, kept)
        total = round((time.perf_counter() - start) * 1000, 2)
        return {**report, "timings": {**dict.fromkeys(STEPS, 0.0), "total": total}}

    def put(self, sha256: str, detector: "Detector", report: dict[str, Any]) -> None:
        """Keep a report, if it may be kept."""
        evidence = report["evidence"]
        if any(entry["valid"] is not None for entry in evidence):
            return
        picture = {name: value for name, value in report["picture"].items() if name != "sha256"}
        content = {**report, "picture": picture, "timings": {}}
        key, kept = _key(sha256, detector), Kept(json.dumps(content).encode(), not evidence)
        self._drop(key)
        self._kept[key] = kept
        self.bytes += len(kept.text)
        self._touch(key, kept)
        self._shrink()

    def _shrink(self) -> None:
        while len(self._kept) > self._max_entries or self.bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: bytes) -> None:
        kept = self._kept.pop(key, None)
        if kept:
            self.bytes -= len(kept.text)
            self._touch(key, kept)

    def _touch(self, key: bytes, kept: Kept) -> None:
        """Remember that the entry's row is no longer as it should be."""
        if kept.lasting and self._file:
            self._unsaved[key] = None
            self._unsaved.move_to_end(key)
            self._changed.set()

    async def _follow(self, file: CacheFile) -> None:
        """Read the file, then write what changes, as long as there is a cache."""
        loaded = [(key, Kept(text, True)) for key, text in await self._run(file.load)]
        self._kept = OrderedDict([*loaded, *self._kept.items()])
        self.bytes = sum(len(kept.text) for kept in self._kept.values())
        self._shrink()
        while True:
            await self._changed.wait()
            await asyncio.sleep(SAVE_AFTER)
            await self._save(file)

    async def _save(self, file: CacheFile) -> None:
        self._changed.clear()
        keys, self._unsaved = self._unsaved, OrderedDict()
        rows = [(key, self._kept[key].text) for key in keys if key in self._kept]
        gone = [key for key in keys if key not in self._kept]
        if keys:
            await self._run(lambda: file.save(rows, gone))

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)


def _key(sha256: str, detector: "Detector") -> bytes:
    """All that a verdict depends on. The program is part of it: it words and reads evidence."""
    info = detector.info
    parts = (__version__, sha256, info.id, info.digest, repr(detector.plan), info.calibration)
    return hashlib.sha256("\n".join(parts).encode()).digest()
