"""The model in use: switched while requests run, let go when nobody asks, never left damaged."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tellsign.cli import app
from tellsign.detector import Detector
from tellsign.server import choices
from tellsign.server.model import Shelf
from tellsign.settings import DEFAULT_MODEL
from tellsign.views import views
from tests.model_folders import make

from .conftest import LoadedShelf, Served, picture, serve, until
from .test_app import Process

SHIFT = 5.0


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of installed models, with one whose logits are the bundled one's and SHIFT."""
    monkeypatch.setenv("TELLSIGN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TELLSIGN_CACHE", str(tmp_path / "cache"))
    make(tmp_path / "data" / "models" / "other", "other", SHIFT)
    return tmp_path / "data" / "models"


async def use(served: Served, model_id: str) -> tuple[int, dict[str, Any]]:
    return await served.ask("PUT", "/v1/model", json.dumps({"id": model_id}))


async def test_switching_never_mixes_models(
    tmp_path: Path, models: Path, detector: Detector
) -> None:
    data = [picture(seed) for seed in range(8)]
    logits = [detector.check(one)["logit"] for one in data]
    answers: list[tuple[int, dict[str, Any]]] = []

    async def look(served: Served, stop: asyncio.Event, start: int) -> None:
        number = start
        while not stop.is_set():
            which = number % len(data)
            query = "/v1/check?priority=user&private=1"  # private: nothing is remembered
            status, answer = await served.ask("POST", query, data[which])
            assert status == 200, answer
            answers.append((which, answer))
            number += 1

    async with serve(tmp_path, LoadedShelf(detector)) as served:
        stop = asyncio.Event()
        looking = [asyncio.create_task(look(served, stop, start)) for start in range(8)]
        for model_id in ["other", DEFAULT_MODEL] * 3:
            before = len(answers)
            assert (await use(served, model_id))[1]["current"]["id"] == model_id
            await until(lambda: len(answers) > before + len(looking))  # noqa: B023
        stop.set()
        await asyncio.gather(*looking)
    assert {answer["model"]["id"] for _, answer in answers} == {"other", DEFAULT_MODEL}
    for which, answer in answers:
        own = logits[which] + (SHIFT if answer["model"]["id"] == "other" else 0)
        assert answer["logit"] == pytest.approx(own, abs=1e-2)


@pytest.fixture
async def short(tmp_path: Path, models: Path) -> AsyncIterator[Served]:
    """A daemon that lets its model go as soon as no request holds it."""
    async with serve(tmp_path, Shelf("cpu"), idle=0.01) as served:
        yield served


async def test_idle_model_is_let_go_and_comes_back(short: Served) -> None:
    with short.daemon.work():
        detector = await short.daemon.model.detector()
        engine = weakref.ref(detector._loaded())
        events = await short.session.get(short.address + "/v1/events", headers=short.paired)
    async with events:
        await until(lambda: not detector.loaded)
        assert engine() is None
        status, answer = await short.ask("GET", "/v1/model")
        assert (status, answer["state"], answer["loaded"]) == (200, "ready", False)
        assert answer["current"]["id"] == DEFAULT_MODEL
        assert (await short.ask("GET", "/v1/health"))[1]["state"] == "ready"
        told = json.loads((await until_event(events, b"model")).splitlines()[1][6:])
        assert (told["state"], told["message"], told["loaded"]) == ("ready", "", False)
    data = [picture(seed) for seed in range(4)]
    checks = [short.ask("POST", "/v1/check", one) for one in data]
    for status, verdict in await asyncio.gather(*checks):
        assert (status, verdict["model"]["id"]) == (200, DEFAULT_MODEL)
    assert (await short.ask("POST", "/v1/explain", data[0]))[0] == 200


async def until_event(events: Any, name: bytes) -> bytes:
    while True:
        message: bytes = await events.content.readuntil(b"\n\n")
        if message.startswith(b"event: " + name + b"\n"):
            return message


async def test_what_a_request_holds_is_not_let_go(
    short: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body that arrives slowly: the model is idle all the while, and there for it in the end."""
    model = short.daemon.model
    with short.daemon.work():
        held = await model.detector()
        for _ in range(10):
            await asyncio.sleep(0.02)
        assert held.loaded
        assert held.score([views(picture_of(1).image, held.plan)])
    await until(lambda: not held.loaded)


def picture_of(seed: int) -> Any:
    from tellsign.picture import decode

    return decode(picture(seed))


async def test_model_that_broke_while_it_was_away(short: Served, models: Path) -> None:
    """It is named, and the default takes its place."""
    assert (await use(short, "other"))[0] == 200
    detector = short.daemon.model.current
    assert detector
    await until(lambda: not detector.loaded)
    (models / "other" / "model.safetensors").write_bytes(b"x")
    status, verdict = await short.ask("POST", "/v1/check", picture(1))
    assert (status, verdict["model"]["id"]) == (200, DEFAULT_MODEL)
    status, answer = await short.ask("GET", "/v1/model")
    assert answer["state"] == "ready"
    assert "other can't be used: model.safetensors differs" in answer["message"]


async def test_replaced_model_is_loaded_anew(
    tmp_path: Path, models: Path, detector: Detector
) -> None:
    async with serve(tmp_path, LoadedShelf(detector)) as served:
        digests = []
        for shift in (1.0, 2.0):
            make(tmp_path / str(shift), "other", shift)
            (models / "other").rename(tmp_path / f"before-{shift}")
            (tmp_path / str(shift)).rename(models / "other")
            status, answer = await use(served, "other")
            assert status == 200
            digests.append(answer["current"]["digest"])
        assert len(set(digests)) == 2


async def test_a_choice_that_cannot_be_written_is_used_and_told(
    tmp_path: Path, models: Path, detector: Detector
) -> None:
    async with serve(tmp_path, LoadedShelf(detector)) as served:
        (tmp_path / "in the way").touch()
        served.daemon.model._remember = partial(choices.set_model, tmp_path / "in the way")
        status, answer = await use(served, "other")
        assert (status, answer["current"]["id"]) == (200, "other")
        assert answer["message"].startswith("At the next start it will be another model: ")


def test_what_is_chosen_over_http_is_remembered(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends the daemon. What can't be loaded is no choice, nor an option of one start."""
    state = tmp_path / "state"
    daemon = Process(state)
    try:
        assert daemon.running.call("PUT", "/v1/model", {"id": "nope"})[0] == 404
        assert choices.model(state) is None
        assert daemon.running.call("PUT", "/v1/model", {"id": "other"})[0] == 200
        daemon.process.kill()
        daemon.process.communicate()

        daemon = Process(state, "--model", DEFAULT_MODEL)
        daemon.until_ready()
        assert daemon.running.call("GET", "/v1/model")[1]["current"]["id"] == DEFAULT_MODEL
        daemon.stop(signal.SIGTERM)

        daemon = Process(state)
        assert "with the model other" in daemon.greeting
        daemon.until_ready()
        assert daemon.running.call("GET", "/v1/model")[1]["current"]["id"] == "other"
    finally:
        daemon.process.kill()
        daemon.process.communicate()


CHOOSE_FOREVER = """
import sys
from itertools import cycle
from pathlib import Path
from tellsign.server import choices
for name in cycle(["one", "another-one"]):
    choices.set_model(Path(sys.argv[1]), name)
    print(name, flush=True)
"""


def test_kill_at_any_moment_leaves_a_choice(tmp_path: Path) -> None:
    for lines in (1, 2, 5, 8):
        child = subprocess.Popen(
            [sys.executable, "-c", CHOOSE_FOREVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout
        for _ in range(lines):
            child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        assert choices.model(tmp_path) in ("one", "another-one")


def command(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["models", *words])
    return result.exit_code, result.output


def test_commands_and_a_running_daemon(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLSIGN_STATE", str(tmp_path / "state"))
    make(tmp_path / "newer", "other", SHIFT + 1)
    daemon = Process(tmp_path / "state")
    try:
        daemon.until_ready()

        def current() -> dict[str, Any]:
            answer: dict[str, Any] = daemon.running.call("GET", "/v1/model")[1]["current"]
            return answer

        assert command("use", "other") == (0, "In use: other.\n")
        before = current()
        assert before["id"] == "other"
        assert "The daemon uses it from now on." in command("install", str(tmp_path / "newer"))[1]
        assert (current()["id"], current()["digest"] != before["digest"]) == ("other", True)
        (models / "broken").mkdir()
        (models / "broken" / "config.json").write_text("{}")
        status, said = command("use", "broken")
        assert (status, "broken" in said, current()["id"]) == (1, True, "other")
        daemon.stop(signal.SIGTERM)

        daemon = Process(tmp_path / "state")
        daemon.until_ready()
        assert current()["id"] == "other"
        rows = [json.loads(line) for line in command("list", "--json")[1].splitlines() if line]
        assert [row["id"] for row in rows if row["in_use"]] == ["other"]
        status, said = command("remove", "other", "--yes")
        assert (status, "other is in use; levit-128s will take its place" in said) == (0, True)
        assert current()["id"] == DEFAULT_MODEL
        daemon.stop(signal.SIGTERM)

        (tmp_path / "state" / "choices.json").write_text('{"model": "other"}')
        daemon = Process(tmp_path / "state")
        daemon.until_ready()
        answer = daemon.running.call("GET", "/v1/model")[1]
        assert answer["current"]["id"] == DEFAULT_MODEL
        assert "There is no model 'other'" in answer["message"]
    finally:
        daemon.process.kill()
        daemon.process.communicate()
