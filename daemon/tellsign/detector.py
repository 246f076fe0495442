"""One loaded model: from bytes or pictures to verdicts and heatmaps."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image

from tellsign import engines, explain, settings
from tellsign.engines import Engine, EngineStatus
from tellsign.explain import Heatmap
from tellsign.models.folder import ModelFolder, ModelInfo
from tellsign.picture import Picture
from tellsign.prepared import prepare, timings
from tellsign.provenance import Evidence
from tellsign.verdict import SUSPECTED, Verdict, judge
from tellsign.views import Pixels


class Detector:
    """A model on a device. All methods may be called from any thread."""

    def __init__(self, folder: ModelFolder, device: str = "auto", precision: str = "") -> None:
        """`device` and `precision` as in `engines.create`; the latter by default as is set."""
        self.info: ModelInfo = folder.info
        self.plan = folder.plan
        self.calibration = folder.calibration
        self.methods = explain.methods(folder.config["architecture"])
        self._engine: Engine | None = engines.create(
            folder, device, precision or settings.precision()
        )
        self._last = self._engine.status
        self._lock = Lock()

    @classmethod
    def load(cls, path: Path, device: str = "auto") -> "Detector":
        """The model of a folder.

        Raises:
            ModelError: the folder is damaged.
            ValueError: the device or the precision is not there.
        """
        return cls(ModelFolder(path), device)

    @property
    def engine(self) -> EngineStatus:
        """What runs the network now, or ran it before it was let go."""
        engine = self._engine
        return engine.status if engine else self._last

    def prepare(self) -> None:
        """Be as fast as it gets, however long that takes."""
        self._loaded().prepare()

    @property
    def loaded(self) -> bool:
        return self._engine is not None

    def unload(self) -> None:
        """Let the network go, for good, whoever still holds the detector.

        A call that runs ends as it would have; later ones raise RuntimeError.
        """
        self._last = self.engine
        self._engine = None

    def score(self, batch: Sequence[Pixels]) -> list[float]:
        """Views of several pictures -> a logit each, the mean of its views; one network call."""
        if not batch:
            return []
        with self._lock:
            logits = self._loaded().logits(np.concatenate(batch))
        ends = np.cumsum([len(v) for v in batch])[:-1]
        return [float(part.mean()) for part in np.split(logits, ends)]

    def _loaded(self) -> Engine:
        if self._engine is None:
            raise RuntimeError(f"The model {self.info.id} has been unloaded.")
        return self._engine

    def verdict(self, logit: float) -> Verdict:
        return judge(logit, self.calibration)

    def ready_to_explain(self, method: str = "") -> None:
        """Load what explaining takes: up to ten seconds, and half a gigabyte where OpenVINO scores,
        which goes on meanwhile.

        Raises:
            KeyError: as `explain`.
        """
        self._explainer(method)
        _ = self._loaded().eager  # loaded by being asked for

    def explain(self, image: Image.Image, method: str = "") -> Heatmap:
        """Where the evidence lies in a picture, which may be at its canonical scale already; by the
        first of `methods` if none is given.

        Raises:
            KeyError: the method is none of `methods`.
        """
        explainer = self._explainer(method)
        from tellsign.engines.torch import out_of_memory

        with self._lock:
            engine = self._loaded().eager
            try:
                return explainer(engine.network, engine.tensor, image, self.plan)
            except RuntimeError as error:
                if not out_of_memory(error) or engine.device.type == "cpu":
                    raise
            engine = engine.on_cpu()
            return explainer(engine.network, engine.tensor, image, self.plan)

    def _explainer(self, method: str) -> Callable[..., Heatmap]:
        method = method or self.methods[0]
        if method not in self.methods:
            raise KeyError(method)
        return explain.method(method)

    def check(self, data: bytes) -> dict[str, Any]:
        """The whole way of one picture, from its bytes to the verdict's JSON.

        Raises:
            PictureError: the bytes give no picture.
        """
        start = time.perf_counter()
        prepared = prepare(data, self.plan)
        before = time.perf_counter()
        [logit] = self.score([prepared.views])
        end = time.perf_counter()
        seconds = {**prepared.seconds, "queue": 0.0, "network": end - before}
        told = timings(seconds, end - start)
        return self.report(prepared.picture, self.verdict(logit), told, prepared.evidence)

    def report(
        self,
        picture: Picture,
        verdict: Verdict,
        timings: dict[str, float],
        evidence: Sequence[Evidence],
    ) -> dict[str, Any]:
        """The verdict's JSON; timings in milliseconds. Evidence stands beside the verdict and
        changes nothing in it."""
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
            "evidence": [entry.as_dict() for entry in evidence],
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
