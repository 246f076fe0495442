"""The first heatmap after a start, for which seconds of loading are to come."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tellsign.detector import Detector
from tellsign.models import ModelError
from tellsign.server.routes import TO_TELL

from .conftest import LoadedShelf, Served, picture, serve, until


class Loading:
    """The real detector, which waits at a gate before it loads what it takes to explain."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.gate = threading.Event()
        self.loads = 0
        self.loaded_all = False
        self.error: Exception | None = None

    def ready_to_explain(self, method: str) -> None:
        if not self.loaded_all:
            self.loads += 1
            assert self.gate.wait(30)
            if self.error:
                raise self.error
            self.loaded_all = True
        self._detector.ready_to_explain(method)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)


@pytest.fixture
def slow(detector: Detector) -> Loading:
    return Loading(detector)


@pytest.fixture
async def served(tmp_path: Path, slow: Loading) -> AsyncIterator[Served]:
    async with serve(tmp_path, LoadedShelf(slow)) as started:  # type: ignore[arg-type]
        yield started
        slow.gate.set()


async def explain(served: Served) -> tuple[int, dict[str, Any]]:
    return await served.ask("POST", "/v1/explain", picture(1))


async def test_pictures_are_checked_while_it_is_loaded(served: Served, slow: Loading) -> None:
    heatmaps = [asyncio.create_task(explain(served)) for _ in range(3)]
    await until(lambda: slow.loads)
    for seed in range(5):
        assert (await served.ask("POST", "/v1/check", picture(seed)))[0] == 200
    assert not any(heatmap.done() for heatmap in heatmaps)
    slow.gate.set()
    assert [status for status, _ in await asyncio.gather(*heatmaps)] == [200] * 3
    assert slow.loads == 1


async def test_a_load_goes_on_and_the_next_try_finds_it(
    served: Served, slow: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("tellsign.server.routes.DEADLINE", TO_TELL + 0.3)
        url = served.address + "/v1/explain"
        async with served.session.post(url, data=picture(1), headers=served.paired) as answer:
            error = (await answer.json())["error"]
            assert (answer.status, error["code"]) == (503, "loading")
            assert "try again" in error["message"]
            assert int(answer.headers["Retry-After"]) > 0
    slow.gate.set()
    assert (await explain(served))[0] == 200
    assert slow.loads == 1


async def test_what_was_let_go_is_loaded_beside_the_checks_again(
    served: Served, slow: Loading
) -> None:
    """As torch is when OpenVINO takes over."""
    slow.gate.set()
    assert (await explain(served))[0] == 200
    slow.gate.clear()
    slow.loaded_all = False
    heatmap = asyncio.create_task(explain(served))
    await until(lambda: slow.loads == 2)
    assert (await served.ask("POST", "/v1/check", picture(2)))[0] == 200
    slow.gate.set()
    assert (await heatmap)[0] == 200


async def test_a_slow_upload_is_explained_all_the_same(
    served: Served, slow: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what is loaded already; what is not would come too late."""
    monkeypatch.setattr("tellsign.server.routes.DEADLINE", TO_TELL - 0.5)
    assert (await explain(served))[1]["error"]["code"] == "loading"
    slow.gate.set()
    await until(lambda: slow.loaded_all)
    assert (await explain(served))[0] == 200


async def test_an_unknown_method_is_told_before_the_upload(served: Served) -> None:
    head = b"POST /v1/explain?method=x HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: 1000\r\n"
    token = f"Authorization: Bearer {served.token}\r\n\r\n".encode()
    status, answer = await asyncio.wait_for(served.raw(head + token), 5)
    assert (status, answer["error"]["code"]) == (400, "no_such_method")


async def test_a_load_that_fails_is_told_and_tried_again(served: Served, slow: Loading) -> None:
    slow.gate.set()
    slow.error = ModelError("The model folder can't be used: it is gone.")
    status, answer = await explain(served)
    assert (status, answer["error"]["code"]) == (503, "model_failed")
    assert "it is gone" in answer["error"]["message"]
    assert not served.daemon.model._explaining  # its traceback would keep the detector
    slow.error = None
    assert (await explain(served))[0] == 200
