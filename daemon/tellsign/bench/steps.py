"""The steps of a picture's way, one at a time in this process, and plain torch's whole way."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tellsign.engines import Engine
from tellsign.models.folder import ModelFolder
from tellsign.picture import decode
from tellsign.views import Pixels, views

LEAST = 3
"""Calls that are timed however long they take."""
TOGETHER = 8
"""Pictures in one call of the network, as in the daemon's queue."""

Step = Callable[[], object]


@dataclass(frozen=True)
class Times:
    """Pictures a second, and milliseconds of one: half and 95 in 100 took at most so long."""

    per_second: float
    p50: float
    p95: float
    count: int

    def as_dict(self) -> dict[str, float]:
        return {
            "per_second": round(self.per_second, 2),
            "p50_ms": round(self.p50, 2),
            "p95_ms": round(self.p95, 2),
            "count": self.count,
        }


def times(seconds: Sequence[float], elapsed: float, pictures: int = 1) -> Times:
    """Of calls that took `seconds` each, `elapsed` together, each for so many pictures."""
    p50, p95 = np.percentile(seconds, (50, 95)) * 1000
    return Times(len(seconds) * pictures / elapsed, float(p50), float(p95), len(seconds) * pictures)


def timed(step: Step, seconds: float, pictures: int = 1) -> Times:
    """Call a step again and again for so long, after one call that does not count."""
    step()
    taken: list[float] = []
    while len(taken) < LEAST or sum(taken) < seconds:
        start = time.perf_counter()
        step()
        taken.append(time.perf_counter() - start)
    return times(taken, sum(taken), pictures)


class Plain:
    """Plain torch on the CPU, as one would write it down: no other layout, no batch, no engine."""

    def __init__(self, folder: ModelFolder) -> None:
        self._network = folder.network()
        self._plan = folder.plan
        self._mean = torch.tensor(folder.mean).reshape(1, 3, 1, 1)
        self._std = torch.tensor(folder.std).reshape(1, 3, 1, 1)

    @torch.no_grad()
    def network(self, crops: Pixels) -> float:
        x = torch.from_numpy(crops).permute(0, 3, 1, 2).contiguous().float() / 255
        return float(self._network((x - self._mean) / self._std).mean())

    def whole(self, data: bytes) -> float:
        return self.network(views(decode(data).image, self._plan))


def steps(data: bytes, folder: ModelFolder, engine: Engine, plain: Plain) -> dict[str, Any]:
    """What is timed, by name: a step and the number of pictures in it."""
    picture = decode(data)
    crops = views(picture.image, folder.plan)
    batch = np.concatenate([crops] * TOGETHER)
    return {
        "decode": (lambda: decode(data), 1),
        "views": (lambda: views(picture.image, folder.plan), 1),
        "network": (lambda: engine.logits(crops), 1),
        f"network, {TOGETHER} together": (lambda: engine.logits(batch), TOGETHER),
        "plain torch, network": (lambda: plain.network(crops), 1),
        "plain torch, whole": (lambda: plain.whole(data), 1),
    }
