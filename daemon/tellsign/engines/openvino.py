"""Runs a network on the CPU with OpenVINO.

A graph takes one view, as uint8, and views run side by side in as many streams as the CPU is good
for. Against one call for all of them this needs no graph of changing shape, which not every network
can be converted to, and leaves no core waiting for another at the end of each layer.
"""

import sys
from functools import cache
from typing import Any

import numpy as np

from tellsign.engines.engine import Logits, Views

CAPABILITIES = {"f32": "FP32", "bf16": "BF16", "f16": "FP16"}


@cache
def library() -> Any:
    """The module `openvino`, kept from telling its maker over the network that it was imported.

    Raises:
        ImportError: it is not installed, or does not work here.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def able(precision: str) -> bool:
    """Whether this CPU calculates in a precision by itself."""
    offered = library().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return CAPABILITIES.get(precision) in offered


class OpenVINOEngine:
    """A graph on the CPU; `graph` is a model in memory or the path of one.

    Raises:
        RuntimeError: the graph can't be compiled.
    """

    def __init__(self, graph: Any, precision: str = "f32") -> None:
        ov = library()
        setting = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": precision}
        self._queue = ov.AsyncInferQueue(ov.Core().compile_model(graph, "CPU", setting))
        self._queue.set_callback(_keep)
        self.precision = precision

    @property
    def streams(self) -> int:
        """Views that run side by side."""
        return len(self._queue)

    def logits(self, views: Views) -> Logits:
        logits = np.empty(len(views), np.float32)
        for index in range(len(views)):
            self._queue.start_async([views[index : index + 1]], (logits, index))
        self._queue.wait_all()
        return logits


def _keep(request: Any, place: tuple[Logits, int]) -> None:
    logits, index = place
    logits[index] = request.get_output_tensor(0).data.item()
