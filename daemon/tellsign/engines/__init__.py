"""Runs a network on a device: torch on CUDA, MPS and the CPU, OpenVINO on the CPU."""

import os
import platform
import sys
from pathlib import Path

from tellsign.engines.cpu import CpuEngine
from tellsign.engines.engine import Engine, EngineStatus
from tellsign.engines.openvino import PRECISIONS
from tellsign.models.folder import ModelFolder

__all__ = ["Engine", "EngineStatus", "create"]


def create(folder: ModelFolder, device: str = "auto", precision: str = "auto") -> Engine:
    """The engine for a model.

    `device` is a name of torch's (cpu, cuda, mps), or `openvino` for the CPU at its fastest, or
    `auto`: a GPU if there is one, else `openvino`.

    Raises:
        ModelError: the network can't be made.
        ValueError: the device or the precision is not there.
    """
    if precision not in ("auto", *PRECISIONS):
        names = ", ".join(PRECISIONS)
        raise ValueError(f"The precision {precision!r} is not there; use auto or {names}.")
    if device == "openvino" or (device == "auto" and not _gpu()):
        return CpuEngine(folder, precision)
    from tellsign.engines.torch import TorchEngine

    return TorchEngine(folder.network(), folder.mean, folder.std, device, precision)


def _gpu() -> bool:
    """Whether torch has a GPU; it is not imported to be asked where no driver is."""
    if sys.platform == "darwin":
        driver = platform.machine() == "arm64"
    elif sys.platform == "win32":
        driver = (Path(os.environ.get("SYSTEMROOT", "C:/Windows")) / "System32/nvcuda.dll").exists()
    else:
        driver = any(Path("/dev", name).exists() for name in ("nvidiactl", "kfd", "dxg"))
    if not driver:
        return False
    from tellsign.engines.torch import choose_device

    return choose_device().type != "cpu"
