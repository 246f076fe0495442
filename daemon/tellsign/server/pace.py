"""How long pictures will take, by the pace at which the last ones were answered."""

import time

FIRST = 0.4
"""Seconds a picture, until a model's first answers tell: CLIP on two busy cores. Many that come at
once are let in on nothing else, and can't be sent away any more."""
OVER = 16
"""Pictures over which the pace is a running mean: two batches."""


class Pace:
    """Of one model: seconds from one answer to the next while there is something to do."""

    def __init__(self, model: str = "") -> None:
        """`model`: its digest."""
        self.model = model
        self._mean = FIRST
        self._count = 0
        self._last = 0.0

    def answered(self, start: float) -> None:
        """A picture is answered now that was let in at `start`, in time.perf_counter's seconds."""
        now = time.perf_counter()
        self._count = min(self._count + 1, OVER)
        self._mean += (now - max(self._last, start) - self._mean) / self._count
        self._last = now

    def seconds(self, pictures: int, start: float) -> float:
        """For so many, the first of which was let in at `start`. An answer that is overdue slows
        the pace before it comes."""
        waited = time.perf_counter() - max(self._last, start)
        return pictures * (self._mean + max(0.0, waited - self._mean) / OVER)
