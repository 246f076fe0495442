"""The order, the bounds and the batches of the queue, with the real model behind gates."""

import asyncio
import hashlib
import threading
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np
import pytest

from tellsign.detector import Detector
from tellsign.picture import PictureError, digest
from tellsign.prepared import Prepared
from tellsign.server.decoding.pool import Pool
from tellsign.server.errors import ApiError
from tellsign.server.job import Answer, Priority
from tellsign.server.pace import Pace
from tellsign.server.queue import MAX_BATCH, Queue
from tellsign.views import ViewPlan

from .conftest import picture, until


class Gated(Pool):
    """The real detector and a real worker, which wait at a gate before each step, and notes of what
    they did."""

    def __init__(self, detector: Detector) -> None:
        super().__init__(1)
        self._detector = detector
        self.decoding, self.scoring = threading.Event(), threading.Event()
        self.at_decoding = self.at_scoring = False
        self.viewed: list[str] = []
        self.batches: list[int] = []
        self.open()

    def open(self) -> None:
        self.decoding.set()
        self.scoring.set()

    async def prepare(
        self, data: bytes, sha256: str, plan: ViewPlan, scaled: bool = False
    ) -> Prepared:
        self.at_decoding = True
        assert await asyncio.to_thread(self.decoding.wait, 30)
        self.viewed.append(sha256)
        return await super().prepare(data, sha256, plan, scaled)

    def score(self, views: Sequence[Any]) -> list[float]:
        self.at_scoring = True
        assert self.scoring.wait(30)
        self.batches.append(len(views))
        return self._detector.score(views)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)


@pytest.fixture
def gated(detector: Detector) -> Gated:
    return Gated(detector)


@pytest.fixture
async def queue(gated: Gated, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Queue]:
    """Of a fast machine, until gates make it slow."""
    monkeypatch.setattr("tellsign.server.pace.FIRST", 0.02)
    queue = Queue(max_jobs=20, pool=gated)
    queue.start()
    yield queue
    gated.open()
    await queue.close()


def ask(
    queue: Queue, detector: Any, data: bytes, priority: Priority = Priority.VISIBLE
) -> asyncio.Task[Answer]:
    return asyncio.create_task(queue.ask(data, digest(data), detector, priority))


async def test_same_verdicts_as_without_a_queue(queue: Queue, detector: Detector) -> None:
    files = [picture(seed, 100 + 90 * seed, 300) for seed in range(12)]
    answers = await asyncio.gather(*(ask(queue, detector, data) for data in files))
    for data, answer in zip(files, answers, strict=True):
        alone = detector.check(data)
        assert answer.report["logit"] == pytest.approx(alone["logit"], abs=2e-3)
        for key in ("verdict", "picture", "model", "thresholds", "calibration"):
            assert answer.report[key] == alone[key]
        assert set(answer.report["timings"]) == set(alone["timings"])
    assert len(queue) == 0


async def test_what_is_ready_is_one_batch(queue: Queue, gated: Gated) -> None:
    gated.scoring.clear()
    first = ask(queue, gated, picture(0))
    await until(lambda: gated.at_scoring)
    others = [ask(queue, gated, picture(seed)) for seed in range(1, MAX_BATCH + 4)]
    await until(lambda: len(gated.viewed) == MAX_BATCH + 4)
    gated.scoring.set()
    await asyncio.gather(first, *others)
    assert gated.batches == [1, MAX_BATCH, 3]


async def test_priorities(queue: Queue, gated: Gated) -> None:
    """First in, first out inside a priority; a picture that is asked for again hurries."""
    gated.decoding.clear()
    files = [picture(seed) for seed in range(7)]
    order = [Priority.BACKGROUND, Priority.BACKGROUND, Priority.VISIBLE, Priority.BACKGROUND]
    order += [Priority.USER, Priority.VISIBLE]
    tasks = [ask(queue, gated, files[0])]
    await until(lambda: gated.at_decoding)
    tasks += [ask(queue, gated, *pair) for pair in zip(files[1:], order, strict=True)]
    tasks.append(ask(queue, gated, files[4], Priority.USER))
    await until(lambda: len(queue) == 7)
    gated.decoding.set()
    await asyncio.gather(*tasks)
    assert gated.viewed == [digest(files[i]) for i in (0, 4, 5, 3, 6, 1, 2)]


async def test_twins_are_checked_once(queue: Queue, gated: Gated) -> None:
    gated.scoring.clear()
    tasks = [ask(queue, gated, picture(1)) for _ in range(5)]
    await until(lambda: gated.at_scoring)
    tasks.append(ask(queue, gated, picture(1)))
    await asyncio.sleep(0)
    tasks[0].cancel()
    gated.scoring.set()
    answers = await asyncio.gather(*tasks[1:])
    assert gated.batches == [1]
    assert len({id(answer) for answer in answers}) == 1


async def test_full_queue_keeps_room_for_the_person(queue: Queue, gated: Gated) -> None:
    gated.decoding.clear()

    async def fill(priority: Priority, seeds: range) -> ApiError:
        for seed in seeds:
            tasks.append(ask(queue, gated, picture(seed, 64, 48), priority))
            await asyncio.sleep(0)
        with pytest.raises(ApiError) as caught:
            await ask(queue, gated, picture(999, 64, 48), priority)
        return caught.value

    tasks: list[asyncio.Task[Answer]] = []
    for priority, seeds in [
        (Priority.BACKGROUND, range(14)),
        (Priority.VISIBLE, range(14, 18)),
        (Priority.USER, range(18, 20)),
    ]:
        error = await fill(priority, seeds)
        assert (error.status, error.code) == (503, "busy")
        assert error.headers
        assert int(error.headers["Retry-After"]) > 0
    gated.open()
    assert len(await asyncio.gather(*tasks)) == 20  # nothing that was accepted is lost
    assert len(queue) == 0
    await ask(queue, gated, picture(999, 64, 48))


async def test_no_more_than_can_be_answered_in_time(
    queue: Queue, gated: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a picture a second or so, half of the deadline is ten pictures. A person's request goes
    before them, and is not refused for their sake until that makes them late. Answers tell that it
    is faster."""
    monkeypatch.setattr("tellsign.server.pace.FIRST", 0.95)
    gated.decoding.clear()
    data = picture(10, 64, 48)
    tasks = [ask(queue, gated, picture(seed, 64, 48)) for seed in range(10)]
    await until(lambda: len(queue) == 10)
    for priority in (Priority.VISIBLE, Priority.BACKGROUND):
        with pytest.raises(ApiError, match="too much to do"):
            await ask(queue, gated, data, priority)
    late = queue.ask(data, digest(data), gated, Priority.USER, left=5)  # type: ignore[arg-type]
    tasks.append(asyncio.create_task(late))
    await until(lambda: len(queue) == 11)
    tasks += [ask(queue, gated, picture(seed, 64, 48), Priority.USER) for seed in range(11, 15)]
    with pytest.raises(ApiError, match="too much to do"):
        await ask(queue, gated, picture(15, 64, 48), Priority.USER)
    gated.open()
    assert len(await asyncio.gather(*tasks)) == 15
    await asyncio.gather(*(ask(queue, gated, picture(seed, 64, 48)) for seed in range(12)))


async def test_a_slow_answer_does_not_lock_the_queue(queue: Queue, gated: Gated) -> None:
    """One is always let in, and tells that it is faster by now."""
    queue._pace = Pace(gated.info.digest)
    queue._pace.answered(time.perf_counter() - 3600)
    first = ask(queue, gated, picture(0), Priority.BACKGROUND)
    with pytest.raises(ApiError, match="too much to do"):
        await ask(queue, gated, picture(1), Priority.BACKGROUND)
    await first
    for seed in range(2, 6):
        await ask(queue, gated, picture(seed), Priority.BACKGROUND)
    await asyncio.gather(*(ask(queue, gated, picture(seed)) for seed in (6, 7)))


async def test_what_waits_for_long_is_not_overtaken_for_ever(
    queue: Queue, gated: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tellsign.server.queue.LONG", 0.1)
    gated.decoding.clear()
    files = [picture(seed, 64, 48) for seed in range(4)]
    tasks = [ask(queue, gated, files[0])]
    await until(lambda: gated.at_decoding)
    tasks.append(ask(queue, gated, files[1], Priority.BACKGROUND))
    await until(lambda: queue.load()[Priority.USER].pictures == 2)
    tasks += [ask(queue, gated, files[2], Priority.VISIBLE)]
    tasks += [ask(queue, gated, files[3], Priority.USER)]
    await until(lambda: len(queue) == 4)
    gated.open()
    await asyncio.gather(*tasks)
    assert gated.viewed[:2] == [digest(files[0]), digest(files[1])]


async def test_nobody_waits_any_more(queue: Queue, gated: Gated) -> None:
    gated.decoding.clear()
    gated.scoring.clear()
    first = ask(queue, gated, picture(0))
    await until(lambda: gated.at_decoding)
    abandoned = [ask(queue, gated, picture(seed)) for seed in (1, 2)]
    await until(lambda: len(queue) == 3)
    abandoned[0].cancel()  # while it waits
    await until(lambda: len(queue) == 2)
    gated.decoding.set()
    await until(lambda: len(gated.viewed) == 2)
    abandoned[1].cancel()  # when it is ready
    await until(lambda: len(queue) == 1)
    gated.scoring.set()
    await first
    last = await ask(queue, gated, picture(1))
    assert last.report["picture"]["sha256"] == digest(picture(1))
    assert gated.viewed == [digest(picture(seed)) for seed in (0, 2, 1)]
    assert gated.batches == [1, 1]


async def test_models_are_never_mixed(queue: Queue, gated: Gated, detector: Detector) -> None:
    other = Gated(detector)
    gated.scoring.clear()
    first = ask(queue, gated, picture(0))
    await until(lambda: gated.at_scoring)
    tasks = [ask(queue, gated if seed % 2 else other, picture(seed)) for seed in range(1, 6)]
    await until(lambda: len(gated.viewed) == 6)
    gated.scoring.set()
    await asyncio.gather(first, *tasks)
    assert (sum(gated.batches), sum(other.batches)) == (4, 2)


async def test_what_fails_fails_alone(queue: Queue, gated: Gated) -> None:
    good = [ask(queue, gated, picture(seed)) for seed in range(3)]
    bad = [ask(queue, gated, data) for data in (b"", b"GIF89a", picture(1)[:200], bytes(1000))]
    outcomes = await asyncio.gather(*bad, return_exceptions=True)
    assert all(isinstance(outcome, PictureError) for outcome in outcomes)
    await asyncio.gather(*good)


async def test_failing_network_answers_and_goes_on(
    queue: Queue, gated: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(views: Any) -> list[float]:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(gated, "score", explode)
        with pytest.raises(RuntimeError, match="out of memory"):
            await ask(queue, gated, picture(1))
    await ask(queue, gated, picture(1))
    assert len(queue) == 0


async def test_heatmap(queue: Queue, detector: Detector) -> None:
    data = picture(1)
    sha256 = hashlib.sha256(data).hexdigest()
    explained, plain = await asyncio.gather(
        queue.ask(data, sha256, detector, Priority.USER, "gradcam"),
        queue.ask(data, sha256, detector, Priority.USER),
    )
    assert plain.heatmap is None
    assert explained.heatmap is not None
    assert explained.heatmap.method == "gradcam"
    assert np.isfinite(explained.heatmap.values).all()
    assert explained.report["logit"] == pytest.approx(plain.report["logit"], abs=2e-3)
