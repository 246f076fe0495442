"""Who is answered in an overload, how soon and with how much memory:
`python -m tests.server.overload 2560 640 levit-128s`.

As many uploads at once, of noisy JPEGs of so many pixels a side, against a daemon of its own;
`ulimit -n 20000` first. A crowd comes to a daemon that has not seen a picture yet, and another to
one that has. What test_load holds on a small scale, this shows on this machine's.
"""

import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import aiohttp
import numpy as np
from PIL import Image

from tellsign.bench.process import family
from tellsign.server import own
from tellsign.server.local import Running
from tests.conftest import saved


async def crowd(
    running: Running, token: str, numbers: range, data: bytes
) -> dict[str, list[float]]:
    """After how many seconds each status came, or each way in which a connection broke."""
    got: dict[str, list[float]] = defaultdict(list)
    connector, patience = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(120)
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(connector=connector, timeout=patience) as session:

        async def ask(number: int) -> None:
            body, url = data + number.to_bytes(4, "big"), f"{running.address}/v1/check"
            start = time.perf_counter()
            try:
                async with session.post(url, data=body, headers=headers) as answer:
                    await answer.read()
                    status = str(answer.status)
            except aiohttp.ClientError as error:
                status = type(error).__name__
            got[status].append(time.perf_counter() - start)

        await asyncio.gather(*(ask(number) for number in numbers))
    return got


def megabytes(pid: int, key: str) -> int:
    """Of `/proc/…/status`: VmRSS is what is resident, VmHWM the most that ever was."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(key))


def of_all(pid: int, key: str) -> int:
    """The same of a daemon and its workers; most of what these share counts again in each."""
    return sum(megabytes(process, key) for process in family(pid))


def shown(got: dict[str, list[float]]) -> str:
    """How many of each, and the seconds of half and of 99 in 100 of them."""
    return ", ".join(
        f"{len(seconds)} x {status} in {np.quantile(seconds, 0.5):.1f} / "
        f"{np.quantile(seconds, 0.99):.1f} s"
        for status, seconds in sorted(got.items())
    )


def main(count: int, side: int, model: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    data = saved(Image.fromarray(noise), "JPEG", quality=85)
    with tempfile.TemporaryDirectory() as folder, own.own(Path(folder), "--model", model) as daemon:
        running, pid = daemon.ready(), daemon.process.pid
        token, before = own.token(running, "overload"), of_all(pid, "VmRSS")
        print(f"{count} of {len(data) // 1000} kB at once")
        for when, start in (("at first", 0), ("then", count)):
            got = asyncio.run(crowd(running, token, range(start, start + count), data))
            print(f"{when}: {shown(got)}", flush=True)
        peak, after = of_all(pid, "VmHWM"), of_all(pid, "VmRSS")
        print(f"{before} MB before, {peak} MB at most, {after} MB after")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
