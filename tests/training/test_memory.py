import os
import time
from pathlib import Path

from tellsign_training.memory import Known, remembered


def read(path: Path) -> Known:
    return {"size": len(path.read_bytes()), "at": time.monotonic_ns()}


def test_a_file_is_read_once_while_it_stays_as_it_is(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}\udc80" for i in range(4)]  # no UTF-8
    for path in paths:
        path.write_bytes(b"12")
    memory = tmp_path / "out" / "memory.jsonl"

    def known() -> list[Known]:
        return remembered(read, [*paths, paths[0]], memory, 1, "reading")

    first = known()
    assert [one["size"] for one in first] == [2] * 5
    assert first[4] == first[0]
    assert known() == first

    memory.write_bytes(memory.read_bytes()[:-9])  # killed in the middle of a row
    paths[0].write_bytes(b"123")
    stat = paths[1].stat()
    os.utime(paths[1], ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    paths[2].unlink()
    second = known()
    assert [one["size"] for one in second] == [3, 2, 2, 2, 3]
    assert [a == b for a, b in zip(first, second, strict=True)] == [
        False,
        False,
        True,
        False,
        False,
    ]
    assert known() == second
