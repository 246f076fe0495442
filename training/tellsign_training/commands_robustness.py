"""`tellsign-train robustness`: noise, blur and attacks."""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tellsign.engines.torch import TorchEngine
from tellsign.models.folder import ModelError, ModelFolder
from tellsign.picture import PictureError
from tellsign_training.data import DataError, Sample, read
from tellsign_training.evaluate import told
from tellsign_training.robustness import figures, logits
from tellsign_training.selection import evenly
from tellsign_training.terminal import Data, Model, stop


def robustness_command(
    model: Model,
    data: Data,
    out: Annotated[Path | None, typer.Option(help="Write the figures to this JSON file.")] = None,
    split: str = "test",
    most: Annotated[
        int, typer.Option(help="Pictures of each class, evenly over the sources.", min=1)
    ] = 100,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Measure a calibrated model under noise, blur, and an attacker who knows its weights.

    FGSM and PGD change the views by 1 and 2 levels of 255, towards the wrong verdict. Ctrl-C ends
    it with the figures of the pictures that are done. Leaks are not looked for: run evaluate first.
    """
    try:
        folder = ModelFolder(model)
        engine = TorchEngine(folder.network(), folder.mean, folder.std, device)
        samples = evenly(read(data, split), most)
    except (DataError, ModelError, ValueError) as error:
        stop(str(error))
    found: list[dict[str, float]] = []
    done: list[Sample] = []
    turns = np.random.default_rng(0).permutation(len(samples))  # both classes at any time
    try:
        for i in track(turns, model.name, console=Console(stderr=True)):
            try:
                found.append(logits(engine, folder.plan, samples[i], int(i)))
            except PictureError as error:
                print(f"left out {samples[i].path}: {error.message}")
            else:
                done.append(samples[i])
    except KeyboardInterrupt:
        print(f"Stopped: these are the figures of {len(done)} of {len(samples)} pictures.")
    ai = np.array([sample.ai for sample in done], bool)
    if not ai.any() or ai.all():
        stop("There are no pictures of both classes to tell of.")
    result = figures(found, ai, folder.calibration)
    if out:
        whole = {"model": folder.info.as_dict(), "pictures": len(done), "figures": result}
        out.write_text(json.dumps(whole, indent=2) + "\n", "utf-8")
    table = Table("", "AUC", "AI suspected", "real suspected")
    for name, one in result.items():
        table.add_row(name, *(told(one[key]) for key in ("auc", "suspected_ai", "suspected_real")))
    Console().print(table)
