"""Paused: a person's own questions are answered, those of pages refused, and everybody is told."""

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tellsign.detector import Detector

from .conftest import LoadedShelf, Served, picture, serve, until
from .test_app import Process, start  # noqa: F401
from .test_model import until_event


async def pause(served: Served, paused: bool) -> None:
    body = json.dumps({"paused": paused})
    assert await served.ask("PUT", "/v1/pause", body) == (200, {"paused": paused})


async def test_who_is_answered(served: Served) -> None:
    data = picture(1)
    assert (await served.ask("POST", "/v1/check", data))[0] == 200  # known from now on
    await pause(served, True)
    for query in ("", "?priority=visible", "?priority=background", "?private=1"):
        url = f"{served.address}/v1/check{query}"
        async with served.session.post(url, data=data, headers=served.paired) as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"] == "60"
            error = (await answer.json())["error"]
            assert (error["code"], "paused" in error["message"]) == ("paused", True)
    assert (await served.ask("POST", "/v1/check?priority=user", data))[0] == 200
    assert (await served.ask("POST", "/v1/explain", data))[0] == 200
    assert (await served.ask("GET", "/v1/health"))[1]["state"] == "ready"
    await pause(served, False)
    assert (await served.ask("POST", "/v1/check", data))[0] == 200


async def test_events_tell_of_it(served: Served) -> None:
    async def told(events: Any, name: bytes) -> Any:
        return json.loads((await until_event(events, name)).splitlines()[1][6:])

    url = served.address + "/v1/events"
    async with served.session.get(url, headers=served.paired) as events:
        assert (await told(events, b"hello"))["paused"] is False
        for paused in (True, True, False):  # the second changes nothing, and is not told
            await pause(served, paused)
        assert await told(events, b"pause") == {"paused": True}
        assert await told(events, b"pause") == {"paused": False}
        await pause(served, True)
        async with served.session.get(url, headers=served.paired) as later:
            assert (await told(later, b"hello"))["paused"] is True


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"true",
        b"[]",
        b'{"paused": "true"}',
        b'{"paused": 1}',
        b'{"paused": null}',
        b'{"paused": true, "x": 1}',
    ],
)
async def test_only_true_and_false(served: Served, body: bytes) -> None:
    status, answer = await served.ask("PUT", "/v1/pause", body)
    assert (status, answer["error"]["code"]) == (400, "bad_request")
    assert (await served.ask("GET", "/v1/pause"))[1] == {"paused": False}


async def test_what_is_on_its_way_is_answered(tmp_path: Path, detector: Detector) -> None:
    shelf = LoadedShelf(detector)
    shelf.gate.clear()
    async with serve(tmp_path, shelf, ready=False) as served:
        asked = asyncio.create_task(served.ask("POST", "/v1/check", picture(2)))
        await until(lambda: served.daemon._working)
        await pause(served, True)
        shelf.gate.set()
        assert (await asked)[0] == 200


def test_a_pause_ends_with_the_daemon(start: Callable[..., Process]) -> None:  # noqa: F811
    """One that is forgotten would look like pages on which nothing was found."""
    daemon = start()
    assert daemon.running.call("PUT", "/v1/pause", {"paused": True})[0] == 200
    assert daemon.stop(signal.SIGTERM)[0] == 0
    assert start().running.call("GET", "/v1/pause") == (200, {"paused": False})
