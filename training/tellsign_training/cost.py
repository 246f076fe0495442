"""What a detector costs: size, arithmetic, time, and what its training took."""

import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from tellsign.engines.torch import TorchEngine
from tellsign.models.folder import ModelFolder

BATCHES = (1, 32)
SECONDS = 3.0
"""How long a batch size is timed, beside one call to warm up; at least three calls."""


def cost(folder: ModelFolder) -> dict[str, Any]:
    """Parameters, bytes, GMACs and milliseconds a picture, on the CPU and on a GPU if there is one.

    A picture counts as all its views (at most `plan.crops` and the whole); `batch` counts views.
    Decoding and cutting are left out, being the same for all detectors.
    """
    network = folder.network()
    views = folder.plan.crops + folder.plan.whole
    size = folder.plan.size
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, size, size))
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    return {
        "parameters": folder.info.parameters or sum(p.numel() for p in network.parameters()),
        "weight_bytes": folder.info.bytes,
        "views": views,
        "gmacs": round(counter.get_total_flops() / 2e9 * views, 3),
        "milliseconds": {
            device: _times(TorchEngine(network, folder.mean, folder.std, device), size, views)
            for device in devices
        },
        "machine": {"cpu": cpu_name(), "cores": os.cpu_count(), "threads": torch.get_num_threads()},
        "training": folder.config.get("training", {}),
    }


def _times(engine: TorchEngine, size: int, views: int) -> dict[str, float]:
    """Median milliseconds a picture at each batch size."""
    result = {}
    for batch in BATCHES:
        pixels = np.zeros((batch, size, size, 3), np.uint8)
        engine.logits(pixels)
        times: list[float] = []
        while len(times) < 3 or sum(times) < SECONDS:
            start = time.perf_counter()
            engine.logits(pixels)
            times.append(time.perf_counter() - start)
        result[f"batch_{batch}"] = round(statistics.median(times) / batch * views * 1000, 2)
    return result


def cpu_name() -> str:
    """The CPU's name, as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
