"""How long pictures will take, by the pace at which the last ones were answered."""

import time

from tellsign.settings import DEADLINE

FIRST = 0.4
"""Seconds a picture, until a model's first answers tell: CLIP on two busy cores. Many that come at
once are let in on nothing else, and can't be sent away any more."""
OVER = 16
"""Pictures over which the pace is a running mean: two batches."""
LONGEST = DEADLINE / 2
"""Seconds that one step may count for: a machine that slept, or loaded the model, has no such
pace."""


class Pace:
    """Of one model: seconds from one answer to the next while there is something to do."""

    def __init__(self, model: str = "") -> None:
        """`model`: its digest."""
        self.model = model
        self._mean = FIRST
        self._count = 0
        self._last = 0.0

    def answered(self, start: float, pictures: int = 1) -> None:
        """So many, OVER at most, are answered now, at once; the first of them was let in at
        `start`, in time.perf_counter's seconds."""
        self._count = min(self._count + pictures, OVER)
        self._mean += (self._since(start) / pictures - self._mean) * pictures / self._count
        self._last = time.perf_counter()

    def seconds(self, pictures: int, start: float) -> float:
        """For so many, the first of which was let in at `start`. An answer that is overdue slows
        the pace before it comes."""
        overdue = max(0.0, self._since(start) - self._mean)
        return pictures * (self._mean + overdue / OVER)

    def _since(self, start: float) -> float:
        return min(time.perf_counter() - max(self._last, start), LONGEST)
