"""What a process and those that it has started take, where Linux's /proc tells."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

IDLE_SECONDS = 3.0


def memory(pid: int) -> float | None:
    """Megabytes of a process and all it has started, where the system tells.

    What several of them share counts once (Linux's proportional set size).
    """
    try:
        kilobytes = [_proportional(process) for process in family(pid)]
    except OSError:
        return None
    return round(sum(kilobytes) * 1024 / 1e6, 1)


async def idle_cpu(pid: int) -> float | None:
    """Per cent of a core that a process and all it has started take with nothing to do, where the
    system tells."""
    try:
        before = sum(map(ticks, family(pid)))
        await asyncio.sleep(IDLE_SECONDS)
        after = sum(map(ticks, family(pid)))
    except OSError:
        return None
    return round((after - before) / os.sysconf("SC_CLK_TCK") / IDLE_SECONDS * 100, 2)


def _proportional(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8").splitlines()
    [kilobytes] = [line.split()[1] for line in lines if line.startswith("Pss:")]
    return int(kilobytes)


def family(pid: int) -> list[int]:
    """A process, its children and theirs.

    Raises:
        OSError: there is no such process, or the system has no /proc.
    """
    _fields(pid)  # raises where there is no such process
    found = [pid]
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(path.name)] = int(_fields(int(path.name))[1])
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def ticks(pid: int) -> int:
    """The CPU's time that a process has taken, in the system's ticks."""
    fields = _fields(pid)
    return int(fields[11]) + int(fields[12])  # utime and stime, counted from the state field


def _fields(pid: int) -> list[str]:
    """What /proc tells of a process, from its state on."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
