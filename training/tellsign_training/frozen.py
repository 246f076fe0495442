"""Frozen networks that only make training data, run on OpenVINO."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tellsign.engines.openvino import library

Array = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Compiled = Callable[[Array], tuple[Array, ...]]
Read = Callable[[Pixels], tuple[Array, ...]]


def compiled(network: nn.Module, example: torch.Tensor, threads: int) -> Compiled:
    """A network in bfloat16 on the CPU: float32 [n, ...] -> its outputs; any n."""
    ov = library()
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # OpenVINO traces by an interface that torch deprecates
        model: Any = ov.convert_model(network.eval(), example_input=example)
    options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "bf16"}
    run = ov.Core().compile_model(model, "CPU", options)
    return lambda x: tuple(run(x).values())


def reader(network: nn.Module, mean: Array, std: Array, size: int, threads: int) -> Read:
    """The same of crops, uint8 [n, size, size, 3]; mean and deviation are in levels of 255."""
    run = compiled(network, torch.zeros(2, 3, size, size), threads)

    def read(crops: Pixels) -> tuple[Array, ...]:
        x = ((crops.astype(np.float32) - mean) / std).transpose(0, 3, 1, 2)
        return run(np.ascontiguousarray(x))

    return read
