"""Runs a network on a device: torch on CUDA, MPS and the CPU, OpenVINO on the CPU."""

import ctypes
import gc
import os
import platform
import sys
from pathlib import Path

from tellsign.engines.cpu import CpuEngine
from tellsign.engines.engine import Engine, EngineStatus
from tellsign.models.folder import PRECISIONS, ModelFolder

__all__ = ["Engine", "EngineStatus", "create", "has_gpu_driver", "release"]


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


def release() -> None:
    """Give back to the machine what is kept for networks that nobody holds any more."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    elif torch and torch.backends.mps.is_available():
        torch.mps.empty_cache()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; it frees 118 of 148 MB
        if trim:
            trim(0)


def has_gpu_driver() -> bool:
    """Whether torch may find a GPU here, seen without importing it."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    if sys.platform == "win32":
        return (Path(os.environ.get("SYSTEMROOT", "C:/Windows")) / "System32/nvcuda.dll").exists()
    return any(Path("/dev", name).exists() for name in ("nvidiactl", "kfd", "dxg"))


def _gpu() -> bool:
    """Whether torch has a GPU; it is not imported to be asked where no driver is."""
    if not has_gpu_driver():
        return False
    from tellsign.engines.torch import choose_device

    return choose_device().type != "cpu"
