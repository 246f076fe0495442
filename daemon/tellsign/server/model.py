"""The model in use: loaded in the background, swapped without a gap, let go when nobody asks.

What can't be loaded is refused; the last good one stays.
"""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tellsign.server.errors import ApiError, loading
from tellsign.server.logs import event, problem
from tellsign.settings import DEFAULT_MODEL, UNLOAD_MINUTES

if TYPE_CHECKING:  # torch takes seconds to import; the daemon answers before that
    from tellsign.detector import Detector

ModelState = Literal["ready", "loading", "failed"]

AT_ONCE = 0.2
"""Seconds in which a detector that has loaded all it needs to explain can say so."""


class Shelf:
    """Where models come from. Its functions are slow and run in threads."""

    def __init__(self, device: str = "auto") -> None:
        self.device = device

    def folder(self, model_id: str) -> Path:
        """Raises: ApiError `no_such_model`."""
        from tellsign.models.registry import UnknownModel, folder

        try:
            return folder(model_id)
        except UnknownModel as error:
            raise ApiError(404, "no_such_model", str(error)) from None

    def available(self) -> list[dict[str, Any]]:
        from tellsign.models.registry import available

        return [info.as_dict() for info in available()]

    def load(self, folder: Path) -> "Detector":
        """Raises: ApiError `model_failed`."""
        from tellsign.detector import Detector
        from tellsign.models.folder import ModelError

        try:
            return Detector.load(folder, self.device)
        except (ModelError, ValueError) as error:
            raise ApiError(503, "model_failed", str(error)) from None

    def holds(self, folder: Path, detector: "Detector") -> bool:
        """Whether a folder still holds what a detector was loaded from."""
        info = detector.info
        try:
            digests = json.loads((folder / "digests.json").read_text("utf-8"))
            weights, calibration = digests["model.safetensors"], digests["calibration.json"]
            return bool(f"sha256:{weights}" == info.digest and calibration[:12] == info.calibration)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def release(self) -> None:
        """Give back to the machine what a network that was let go has left."""
        from tellsign.engines import release

        release()


class Model:
    """The detector in use and what is to be told of it.

    One that has not been asked for `idle` seconds is let go and loaded again by the next request
    that needs it. To everybody it is the current one all the while, and ready.
    """

    def __init__(
        self,
        shelf: Shelf,
        changed: Callable[[], None] = lambda: None,
        idle: float = UNLOAD_MINUTES * 60,
        busy: Callable[[], bool] = lambda: False,
        remember: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`idle` 0 is never; `busy` says whether a request may still hold the detector; `remember`
        writes down, in a thread, which model a person has chosen for the next start."""
        self.state: ModelState = "loading"
        self.message = ""
        self.current: Detector | None = None
        self.changed = changed
        self._shelf = shelf
        self._idle = idle
        self._busy = busy
        self._remember = remember
        self._used = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._explaining: dict[tuple[Detector, str], asyncio.Task[None]] = {}

    def use(self, *model_ids: str) -> asyncio.Task[None]:
        """Put a model in the current one's place; checks that run keep theirs.

        Of several ids, the first whose model can be loaded is used. The task goes on though nobody
        waits for it. It raises ApiError `no_such_model` or `model_failed` if there is none; then
        the current model stays.
        """
        return self._start(self._use(*model_ids))

    def choose(self, model_id: str) -> asyncio.Task[None]:
        """`use`, as a person wants it from now on: once it is loaded, it is remembered."""
        return self._start(self._use(model_id, chosen=True))

    async def close(self) -> None:
        self._stop_timer()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._explaining.values(), return_exceptions=True)

    async def _use(self, *model_ids: str, chosen: bool = False) -> None:
        refusal = None
        async with self._turn:  # also around what is remembered: the last choice is the one
            for model_id in dict.fromkeys(model_ids):
                try:
                    await self._load(model_id)
                except Exception as error:
                    refusal = refusal or _refusal(error)
                    problem("model", failed=model_id, why=_refusal(error).message)
                else:
                    told = await self._keep(model_id) if chosen else ""
                    self._set("ready", refusal.message if refusal else told)
                    return
            assert refusal
            if self.current and not self.current.loaded and self.current.info.id in model_ids:
                self.current = None  # there is no last good one to go back to
            self._set("ready" if self.current else "failed", refusal.message)
            raise refusal

    async def _keep(self, model_id: str) -> str:
        """Remember a choice. It is in use all the same if that fails; then, what is to be told."""
        try:
            await asyncio.to_thread(self._remember, model_id)
        except OSError as error:
            problem("choice", failed=model_id, why=error.strerror)
            return f"At the next start it will be another model: {error.strerror}."
        return ""

    async def _load(self, model_id: str) -> None:
        start = time.perf_counter()
        folder = await asyncio.to_thread(self._shelf.folder, model_id)
        current = self.current
        same = current is not None and current.info.id == model_id
        if same and current and current.loaded:
            if await asyncio.to_thread(self._shelf.holds, folder, current):
                return
        elif not same:
            self._set("loading", "")
        self.current = await asyncio.to_thread(self._shelf.load, folder)
        self._stay_until_idle()
        milliseconds = (time.perf_counter() - start) * 1000
        event("model", ready=model_id, ms=milliseconds, **self.current.engine.as_dict())

    async def detector(self) -> "Detector":
        """The current detector, waited for while it loads, the first time or again.

        Raises:
            ApiError: `model_failed`.
        """
        self._used = time.monotonic()
        while self.current is None or not self.current.loaded:
            if not self._tasks:
                if self.current is None:
                    raise ApiError(503, "model_failed", self.message)
                self.use(self.current.info.id, DEFAULT_MODEL)
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        return self.current

    async def ready_to_explain(self, detector: "Detector", method: str, seconds: float) -> None:
        """Wait for so long until a detector can explain by a method; it is made to in a thread of
        its own, once for all who wait, and that goes on though nobody does any more.

        Raises:
            ApiError: `loading`, `model_failed`.
        """
        key = (detector, method)
        task = self._explaining.get(key)
        if task is None:  # also if it was ready once: it lets torch go when OpenVINO takes over
            task = asyncio.create_task(asyncio.to_thread(detector.ready_to_explain, method))
            self._explaining[key] = task
            task.add_done_callback(partial(self._explaining.pop, key))
            task.add_done_callback(self._done)
        await asyncio.wait([task], timeout=max(seconds, AT_ONCE))
        if not task.done():
            raise loading()
        if error := task.exception():
            raise _refusal(error)

    def _stay_until_idle(self) -> None:
        self._used = time.monotonic()
        self._stop_timer()
        if self._idle:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._idle, self._look_whether_idle)

    def _look_whether_idle(self) -> None:
        loop = asyncio.get_running_loop()
        left = self._used + self._idle - time.monotonic()
        if left > 0 or self._busy() or self._turn.locked():
            wait = left if left > 0 else self._idle
            self._timer = loop.call_later(wait, self._look_whether_idle)
        elif self.current and self.current.loaded:
            self.current.unload()
            event("model", unloaded=self.current.info.id)
            self._start(asyncio.to_thread(self._shelf.release))
            self.changed()

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def describe(self) -> dict[str, Any]:
        """What `GET /v1/model` answers."""
        return {**self.status(), "models": await asyncio.to_thread(self._shelf.available)}

    def status(self) -> dict[str, Any]:
        current = self.current.info.as_dict() if self.current else None
        message = self.message or (self.current.engine.notice if self.current else "")
        loaded = self.current is not None and self.current.loaded
        return {"current": current, "state": self.state, "message": message, "loaded": loaded}

    def _set(self, state: ModelState, message: str) -> None:
        self.state, self.message = state, message
        self.changed()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # told already, by the state; asyncio need not complain


def _refusal(error: BaseException) -> ApiError:
    """A model can break in ways nobody foresaw; the person is told all the same."""
    if isinstance(error, ApiError):
        return error
    return ApiError(503, "model_failed", f"The model can't be loaded: {error!r}.")
