"""What an overload costs in memory: `python -m tests.server.overload 2560 640`.

As many uploads at once, of noisy JPEGs of so many pixels a side, against a daemon of its own;
`ulimit -n 20000` first. test_load says who is answered, this with how much memory.
"""

import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import aiohttp
import numpy as np
from PIL import Image

from tellsign.bench.process import family
from tellsign.server import own
from tellsign.server.local import Running
from tests.conftest import saved


async def crowd(running: Running, token: str, count: int, data: bytes) -> Counter[str]:
    """How often each status came, or each way in which a connection broke."""
    got: Counter[str] = Counter()
    connector, patience = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(120)
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(connector=connector, timeout=patience) as session:

        async def ask(number: int) -> None:
            body, url = data + number.to_bytes(4, "big"), f"{running.address}/v1/check"
            try:
                async with session.post(url, data=body, headers=headers) as answer:
                    await answer.read()
                    got[str(answer.status)] += 1
            except aiohttp.ClientError as error:
                got[type(error).__name__] += 1

        await asyncio.gather(*(ask(number) for number in range(count)))
    return got


def megabytes(pid: int, key: str) -> int:
    """Of `/proc/…/status`: VmRSS is what is resident, VmHWM the most that ever was."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(key))


def of_all(pid: int, key: str) -> int:
    """The same of a daemon and its workers; most of what these share counts again in each."""
    return sum(megabytes(process, key) for process in family(pid))


def main(count: int, side: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    data = saved(Image.fromarray(noise), "JPEG", quality=85)
    with (
        tempfile.TemporaryDirectory() as folder,
        own.own(Path(folder), "--device", "cpu") as daemon,
    ):
        running, pid = daemon.ready(), daemon.process.pid
        token, before = own.token(running, "overload"), of_all(pid, "VmRSS")
        start = time.perf_counter()
        got = asyncio.run(crowd(running, token, count, data))
        print(
            f"{count} of {len(data) // 1000} kB, {time.perf_counter() - start:.0f} s: {dict(got)}"
        )
        peak, after = of_all(pid, "VmHWM"), of_all(pid, "VmRSS")
        print(f"{before} MB before, {peak} MB at most, {after} MB after")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
