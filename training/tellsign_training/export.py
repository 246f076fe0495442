"""Trained weights -> a model folder that the daemon loads, with its card and digests."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tellsign.models import architectures
from tellsign.models.folder import FILES, sha256
from tellsign.models.quantised import quantised
from tellsign_training import journal
from tellsign_training.recipe import Recipe

UNCALIBRATED: dict[str, Any] = {
    "platt": {"a": -1.0, "b": 0.0},
    "thresholds": {"suspected": {"probability": 0.99}, "unsure": {"probability": 0.95}},
    "data": {"name": "not calibrated"},
}


def export(
    recipe: Recipe,
    weights: Path,
    folder: Path,
    calibration: dict[str, Any] | None,
    card: str,
    small: bool = False,
) -> None:
    """Write the model folder, its large matrices as int8 if it is to be `small`.

    It is complete or not there at all. What its training took is read from the log beside the
    weights, if there is one.
    """
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    trained = load_file(weights)
    described = dict(recipe.network)
    if "vectors" in trained:
        described["options"] = {"support_vectors": len(trained["vectors"])}
    network = architectures.create(described)
    network.load_state_dict(trained, strict=True)
    if isinstance(network, architectures.Levit):
        network.eval().fuse()
    trained = {k: v.contiguous() for k, v in network.state_dict().items()}
    save_file(quantised(trained) if small else trained, part / "model.safetensors")
    (part / "model.safetensors").chmod(0o644)
    _write(part / "config.json", _config(recipe, described, network) | _training(weights.parent))
    _write(part / "calibration.json", calibration or UNCALIBRATED)
    (part / "README.md").write_text(card, "utf-8")
    reseal(part)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def rewrite(folder: Path, name: str, data: dict[str, Any]) -> None:
    """Put other settings into a file of a model folder."""
    _write(folder / name, data)
    reseal(folder)


def reseal(folder: Path) -> None:
    """Write the digests of a model folder's files as they are now."""
    _write(folder / "digests.json", {name: sha256(folder / name) for name in FILES})


def _config(recipe: Recipe, described: dict[str, Any], network: torch.nn.Module) -> dict[str, Any]:
    size = recipe.views.size
    return {
        "id": recipe.id,
        "title": recipe.title,
        **described,
        "num_classes": 1,
        "parameters": sum(p.numel() for p in network.parameters()),
        "pretrained_cfg": {
            "input_size": [3, size, size], "mean": recipe.mean, "std": recipe.std,
            "interpolation": "lanczos", "crop_pct": 1.0, "num_classes": 1,
        },
        "views": recipe.views.as_dict(),
    }  # fmt: skip


def _training(run: Path) -> dict[str, Any]:
    """The hours and the estimated kWh of a training, as far as its log tells."""
    log = journal.read(run)
    last = log[-1] if log else {}
    spent = {name: last[name] for name in ("hours", "kwh") if name in last}
    return {"training": spent} if spent else {}


def _write(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2) + "\n", "utf-8")
