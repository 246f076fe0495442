"""Makes the OpenVINO graph of a network, and finds out whether it does what the network does.

Run as a program, `python -m tellsign.engines.convert MODEL_FOLDER`, it puts the graph of a model
into the cache. So does the daemon, because a conversion takes seconds of work, hundreds of
megabytes that Python does not give back, and warning filters that belong to the whole process.
"""

import os
import sys
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tellsign.engines.graphs import Graphs
from tellsign.engines.openvino import OpenVINOEngine, library
from tellsign.engines.probe import TOLERANCE, difference, probe
from tellsign.engines.torch import TorchEngine, out_of_memory
from tellsign.models.folder import ModelFolder


def convert(network: nn.Module, mean: Sequence[float], std: Sequence[float], size: int) -> Any:
    """The graph of a network and its normalisation: uint8 [1, size, size, 3] -> logit [1] (or so).

    The network is on the CPU, has been called before, and is left as it was.
    """
    ov = library()
    from openvino.preprocess import PrePostProcessor

    with torch.no_grad(), warnings.catch_warnings():
        # LeViT keeps its attention biases between calls; they are constants to the graph.
        warnings.filterwarnings("ignore", "The tensor attribute", UserWarning)
        exported = torch.export.export(network, (torch.zeros(1, 3, size, size),), strict=False)
        graph = ov.convert_model(exported)
    processor = PrePostProcessor(graph)
    entry = processor.input()
    entry.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    entry.model().set_layout(ov.Layout("NCHW"))
    steps = entry.preprocess().convert_element_type(ov.Type.f32)
    steps.mean([value * 255 for value in mean]).scale([value * 255 for value in std])
    return processor.build()


def fill(folder: ModelFolder, graphs: Graphs) -> None:
    """Put a model's graph into the cache, or why it has none."""
    engine = TorchEngine(folder.network(), folder.mean, folder.std, "cpu")
    views = probe(folder.plan.size)
    wanted = engine.logits(views)
    try:
        graph = convert(engine.network, folder.mean, folder.std, folder.plan.size)
        off = difference(OpenVINOEngine(graph).logits(views), wanted)
    except Exception as error:  # whatever a converter or a compiler raises on a network
        if out_of_memory(error):
            raise  # another time there may be enough
        graphs.refuse(f"the conversion failed ({_line(error)})")
        return
    if off > TOLERANCE:
        graphs.refuse(f"its logits are off by {off:.2g}")
    else:
        graphs.put(graph, wanted)


def _line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[-1][:200]


def _stop_with_parent() -> None:
    """Standard input ends when the process that started this one does, even if it is killed."""
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(10)
    folder = ModelFolder(Path(sys.argv[1]))
    graphs = Graphs(folder)
    fill(folder, graphs)
    if not folder.path.exists():  # removed meanwhile
        graphs.discard()


if __name__ == "__main__":
    main()
