"""Bodies that arrive are bounded in sum, and slow ones keep nobody out for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tellsign.detector import Detector
from tellsign.server import room
from tellsign.server.job import Priority

from .conftest import LoadedShelf, Served, picture, serve, until

BODY = 2**20
"""The largest body in these tests; the room takes eight of them."""


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_BYTES", 8 * BODY)
    kept = {Priority.USER: 0, Priority.VISIBLE: BODY, Priority.BACKGROUND: 3 * BODY}
    monkeypatch.setattr(room, "KEPT_FREE", kept)


@asynccontextmanager
async def upload(
    served: Served, priority: str, length: int | None = BODY
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A request whose head has been sent; without a length, the body comes in chunks."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    writer.write(
        f"POST /v1/check?priority={priority} HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
        f"Authorization: Bearer {served.token}\r\n{size}\r\n\r\n".encode()
    )
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


async def refused(reader: asyncio.StreamReader) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    return b" 503 " in head and b"retry-after: " in head


async def hold(served: Served, priority: str, count: int) -> list[asyncio.Task[None]]:
    """So many bodies that are let in and never come."""

    async def one() -> None:
        async with upload(served, priority):
            await asyncio.Event().wait()

    before = served.daemon.room.bytes
    tasks = [asyncio.create_task(one()) for _ in range(count)]
    await until(lambda: served.daemon.room.bytes == before + count * BODY)
    return tasks


async def test_each_priority_leaves_room_to_those_before_it(served: Served) -> None:
    tasks = []
    for priority, count in (("background", 5), ("visible", 2), ("user", 1)):
        tasks += await hold(served, priority, count)
        async with upload(served, priority) as (reader, _):
            assert await refused(reader)
    assert served.daemon.room.bytes == room.MAX_BYTES
    async with upload(served, "user", None) as (reader, writer):  # it says no size, and gets none
        writer.write(b"10\r\n" + bytes(16) + b"\r\n")
        assert await refused(reader)
    for task in tasks:
        task.cancel()
    await until(lambda: served.daemon.room.bytes == 0)  # who goes away makes room
    assert (await served.ask("POST", "/v1/check", picture(1)))[0] == 200


async def test_what_was_let_in_is_not_refused_halfway(served: Served) -> None:
    data = picture(1)
    async with upload(served, "visible", len(data)) as (reader, writer):
        writer.write(data[:100])
        await until(lambda: served.daemon.room.bytes == len(data))
        tasks = await hold(served, "background", 4) + await hold(served, "visible", 2)
        async with upload(served, "visible") as (other, _):
            assert await refused(other)
        writer.write(data[100:])
        assert b" 200 " in await reader.readline()
    for task in tasks:
        task.cancel()


async def test_a_chunked_body_takes_what_has_come(served: Served) -> None:
    async with upload(served, "background", None) as (reader, writer):
        for count in range(1, 6):
            writer.write(b"100000\r\n" + bytes(BODY) + b"\r\n")
            await until(lambda: served.daemon.room.bytes == count * BODY)  # noqa: B023
        writer.write(b"1\r\n0\r\n")
        assert await refused(reader)
    await until(lambda: served.daemon.room.bytes == 0)


async def test_slow_bodies_end_and_make_room(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that fills the room and sends a byte now and then is rid of at the deadline."""
    with monkeypatch.context() as patch:
        patch.setattr("tellsign.server.routes.DEADLINE", 0.3)
        async with upload(served, "user", 8 * BODY) as (reader, writer):
            late = asyncio.create_task(reader.readline())
            while not late.done():
                writer.write(b"\0")
                await asyncio.sleep(0.01)
            assert b" 504 " in await late
    assert served.daemon.room.bytes == 0
    assert (await served.ask("POST", "/v1/check", picture(1)))[0] == 200


async def test_twins_hold_a_place_each(tmp_path: Path, detector: Detector) -> None:
    """Of a picture that is asked for many times at once, each request has its own bytes."""
    shelf, data = LoadedShelf(detector), picture(1)
    shelf.gate.clear()
    async with serve(tmp_path, shelf, ready=False) as served:
        asked = [asyncio.create_task(served.ask("POST", "/v1/check", data)) for _ in range(5)]
        await until(lambda: served.daemon.room.bytes == 5 * len(data))
        shelf.gate.set()
        assert [status for status, _ in await asyncio.gather(*asked)] == [200] * 5
        assert served.daemon.room.bytes == 0
