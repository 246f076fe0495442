"""The whole benchmark, which fills in its result as it goes: what was measured stays if it ends."""

import asyncio
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from tellsign import engines
from tellsign.bench.daemon import Clients, Daemon, daemon, session
from tellsign.bench.pictures import Made, make
from tellsign.bench.process import idle_cpu, memory
from tellsign.bench.steps import Plain, steps, timed
from tellsign.models import ModelFolder, folder
from tellsign.settings import precision

CLIENTS = (1, 16)
STEPS = 6
"""Of a picture, in `steps`."""
HTTP_PARTS = 4
"""How much longer than a step each number of clients is timed."""

Result = dict[str, Any]


def run(
    result: Result,
    tell: Callable[[str, float], None],
    seconds: float,
    model: str,
    device: str,
) -> None:
    """Fill `result`; `tell` hears what comes next and how much of all has been done, 0 to 1.

    Raises:
        BenchError: the daemon can't be started, or does not answer.
        ModelError, UnknownModel, ValueError: the model or the device is not there.
    """
    tell("making pictures", 0.0)
    pictures = make()
    part = seconds / (len(pictures) * (STEPS + HTTP_PARTS * len(CLIENTS)))
    progress = _Progress(tell, len(pictures) * (STEPS + HTTP_PARTS * len(CLIENTS)))
    loaded = ModelFolder(folder(model))
    tell("preparing the engine", 0.0)
    engine = engines.create(loaded, device, precision())
    engine.prepare()
    result["machine"] = _machine()
    result["model"] = {"id": loaded.id, "digest": loaded.digest}
    result["engine"] = engine.status.as_dict()
    result["pictures"] = {picture.name: {"bytes": len(picture.data)} for picture in pictures}
    plain = Plain(loaded)
    for picture in pictures:
        for name, (step, count) in steps(picture.data, loaded, engine, plain).items():
            progress.next(f"{picture.name}: {name}", 1)
            result["pictures"][picture.name][name] = timed(step, part, count).as_dict()
    del engine, plain  # the daemon wants the memory and the cores
    with daemon(model, device) as started:
        asyncio.run(_over_http(result, progress, started, pictures, part * HTTP_PARTS))


async def _over_http(
    result: Result, progress: "_Progress", started: Daemon, pictures: list[Made], seconds: float
) -> None:
    found = result["daemon"] = {}
    async with session() as http:
        clients = Clients(started, http)
        await clients.fresh(pictures[0])
        found["first_verdict_s"] = round(time.monotonic() - started.start, 2)
        for picture in pictures:
            row = result["pictures"][picture.name]
            for number in CLIENTS:
                name = f"HTTP, {number} client{'s' if number > 1 else ''}"
                progress.next(f"{picture.name}: {name}", HTTP_PARTS)
                row[name] = (await clients.busy(picture, number, seconds)).as_dict()
            plain = row["plain torch, whole"]["per_second"]
            row["times_plain_torch"] = round(row[name]["per_second"] / plain, 2)
        found["seen_before"] = (await clients.seen(pictures[0])).as_dict()
        found["memory_mb"] = memory(started.pid)
        found["idle_cpu_percent"] = await idle_cpu(started.pid)


class _Progress:
    def __init__(self, tell: Callable[[str, float], None], parts: int) -> None:
        self._tell, self._parts, self._done = tell, parts, 0

    def next(self, what: str, parts: int) -> None:
        self._tell(what, self._done / self._parts)
        self._done += parts


def _machine() -> Result:
    return {
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "openvino", "pillow")},
    }
