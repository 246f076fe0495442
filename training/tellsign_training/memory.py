"""What was read out of files, kept, so that no file is read again while it stays as it is."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tellsign_training.pooled import pooled

Known = dict[str, Any]
"""What is known of a file, in JSON's types alone."""


def remembered(
    read: Callable[[Path], Known], paths: Sequence[Path], memory: Path, workers: int, title: str
) -> list[Known]:
    """What `read` finds of each file; of files that `memory` knows, what it found in earlier calls.

    A file is as it was while its size and the time of its last change are; one that is gone is as
    it was last seen. `memory` is a file of JSON lines, and each result is in it at once: what is
    stopped goes on from there.
    """
    known = _lines(memory)
    stamps = {_key(path): _stamp(path) for path in paths}
    unique = {_key(path): path for path in paths}
    todo = [p for key, p in unique.items() if not _holds(known.get(key), stamps[key])]
    memory.parent.mkdir(parents=True, exist_ok=True)
    with memory.open("a", encoding="utf-8") as file:
        for path, found in zip(todo, pooled(read, todo, workers, title), strict=True):
            row = {"path": _key(path), "stamp": stamps[_key(path)], "found": found}
            known[_key(path)] = row
            file.write(json.dumps(row, separators=(",", ":")) + "\n")
            file.flush()
    return [known[_key(path)]["found"] for path in paths]


def _key(path: Path) -> str:
    return str(path.absolute())


def _stamp(path: Path) -> list[int] | None:
    """Bytes and nanoseconds since 1970; None if the file is gone."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return [stat.st_size, stat.st_mtime_ns]


def _holds(row: Known | None, stamp: list[int] | None) -> bool:
    return row is not None and stamp in (None, row["stamp"])


def _lines(memory: Path) -> dict[str, Known]:
    """The rows of a memory by path; a last one that a kill cut short is taken out of the file."""
    if not memory.exists():
        return {}
    data = memory.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        with memory.open("r+b") as file:
            file.truncate(len(whole))
    return {row["path"]: row for row in map(json.loads, whole.splitlines())}
