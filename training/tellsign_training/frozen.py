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
Compiled = Callable[[Array], tuple[Array, ...]]


def compiled(network: nn.Module, example: torch.Tensor, threads: int) -> Compiled:
    """A network in bfloat16 on the CPU: float32 [n, ...] -> its outputs; any n."""
    ov = library()
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # OpenVINO traces by an interface that torch deprecates
        model: Any = ov.convert_model(network.eval(), example_input=example)
    options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "bf16"}
    run = ov.Core().compile_model(model, "CPU", options)
    return lambda x: tuple(run(x).values())
