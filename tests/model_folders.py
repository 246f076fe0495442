"""Model folders for tests: the bundled model under another name, its logits moved."""

import json
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

from tellsign.models import folder
from tellsign.models.folder import FILES, sha256
from tellsign.models.quantised import restored
from tellsign.models.registry import BUNDLED
from tellsign.settings import DEFAULT_MODEL

SHIPPED = {path.parent.name for path in BUNDLED.glob("*/config.json")}
"""The models that come with the program."""


def make(path: Path, model_id: str = "other", shift: float = 0.0) -> Path:
    """A whole model folder whose every logit is the bundled model's and `shift`."""
    shutil.copytree(folder(DEFAULT_MODEL), path)
    set_config(path, id=model_id, title=model_id.title())
    if shift:
        weights = load_file(path / "model.safetensors")
        weights["head.4.bias"] = weights["head.4.bias"] + shift
        save_file(weights, path / "model.safetensors")
    reseal(path)
    return path


def in_floats(path: Path) -> Path:
    """A model folder with nothing of its weights as int8 any more: three times the bytes."""
    weights = restored(load_file(path / "model.safetensors"))
    save_file(weights, path / "model.safetensors")
    reseal(path)
    return path


def set_config(path: Path, **change: object) -> None:
    config = json.loads((path / "config.json").read_text("utf-8"))
    (path / "config.json").write_text(json.dumps(config | change), "utf-8")
    reseal(path)


def reseal(path: Path) -> None:
    """Write the digests of the files as they are now."""
    digests = {name: sha256(path / name) for name in FILES}
    (path / "digests.json").write_text(json.dumps(digests), "utf-8")
