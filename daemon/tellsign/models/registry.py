"""Which models there are: those bundled with the program and those installed by the user."""

import logging
from dataclasses import dataclass
from pathlib import Path

from tellsign.models.folder import DIGESTS, FILES, ID, ModelError, ModelFolder, ModelInfo
from tellsign.settings import data_dir

BUNDLED = Path(__file__).parent.parent / "weights"

log = logging.getLogger(__name__)


class UnknownModel(LookupError):
    """No model of that name is bundled or installed."""


@dataclass(frozen=True)
class Entry:
    """A model's place, and its checked folder or why it can't be used."""

    id: str
    path: Path
    bundled: bool
    folder: ModelFolder | None
    problem: str


def installed() -> Path:
    """Where installed models are, a folder each."""
    return data_dir() / "models"


def kept(model_id: str) -> Path:
    """Where a model stays while a newer one of its name is put into its place."""
    return installed() / f".{model_id}.old"


def folders() -> dict[str, Path]:
    """The folder of each model by name; no other name than a model's own can lead to one."""
    places = {path.parent.name: path.parent for path in sorted(installed().glob("*/config.json"))}
    for path in sorted(installed().glob(".*.old/config.json")):
        model_id = path.parent.name.removeprefix(".").removesuffix(".old")
        places.setdefault(model_id, path.parent)  # a replacement was killed half-way
    bundled = {path.parent.name: path.parent for path in sorted(BUNDLED.glob("*/config.json"))}
    return {name: path for name, path in (places | bundled).items() if ID.fullmatch(name)}


def folder(model_id: str) -> Path:
    """The folder of a model.

    Raises:
        UnknownModel: with the names that there are.
    """
    found = folders()
    if model_id not in found:
        names = ", ".join(found) or "none"
        raise UnknownModel(f"There is no model {model_id!r}. Available: {names}.")
    return found[model_id]


def entries() -> list[Entry]:
    """All models, damaged ones too, in the order of their names, the bundled ones first."""
    found = [
        Entry(name, path, path.parent == BUNDLED, *_examined(name, path))
        for name, path in folders().items()
    ]
    return sorted(found, key=lambda entry: (not entry.bundled, entry.id))


def available() -> list[ModelInfo]:
    """All models that can be used; a damaged one is left out with a log line."""
    return [entry.folder.info for entry in entries() if entry.folder]


Stamp = tuple[tuple[int, int, int], ...]

_seen: dict[Path, tuple[Stamp, ModelFolder | None, str]] = {}


def _examined(model_id: str, path: Path) -> tuple[ModelFolder | None, str]:
    """A folder's model or its problem. Digests take a while: they are taken anew when a file has
    changed, and in any case when a model is loaded."""
    stamp = _stamp(path)
    if path in _seen and _seen[path][0] == stamp:
        return _seen[path][1:]
    found: ModelFolder | None = None
    problem = ""
    try:
        model = ModelFolder(path, model_id)
        if model.id == model_id:
            found = model
        else:
            problem = f"The model folder {model_id} holds the model {model.id}."
    except ModelError as error:
        problem = str(error)
    if problem:
        log.warning("%s", problem)
    _seen[path] = (stamp, found, problem)
    return found, problem


def _stamp(path: Path) -> Stamp:
    stamp = []
    for name in (*FILES, DIGESTS):
        try:
            status = (path / name).stat()
            stamp.append((status.st_ino, status.st_size, status.st_mtime_ns))
        except OSError:
            stamp.append((0, 0, 0))
    return tuple(stamp)
