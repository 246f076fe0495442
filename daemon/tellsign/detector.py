"""One loaded model: from bytes or pictures to verdicts and heatmaps."""

import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from tellsign import explain
from tellsign.engines.torch import TorchEngine
from tellsign.explain import Heatmap
from tellsign.models.folder import ModelFolder, ModelInfo
from tellsign.picture import Picture, decode
from tellsign.verdict import SUSPECTED, Verdict, judge
from tellsign.views import Pixels, views


class Detector:
    """A model on a device. All methods may be called from any thread."""

    def __init__(self, folder: ModelFolder, device: str = "auto") -> None:
        self.info: ModelInfo = folder.info
        self.plan = folder.plan
        self.calibration = folder.calibration
        self._engine = TorchEngine(folder.network(), folder.mean, folder.std, device)
        self._lock = Lock()

    @classmethod
    def load(cls, path: Path, device: str = "auto") -> "Detector":
        """The model of a folder.

        Raises:
            ModelError: the folder is damaged.
            ValueError: the device is not there.
        """
        return cls(ModelFolder(path), device)

    def views(self, picture: Picture) -> Pixels:
        """The views of a picture, uint8 [n, S, S, 3]."""
        return views(picture.pixels, self.plan)

    def score(self, batch: Sequence[Pixels]) -> list[float]:
        """Views of several pictures -> a logit each, the mean of its views; one network call."""
        if not batch:
            return []
        with self._lock:
            logits = self._engine.logits(np.concatenate(batch))
        ends = np.cumsum([len(v) for v in batch])[:-1]
        return [float(part.mean()) for part in np.split(logits, ends)]

    def verdict(self, logit: float) -> Verdict:
        return judge(logit, self.calibration)

    def explain(self, picture: Picture, method: str = "gradcam") -> Heatmap:
        """Where the evidence lies.

        Raises:
            KeyError: no such method.
        """
        explainer = explain.METHODS[method]
        with self._lock:
            return explainer(self._engine.network, self._engine.tensor, picture.pixels, self.plan)

    def check(self, data: bytes) -> dict[str, Any]:
        """The whole way of one picture, from its bytes to the verdict's JSON.

        Raises:
            PictureError: the bytes give no picture.
        """
        start = time.perf_counter()
        picture = decode(data)
        decoded = time.perf_counter()
        crops = self.views(picture)
        viewed = time.perf_counter()
        [logit] = self.score([crops])
        end = time.perf_counter()
        timings = {
            "decode": decoded - start,
            "views": viewed - decoded,
            "queue": 0.0,
            "network": end - viewed,
            "total": end - start,
        }
        milliseconds = {name: round(value * 1000, 2) for name, value in timings.items()}
        return self.report(picture, self.verdict(logit), milliseconds)

    def report(
        self, picture: Picture, verdict: Verdict, timings: dict[str, float]
    ) -> dict[str, Any]:
        """The verdict's JSON; timings in milliseconds."""
        return {
            "verdict": verdict.verdict,
            "probability": round(verdict.probability, 4),
            "logit": round(verdict.logit, 4),
            "thresholds": {
                "suspected": verdict.suspected_from,
                "unsure": verdict.unsure_from,
            },
            "model": {"id": self.info.id, "digest": self.info.digest},
            "calibration": self.calibration.version,
            "reason": verdict.reason,
            "evidence": [],
            "picture": {
                "sha256": picture.sha256,
                "format": picture.format,
                "width": picture.width,
                "height": picture.height,
            },
            "timings": timings,
        }

    def reason(self, verdict: Verdict, heatmap: Heatmap) -> str:
        """One sentence for a person who looks at the heatmap."""
        if verdict.verdict != SUSPECTED:
            return verdict.reason
        return f"{verdict.reason} The strongest signs are {heatmap.where()}."
