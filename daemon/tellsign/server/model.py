"""The model in use: loaded in the background, swapped without a gap, the last good one kept."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tellsign.server.errors import ApiError
from tellsign.server.logs import event, problem

if TYPE_CHECKING:  # torch takes seconds to import; the daemon answers before that
    from tellsign.detector import Detector

ModelState = Literal["ready", "loading", "failed"]


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


class Model:
    """The detector in use and what is to be told of it."""

    def __init__(self, shelf: Shelf, changed: Callable[[], None] = lambda: None) -> None:
        self.state: ModelState = "loading"
        self.message = ""
        self.current: Detector | None = None
        self.changed = changed
        self._shelf = shelf
        self._turn = asyncio.Lock()
        self._settled = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def use(self, model_id: str) -> asyncio.Task[None]:
        """Put a model in the current one's place; checks that run keep theirs.

        The task goes on though nobody waits for it. It raises ApiError `no_such_model` or
        `model_failed`; then the current model stays.
        """
        task = asyncio.create_task(self._use(model_id))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _use(self, model_id: str) -> None:
        async with self._turn:
            if self.current and self.current.info.id == model_id:
                self._set("ready", "")
                return
            start = time.perf_counter()
            try:
                folder = await asyncio.to_thread(self._shelf.folder, model_id)
                self._set("loading", "")
                self.current = await asyncio.to_thread(self._shelf.load, folder)
            except Exception as error:
                refusal = _refusal(error)
                self._set("ready" if self.current else "failed", refusal.message)
                problem("model", failed=model_id, why=refusal.message)
                raise refusal from error
            self._set("ready", "")
            milliseconds = (time.perf_counter() - start) * 1000
            event("model", ready=model_id, ms=milliseconds, **self.current.engine.as_dict())

    async def detector(self) -> "Detector":
        """The current detector, waited for while the first one loads.

        Raises:
            ApiError: `model_failed`.
        """
        if self.current is None:
            await self._settled.wait()
        if self.current is None:
            raise ApiError(503, "model_failed", self.message)
        return self.current

    async def describe(self) -> dict[str, Any]:
        """What `GET /v1/model` answers."""
        return {**self.status(), "models": await asyncio.to_thread(self._shelf.available)}

    def status(self) -> dict[str, Any]:
        current = self.current.info.as_dict() if self.current else None
        message = self.message or (self.current.engine.notice if self.current else "")
        return {"current": current, "state": self.state, "message": message}

    def _set(self, state: ModelState, message: str) -> None:
        self.state, self.message = state, message
        if state == "loading":
            self._settled.clear()
        else:
            self._settled.set()
        self.changed()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # told already, by the state; asyncio need not complain


def _refusal(error: Exception) -> ApiError:
    """A model can break in ways nobody foresaw; the person is told all the same."""
    if isinstance(error, ApiError):
        return error
    return ApiError(503, "model_failed", f"The model can't be loaded: {error!r}.")
