"""Pictures in real worker processes: what they answer, and what becomes of those that misbehave."""

import asyncio
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tellsign import prepared
from tellsign.bench.process import ticks
from tellsign.detector import Detector
from tellsign.picture import PictureError, digest
from tellsign.prepared import Prepared
from tellsign.provenance import trust
from tellsign.server.decoding.pool import Pool, Worker
from tellsign.server.decoding.wire import Request
from tellsign.server.job import Priority
from tellsign.server.queue import Queue
from tellsign.views import ViewPlan
from tests import conftest
from tests.daemon.provenance import making
from tests.daemon.provenance.signing import Authority, pem

from ..conftest import picture, until
from ..overload import megabytes

PLAN = ViewPlan()
JPEG = conftest.saved(conftest.scene(900, 700), "JPEG")
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and limits of Linux")


@pytest.fixture
async def pools() -> AsyncIterator[Callable[..., Pool]]:
    made: list[Pool] = []

    def make(*arguments: Any, **named: Any) -> Pool:
        made.append(Pool(*arguments, **named))
        return made[-1]

    yield make
    for pool in made:
        await pool.close()


def prepare(pool: Pool, data: bytes, scaled: bool = False) -> asyncio.Task[Prepared]:
    return asyncio.create_task(pool.prepare(data, digest(data), PLAN, scaled))


async def pid(pool: Pool) -> int:
    """That of a pool's only worker, which has started by then and is idle."""
    await prepare(pool, picture(0))
    [worker] = pool._idle
    return worker._process.pid


async def test_same_as_without_workers(pools: Callable[..., Pool]) -> None:
    """Facts, evidence, views, the scaled picture, of every format and of what tells of itself."""
    told = making.with_texts(parameters=making.INFOTEXT, prompt=making.comfyui())
    files = [*(making.plain(format) for format in making.FORMATS), told, JPEG]
    pool = pools(2)
    for scaled in (False, True):
        there = await asyncio.gather(*(prepare(pool, data, scaled) for data in files))
        for data, got in zip(files, there, strict=True):
            here = prepared.prepare(data, PLAN)
            assert got.evidence == here.evidence
            assert (got.views == here.views).all()
            facts = [(p.format, p.width, p.height, p.sha256) for p in (got.picture, here.picture)]
            assert facts[0] == facts[1]
            assert set(got.seconds) == set(here.seconds)
            if scaled:
                assert got.scaled.tobytes() == here.scaled.tobytes()
            else:
                assert not min(got.scaled.size)
            assert not got.picture.pixels.size
    assert there[-2].evidence


async def test_trust_list_is_read_anew(
    pools: Callable[..., Pool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a worker that has read the one before."""
    monkeypatch.setenv("TELLSIGN_DATA", str(tmp_path / "data"))
    authority, pool = Authority(), pools(1)
    signed = authority.signer().sign(making.plain())
    [before] = (await prepare(pool, signed)).evidence
    (tmp_path / "list.pem").write_text(pem(authority.root))
    trust.replace(tmp_path / "list.pem")
    [after] = (await prepare(pool, signed)).evidence
    assert (before.trusted, after.trusted) == (False, True)
    assert len(pool._idle) == 1


@posix
async def test_killed_worker_costs_its_picture_alone(
    pools: Callable[..., Pool], detector: Detector, caplog: pytest.LogCaptureFixture
) -> None:
    pool = pools(1)
    queue = Queue(pool=pool)
    queue.start()
    number = await pid(pool)
    os.kill(number, signal.SIGSTOP)  # so that it has the picture when it is killed
    files = [picture(seed) for seed in range(1, 6)]
    asked = [queue.ask(data, digest(data), detector, Priority.VISIBLE) for data in files]
    tasks = [asyncio.create_task(one) for one in asked]
    await until(lambda: not pool._idle and len(queue) == 5)
    os.kill(number, signal.SIGKILL)
    lost, *answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(lost, PictureError)
    assert (lost.code, lost.message) == ("unreadable", "The picture could not be decoded.")
    for data, answer in zip(files[1:], answers, strict=True):
        assert not isinstance(answer, BaseException)
        assert answer.report["logit"] == pytest.approx(detector.check(data)["logit"], abs=2e-3)
    [line] = caplog.records
    assert vars(line)["fields"] == {"worker": "died", "status": -signal.SIGKILL}
    os.kill(await pid(pool), signal.SIGKILL)  # one that has nothing to do costs nothing
    await until(lambda: not next(iter(pool._idle)).alive())
    await prepare(pool, picture(7))
    await queue.close()


@posix
async def test_hang_is_cut_off(pools: Callable[..., Pool]) -> None:
    pool = pools(1)
    number = await pid(pool)
    pool._seconds = 0.2
    os.kill(number, signal.SIGSTOP)
    with pytest.raises(PictureError, match="takes too long") as caught:
        await prepare(pool, picture(1))
    assert caught.value.code == "unreadable"
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
    pool._seconds = 60
    await prepare(pool, picture(1))


@linux
async def test_memory_is_bounded(pools: Callable[..., Pool]) -> None:
    """A picture that takes too much is refused, by a worker that goes on."""
    big = conftest.saved(conftest.scene(4900, 5000), "PNG", compress_level=1)
    pool = pools(1, memory=120 * 2**20)
    number = await pid(pool)
    with pytest.raises(PictureError, match="memory") as caught:
        await prepare(pool, big)
    assert caught.value.code == "too_many_pixels"
    assert await pid(pool) == number
    limits = Path(f"/proc/{number}/limits").read_text().splitlines()
    assert any(line.split()[:5] == ["Max", "core", "file", "size", "0"] for line in limits)
    roomy = pools(1)
    number = await pid(roomy)
    before = megabytes(number, "VmRSS")
    await prepare(roomy, big, scaled=True)
    await until(lambda: megabytes(number, "VmRSS") < before + 40)


@linux
async def test_large_pictures_one_at_a_time(
    pools: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tellsign.server.decoding.pool.LARGE", 100 * 100)
    ask, now, most = Worker.ask, [0], [0]

    def counted(self: Worker, request: Request, sha256: str) -> Prepared:
        now[0] += request.most > 100 * 100
        most[0] = max(most[0], now[0])
        try:
            return ask(self, request, sha256)
        finally:
            now[0] -= request.most > 100 * 100

    monkeypatch.setattr(Worker, "ask", counted)
    pool = pools(2)
    await asyncio.gather(*(prepare(pool, picture(seed)) for seed in range(4)))
    assert most == [1]
    header = struct.pack(">IIBBBBB", 10_001, 10_000, 8, 2, 0, 0, 0)
    huge = making.with_chunks(picture(1), making.chunk(b"IHDR", header))
    with pytest.raises(PictureError, match="over the limit of 100 million"):
        await prepare(pool, huge)


OWNER = """
import asyncio, sys
from tellsign.picture import digest
from tellsign.server.decoding.pool import Pool
from tellsign.views import ViewPlan

async def main():
    pool, data = Pool(2), sys.stdin.buffer.read()
    one = lambda: pool.prepare(data, digest(data), ViewPlan())
    await asyncio.gather(one(), one())
    print(*(worker._process.pid for worker in pool._idle), flush=True)
    while True:
        await one()

asyncio.run(main())
"""


@linux
def test_workers_end_with_their_daemon() -> None:
    """Though it is killed: one is idle then, the other busy."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdin
        assert owner.stdout
        owner.stdin.write(picture(1, 1500, 1500))
        owner.stdin.close()
        numbers = owner.stdout.readline().split()
        assert len(numbers) == 2
        owner.kill()
    end = time.monotonic() + 30
    while any(Path(f"/proc/{number.decode()}/fd/0").exists() for number in numbers):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_worker_is_light() -> None:
    script = "import sys, tellsign.server.decoding.worker; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    heavy = {"torch", "openvino", "timm", "aiohttp", "asyncio", "cryptography", "torchvision"}
    assert "PIL.Image" in modules.stdout.split()
    assert not heavy.intersection(modules.stdout.split())


@linux
async def test_idle_worker_takes_nothing_and_ends(
    pools: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = pools(1)
    number = await pid(pool)
    before = ticks(number)
    await asyncio.sleep(1)
    assert ticks(number) == before
    monkeypatch.setattr("tellsign.server.decoding.pool.IDLE", 0.01)
    await prepare(pool, picture(1))
    await until(lambda: not Path(f"/proc/{number}").exists())
    await prepare(pool, picture(1))


async def test_garbage_costs_the_picture(
    pools: Callable[..., Pool], caplog: pytest.LogCaptureFixture
) -> None:
    """An answer for another picture is none, and its worker is not asked again."""
    pool = pools(1)
    number = await pid(pool)
    with pytest.raises(PictureError, match="could not be decoded"):
        await pool.prepare(JPEG, digest(picture(0)), PLAN)
    [line] = caplog.records
    assert vars(line)["fields"]["worker"] == "another picture"
    assert await pid(pool) != number
