"""What the calls answer: verdicts, heatmaps, models, events, and errors for what is no picture."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tellsign.detector import Detector
from tellsign.server.model import Shelf

from .conftest import LoadedShelf, Served, picture, serve, until


async def test_health(served: Served) -> None:
    status, answer = await served.ask("GET", "/v1/health", headers={})
    assert status == 200
    assert answer == {"service": "tellsign", "version": "0.1.0", "api": 1, "state": "ready"}


async def test_concurrent_checks(served: Served, detector: Detector) -> None:
    """Verdicts over HTTP, sixteen at a time, are those of the detector alone."""
    files = [picture(seed, 150 + 40 * seed, 280, "JPEG") for seed in range(16)]
    priorities = ["user", "visible", "background"]
    answers = await asyncio.gather(
        *(
            served.ask("POST", f"/v1/check?priority={priorities[i % 3]}", data)
            for i, data in enumerate(files)
        )
    )
    for data, (status, answer) in zip(files, answers, strict=True):
        alone = detector.check(data)
        assert status == 200
        assert answer["logit"] == pytest.approx(alone["logit"], abs=2e-3)
        for key in ("verdict", "picture", "model", "thresholds", "calibration"):
            assert answer[key] == alone[key]


async def test_explain(served: Served) -> None:
    status, answer = await served.ask("POST", "/v1/explain", picture(1, 400, 300))
    assert status == 200
    heatmap = answer["heatmap"]
    assert len(heatmap["values"]) == heatmap["rows"]
    assert {len(row) for row in heatmap["values"]} == {heatmap["cols"]}
    assert heatmap["cols"] > heatmap["rows"]
    assert answer["method"] == "gradcam"
    assert answer["verdict"]["picture"]["width"] == 400
    for method, refusal in (("guess", 400), ("", 400), ("pixels", 422)):  # LeViT labels none
        status, answer = await served.ask("POST", f"/v1/explain?method={method}", picture(1))
        assert (status, answer["error"]["code"]) == (refusal, "no_such_method")


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 415, "not_an_image"),
        (b"hello", 415, "not_an_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "format_not_allowed"),
        (picture(1)[:2000], 422, "truncated"),
        (picture(1, 16, 16), 422, "too_small"),
    ],
)
async def test_what_is_no_picture(served: Served, data: bytes, status: int, code: str) -> None:
    for path in ("/v1/check", "/v1/explain"):
        got, answer = await served.ask("POST", path, data)
        assert (got, answer["error"]["code"]) == (status, code)
        assert answer["error"]["message"].endswith(".")


async def test_bad_priority(served: Served) -> None:
    status, answer = await served.ask("POST", "/v1/check?priority=mine", picture(1))
    assert (status, answer["error"]["code"]) == (400, "bad_request")


def test_hostile_bytes(tmp_path: Path, detector: Detector) -> None:
    """Mutated files get an answer each, among good ones that get their verdicts."""
    base = {kind: picture(3, 96, 64, kind) for kind in ("PNG", "JPEG", "GIF", "WEBP")}
    changes = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=20)

    async def all_at_once(files: list[bytes]) -> None:
        async with serve(tmp_path, LoadedShelf(detector)) as served:
            bad = [served.ask("POST", "/v1/check", data) for data in files]
            good = [served.ask("POST", "/v1/check", picture(seed, 96, 64)) for seed in range(3)]
            answers = await asyncio.gather(*bad, *good)
            assert {status for status, _ in answers[: len(bad)]} <= {200, 415, 422}
            assert [status for status, _ in answers[len(bad) :]] == [200] * 3

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(st.sampled_from(sorted(base)), changes), min_size=5, max_size=10))
    def mutate(recipes: list[tuple[str, list[tuple[int, int]]]]) -> None:
        files = []
        for kind, edits in recipes:
            data = bytearray(base[kind])
            for place, value in edits:
                data[place % len(data)] = value
            files.append(bytes(data))
        asyncio.run(all_at_once(files))

    mutate()


async def test_full_queue(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served.daemon.queue, "_max_jobs", 0)
    url = served.address + "/v1/check"
    async with served.session.post(url, data=picture(1), headers=served.paired) as answer:
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert (await answer.json())["error"]["code"] == "busy"


@pytest.fixture
async def starting(tmp_path: Path, detector: Detector) -> AsyncIterator[tuple[Served, LoadedShelf]]:
    shelf = LoadedShelf(detector)
    shelf.gate.clear()
    async with serve(tmp_path, shelf, ready=False) as started:
        yield started, shelf
        shelf.gate.set()


async def test_check_waits_for_the_model(starting: tuple[Served, LoadedShelf]) -> None:
    served, shelf = starting
    check = asyncio.create_task(served.ask("POST", "/v1/check", picture(1)))
    status, answer = await served.ask("GET", "/v1/health")
    assert answer["state"] == "starting"
    assert not check.done()
    shelf.gate.set()
    status, answer = await check
    assert status == 200


async def test_deadline(
    starting: tuple[Served, LoadedShelf], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, _ = starting
    monkeypatch.setattr("tellsign.server.routes.DEADLINE", 0.01)
    status, answer = await served.ask("POST", "/v1/check", picture(1))
    assert (status, answer["error"]["code"]) == (504, "deadline")


async def test_client_that_goes_away_is_forgotten(starting: tuple[Served, LoadedShelf]) -> None:
    served, shelf = starting
    check = asyncio.create_task(served.ask("POST", "/v1/check", picture(1)))
    await served.ask("GET", "/v1/health")
    check.cancel()
    shelf.gate.set()
    assert (await served.ask("POST", "/v1/check", picture(2)))[0] == 200
    await until(lambda: len(served.daemon.queue) == 0)


def damaged_model(folder: Path) -> None:
    """An installed model whose files don't fit their digests."""
    (folder / "models" / "broken").mkdir(parents=True)
    for name in ("config.json", "digests.json"):
        (folder / "models" / "broken" / name).write_text("{}")


async def test_model_that_fails(
    tmp_path: Path, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Empty(Shelf):
        def load(self, folder: Path) -> Detector:
            raise MemoryError

    async with serve(tmp_path, Empty(), ready=False) as served:
        await until(lambda: served.daemon.state == "failed")
        status, answer = await served.ask("POST", "/v1/check", picture(1))
        assert (status, answer["error"]["code"]) == (503, "model_failed")
        assert "MemoryError" in answer["error"]["message"]
        status, answer = await served.ask("GET", "/v1/model")
        assert (answer["state"], answer["current"]) == ("failed", None)


async def test_last_good_model_stays(
    served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TELLSIGN_DATA", str(tmp_path))
    damaged_model(tmp_path)
    for model_id, status, code in [("nope", 404, "no_such_model"), ("broken", 503, "model_failed")]:
        got, answer = await served.ask("PUT", "/v1/model", json.dumps({"id": model_id}))
        assert (got, answer["error"]["code"]) == (status, code)
        assert model_id in answer["error"]["message"]
    status, answer = await served.ask("GET", "/v1/model")
    assert (status, answer["state"]) == (200, "ready")
    assert answer["current"]["id"] == "levit-128s"
    assert answer["current"] in answer["models"]
    assert "broken" in answer["message"]
    status, answer = await served.ask("PUT", "/v1/model", json.dumps({"id": "levit-128s"}))
    assert (status, answer["message"]) == (200, "")


async def read_event(stream: aiohttp.StreamReader) -> tuple[str, Any]:
    lines = (await stream.readuntil(b"\n\n")).decode().splitlines()
    assert lines[0].startswith("event: ")
    return lines[0][7:], json.loads(lines[1][6:])


async def test_events(starting: tuple[Served, LoadedShelf]) -> None:
    served, shelf = starting
    async with served.session.get(served.address + "/v1/events", headers=served.paired) as answer:
        assert answer.content_type == "text/event-stream"
        name, hello = await read_event(answer.content)
        assert (name, hello["state"]) == ("hello", "starting")
        assert hello["model"]["state"] == "loading"
        shelf.gate.set()
        name, model = await read_event(answer.content)
        assert (name, model["state"], model["current"]["id"]) == ("model", "ready", "levit-128s")
        assert await read_event(answer.content) == ("state", {"state": "ready"})
        served.daemon.stop()
        assert await read_event(answer.content) == ("state", {"state": "stopping"})
        assert await answer.content.read() == b""
    status, error = await served.ask("POST", "/v1/check", picture(1))
    assert (status, error["error"]["code"]) == (503, "stopping")


async def test_ping(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellsign.server.events.PING_SECONDS", 0.01)
    async with served.session.get(served.address + "/v1/events", headers=served.paired) as answer:
        await read_event(answer.content)
        assert await answer.content.readuntil(b"\n\n") == b": ping\n\n"


@pytest.mark.parametrize("path", ["/pair", "/pair.js", "/pair.css"])
async def test_pages(served: Served, path: str) -> None:
    """The pages work under their own content security policy: nothing inline, nothing foreign."""
    async with served.session.get(served.address + path) as answer:
        text = await answer.text()
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    if path == "/pair":
        assert 'id="tellsign-pair"' in text
        assert 'id="tellsign-result"' in text
        for inline in ("<style", "style=", "onclick", "<script>", "http:", "https:"):
            assert inline not in text
