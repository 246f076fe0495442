"""What the routes share: one object, made at start and closed at the end."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tellsign.server.cache import Cache
from tellsign.server.errors import ApiError
from tellsign.server.events import Events
from tellsign.server.metrics import Metrics
from tellsign.server.model import Model, Shelf
from tellsign.server.pairing import Keys
from tellsign.server.queue import Queue
from tellsign.server.room import Room
from tellsign.settings import UNLOAD_MINUTES

if TYPE_CHECKING:
    from tellsign.detector import Detector


class Daemon:
    """To be made in a running event loop."""

    def __init__(
        self,
        keys: Keys,
        shelf: Shelf,
        queue: Queue | None = None,
        verdicts: Path | None = None,
        idle: float = UNLOAD_MINUTES * 60,
        remember: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`verdicts`: the file of known verdicts; None keeps them in memory alone. `idle`: seconds
        after which the model is unloaded; 0 is never. `remember`: see Model."""
        self.keys = keys
        self.events = Events()
        self.queue = Queue() if queue is None else queue
        self.room = Room()
        self.cache = Cache(verdicts)
        self.metrics = Metrics(self)
        self.model = Model(shelf, self._model_changed, idle, lambda: self._working > 0, remember)
        self.paused = False
        self._stopping = False
        self._working = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._told = self.state

    @property
    def state(self) -> str:
        """`starting`, `ready`, `failed` or `stopping`; ready while any model can be used."""
        if self._stopping:
            return "stopping"
        if self.model.current:
            return "ready"
        return "failed" if self.model.state == "failed" else "starting"

    def hello(self) -> dict[str, Any]:
        return {"state": self.state, "paused": self.paused, "model": self.model.status()}

    def pause(self, paused: bool) -> None:
        """Answer a person's own requests only, or everything again; what runs already goes on.

        A pause ends with the daemon. Pages without marks look the same whether nothing was found or
        nothing is looked at, so one that outlived a restart would be forgotten, and its pages taken
        for clean; one that is lost costs no more than a click.
        """
        if paused != self.paused:
            self.paused = paused
            self.events.publish("pause", {"paused": paused})

    def start(self, *model_ids: str) -> None:
        """`model_ids`: the model to use, and what else if it can't be used."""
        self.queue.start()
        self.cache.start()
        self.model.use(*model_ids)

    def stop(self) -> None:
        """Take no new work; what runs goes on."""
        self._stopping = True
        self._tell_state()
        self.events.close()

    def known(self, sha256: str, detector: "Detector") -> dict[str, Any] | None:
        """The report of a picture that was seen before."""
        report = self.cache.get(sha256, detector)
        self.metrics.lookup(hit=report is not None)
        return report

    @contextmanager
    def work(self) -> Iterator[None]:
        """Around a request that a stop has to wait for.

        Raises:
            ApiError: `stopping`.
        """
        if self._stopping:
            raise ApiError(503, "stopping", "Tellsign is stopping.")
        self._working += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._working -= 1
            if not self._working:
                self._idle.set()

    async def idle(self) -> None:
        """Until no such request is left; each has a deadline, so this has one too."""
        await self._idle.wait()

    async def close(self) -> None:
        """Let go of everything, when all requests have been answered."""
        await asyncio.gather(self.model.close(), self.queue.close(), self.cache.close())

    def _model_changed(self) -> None:
        self.events.publish("model", self.model.status())
        self._tell_state()

    def _tell_state(self) -> None:
        if self.state != self._told:
            self._told = self.state
            self.events.publish("state", {"state": self.state})


DAEMON = web.AppKey("daemon", Daemon)
