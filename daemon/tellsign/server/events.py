"""Server-sent events (WHATWG HTML, 9.2): the model and the state, told to whoever listens."""

import asyncio
import json
from typing import Any

from aiohttp import web

PING_SECONDS = 15


class Events:
    """All open streams. A slow listener costs a few short strings: events are rare."""

    def __init__(self) -> None:
        self._streams: set[asyncio.Queue[bytes | None]] = set()
        self._closed = False

    def publish(self, name: str, data: dict[str, Any]) -> None:
        for stream in self._streams:
            stream.put_nowait(_encode(name, data))

    def close(self) -> None:
        """End all streams, after what has been published."""
        self._closed = True
        for stream in self._streams:
            stream.put_nowait(None)

    async def answer(self, request: web.Request, hello: dict[str, Any]) -> web.StreamResponse:
        """Hold a stream open until the listener goes or `close` is called."""
        stream: asyncio.Queue[bytes | None] = asyncio.Queue()
        stream.put_nowait(_encode("hello", hello))
        if self._closed:
            stream.put_nowait(None)
        self._streams.add(stream)
        try:
            response = web.StreamResponse()
            response.content_type = "text/event-stream"
            await response.prepare(request)
            while (message := await _next(stream)) is not None:
                await response.write(message)
        except ConnectionResetError:
            pass  # the listener went away
        finally:
            self._streams.discard(stream)
        return response


async def _next(stream: asyncio.Queue[bytes | None]) -> bytes | None:
    try:
        return await asyncio.wait_for(stream.get(), PING_SECONDS)
    except TimeoutError:
        return b": ping\n\n"


def _encode(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
