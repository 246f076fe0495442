"""Which models there are: those bundled with the program and those installed by the user."""

import logging
from pathlib import Path

from tellsign.models.folder import ModelError, ModelFolder, ModelInfo
from tellsign.settings import data_dir

BUNDLED = Path(__file__).parent.parent / "weights"

log = logging.getLogger(__name__)


class UnknownModel(LookupError):
    """No model of that name is bundled or installed."""


def _folders() -> dict[str, Path]:
    roots = (BUNDLED, data_dir() / "models")
    return {
        path.parent.name: path.parent
        for root in roots
        for path in sorted(root.glob("*/config.json"))
    }


def folder(model_id: str) -> Path:
    """The folder of a model.

    Raises:
        UnknownModel: with the names that there are.
    """
    folders = _folders()
    if model_id not in folders:
        names = ", ".join(folders) or "none"
        raise UnknownModel(f"There is no model {model_id!r}. Available: {names}.")
    return folders[model_id]


def available() -> list[ModelInfo]:
    """All models that can be used; a damaged one is left out with a log line."""
    found = []
    for path in _folders().values():
        try:
            found.append(ModelFolder(path).info)
        except ModelError as error:
            log.warning("%s", error)
    return found
