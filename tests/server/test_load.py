"""More requests than can be answered, over HTTP."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tellsign.detector import Detector
from tellsign.picture import digest
from tellsign.server.job import Priority
from tellsign.server.queue import SHARE, Queue

from .conftest import LoadedShelf, Served, picture, serve, until
from .test_queue import Gated

ROOM = 20
SEEN = int(ROOM * SHARE[Priority.VISIBLE])


class Crowd:
    """Requests that are all on their way at once, and the order in which they are answered."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.answers: dict[int, int] = {}
        self.order: list[int] = []
        self.tasks: list[asyncio.Task[None]] = []

    def ask(self, seeds: range, priority: str) -> None:
        self.tasks += [asyncio.create_task(self._ask(seed, priority)) for seed in seeds]

    async def _ask(self, seed: int, priority: str) -> None:
        url = f"{self.served.address}/v1/check?priority={priority}"
        data = picture(seed, 64, 48)
        async with self.served.session.post(url, data=data, headers=self.served.paired) as answer:
            content = await answer.json()
            self.answers[seed] = answer.status
            self.order.append(seed)
            if answer.status == 503:
                assert content["error"]["code"] == "busy"
                assert int(answer.headers["Retry-After"]) > 0
            else:
                assert content["picture"]["sha256"] == digest(data)


async def test_ten_times_overload(tmp_path: Path, detector: Detector) -> None:
    """What is accepted is answered, the rest hears at once when to come again; a person's requests
    are always let in, and overtake."""
    gated = Gated(detector)
    queue = Queue(max_jobs=ROOM, pool=gated)
    async with serve(tmp_path, LoadedShelf(gated), queue) as served:  # type: ignore[arg-type]
        crowd = Crowd(served)
        crowd.ask(range(1000, 1008), "visible")  # tell how fast it is
        await asyncio.gather(*crowd.tasks)
        crowd, gated.viewed = Crowd(served), []
        gated.decoding.clear()
        crowd.ask(range(10 * ROOM), "visible")
        await until(lambda: len(crowd.order) == 10 * ROOM - SEEN)
        assert set(crowd.answers.values()) == {503}
        users = range(10 * ROOM, 10 * ROOM + ROOM - SEEN)
        crowd.ask(users, "user")
        await until(lambda: len(queue) == ROOM)
        gated.open()
        await asyncio.gather(*crowd.tasks)
        accepted = [seed for seed, status in crowd.answers.items() if status == 200]
        assert len(accepted) == ROOM
        assert set(users) <= set(accepted)
        # One picture is being decoded when they come, and its batch may be answered before them.
        assert [gated.viewed.index(digest(picture(seed, 64, 48))) for seed in users] == [1, 2]
        refused = range(10 * ROOM)[: ROOM // 2]
        gated.viewed.clear()
        crowd.ask(refused, "visible")  # there is room again
        await asyncio.gather(*crowd.tasks)
        assert {crowd.answers[seed] for seed in refused} == {200}
        assert len(queue) == 0


class Slow(Gated):
    """The real detector on a machine that takes its time."""

    def score(self, views: Sequence[Any]) -> list[float]:
        time.sleep(0.25 * len(views))
        return super().score(views)


async def test_who_is_let_in_is_answered(tmp_path: Path, detector: Detector) -> None:
    """Nobody hears of a deadline, though all come at once to a daemon that has answered nothing
    yet, on a machine that could answer four in five of them in time."""
    slow = Slow(detector)
    async with serve(tmp_path, LoadedShelf(slow), Queue(pool=slow)) as served:  # type: ignore[arg-type]
        crowd = Crowd(served)
        for number, priority in enumerate(("background", "visible", "user")):
            crowd.ask(range(34 * number, 34 * number + 34), priority)
        await asyncio.gather(*crowd.tasks)
        assert set(crowd.answers.values()) == {200, 503}
        assert 200 in [crowd.answers[seed] for seed in range(68, 102)]
