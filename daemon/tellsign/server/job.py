"""One picture on its way through the queue, and what is done with it outside of the event loop."""

import asyncio
import time
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from tellsign.explain import Heatmap
from tellsign.prepared import Prepared, timings

if TYPE_CHECKING:
    from tellsign.detector import Detector


class Priority(IntEnum):
    USER = 0
    VISIBLE = 1
    BACKGROUND = 2


class Stage(IntEnum):
    WAITING = 0
    DECODING = 1
    READY = 2
    SCORING = 3


@dataclass(frozen=True)
class Answer:
    """A verdict's JSON and, if it was asked for, the heatmap."""

    report: dict[str, Any]
    reason: str
    heatmap: Heatmap | None


Key = tuple[str, int, str | None]


@dataclass(eq=False)
class Job:
    """One picture for one detector, and all who wait for it."""

    key: Key
    number: int
    data: bytes
    detector: "Detector"
    method: str | None
    priority: Priority
    answer: asyncio.Future[Answer]
    timer: asyncio.TimerHandle = field(init=False)
    stage: Stage = Stage.WAITING
    waiters: int = 0
    start: float = field(default_factory=time.perf_counter)
    prepared: Prepared | None = None
    network: float = 0.0
    """Seconds."""

    def answered(self, logit: float, heatmap: Heatmap | None = None) -> Answer:
        """The answer, after the network."""
        prepared, detector = self.prepared, self.detector
        assert prepared is not None
        seconds = {**prepared.seconds, "network": self.network}
        told = timings(seconds, time.perf_counter() - self.start)
        verdict = detector.verdict(logit)
        report = detector.report(prepared.picture, verdict, told, prepared.evidence)
        reason = detector.reason(verdict, heatmap) if heatmap else verdict.reason
        return Answer(report, reason, heatmap)
