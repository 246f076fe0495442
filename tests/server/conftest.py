"""The daemon on a real socket with the real model, in the test's own event loop."""

import asyncio
import io
import json
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from PIL import Image

from tellsign.detector import Detector
from tellsign.server.app import create_app, create_runner, listen
from tellsign.server.daemon import Daemon
from tellsign.server.model import Shelf
from tellsign.server.pairing import Clients, Keys
from tellsign.server.queue import Queue
from tellsign.settings import DEFAULT_MODEL


def picture(seed: int, width: int = 320, height: int = 240, kind: str = "PNG") -> bytes:
    """A smooth random picture: no two seeds give the same."""
    small = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(file, kind)
    return file.getvalue()


class LoadedShelf(Shelf):
    """The real shelf, whose bundled model has been loaded once for all tests."""

    def __init__(self, detector: Detector) -> None:
        super().__init__("cpu")
        self.detector = detector
        self.gate = threading.Event()
        self.gate.set()

    def load(self, folder: Path) -> Detector:
        assert self.gate.wait(30)
        return self.detector if folder.name == DEFAULT_MODEL else super().load(folder)


@dataclass
class Served:
    """A daemon that serves, and a paired client of it."""

    daemon: Daemon
    port: int
    token: str
    session: aiohttp.ClientSession

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def paired(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def control(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.daemon.keys.control}"}

    async def ask(
        self, method: str, path: str, data: Any = None, **more: Any
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON, as the paired client unless `headers` are given."""
        headers = more.pop("headers", self.paired)
        url = self.address + path
        async with self.session.request(method, url, data=data, headers=headers, **more) as answer:
            return answer.status, await answer.json()

    async def raw(self, request: bytes) -> tuple[int, dict[str, Any]]:
        """What is sent byte by byte, because no client library would send it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request.replace(b"PORT", str(self.port).encode()))
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))
        writer.close()
        await writer.wait_closed()
        return int(head.split()[1]), json.loads(body)


@asynccontextmanager
async def serve(
    folder: Path,
    shelf: Shelf,
    queue: Queue | None = None,
    ready: bool = True,
    verdicts: Path | None = None,
    idle: float = 0,
) -> AsyncIterator[Served]:
    """A daemon on a free port with one paired client."""
    daemon = Daemon(Keys(Clients(folder)), shelf, queue, verdicts, idle)
    runner = create_runner(create_app(daemon))
    await runner.setup()
    listener = listen("127.0.0.1", 0)
    await web.SockSite(runner, listener).start()
    token, _ = daemon.keys.clients.add("test")
    try:
        if ready:
            await daemon.model.detector()
        async with aiohttp.ClientSession() as session:
            yield Served(daemon, listener.getsockname()[1], token, session)
    finally:
        await runner.cleanup()


@pytest.fixture
async def served(tmp_path: Path, detector: Detector) -> AsyncIterator[Served]:
    async with serve(tmp_path, LoadedShelf(detector)) as started:
        yield started


async def until(true: Any) -> None:
    """Let the event loop run until something holds."""
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "it never came to hold"
        await asyncio.sleep(0.005)
