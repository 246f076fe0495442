"""Brings models in and throws them out: whole or not at all, whatever kills the program.

A model is put together in a hidden folder beside its place, which nothing reads; it gets its name
by one rename, after all that can be wrong with it has been looked for. An older one of that name
keeps a hidden name meanwhile, under which it is found should the program be killed between the two
renames.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from tellsign.models import catalogue, hub
from tellsign.models.catalogue import Offer
from tellsign.models.files import (
    InstallError,
    Tell,
    Unfinished,
    copy_archive,
    copy_folder,
    discard,
    flush,
)
from tellsign.models.folder import DIGESTS, ModelFolder, ModelInfo
from tellsign.models.registry import BUNDLED, folder, installed, kept

PART = ".part-"
LOCAL = f"{PART}local"
WEEK = 7 * 24 * 3600.0
"""How long an interrupted download can be gone on with."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Installed:
    """A model that has been installed, and the digest of the weights that it replaced, if any."""

    info: ModelInfo
    replaced: str


def install(source: str, tell: Tell = lambda name, done, size: None) -> Installed:
    """Install a model from a folder, a ZIP archive, the hub or by its name in the catalogue.

    Raises:
        InstallError: the source can't be read or is refused.
        ModelError: the model is damaged.
    """
    offer = next((offer for offer in catalogue.offers() if offer.id == source), None)
    name, bring = _way(source, offer)
    with _alone():
        part, keep = installed() / name, False
        try:
            bring(part, tell)
            info = _checked(part, source, offer)
            replaced = weights_digest(installed() / info.id)
            _put(part, info.id)
        except (Unfinished, KeyboardInterrupt):
            keep = name != LOCAL
            raise
        finally:
            if not keep:
                discard(part)
    return Installed(info, replaced)


def remove(model_id: str) -> str:
    """Delete an installed model; the digest of its weights, or nothing if it had none.

    Raises:
        InstallError: it is bundled.
        UnknownModel: there is none of that name.
    """
    with _alone():
        path = folder(model_id)
        check_removable(path)
        digest = weights_digest(path)
        gone = installed() / f"{PART}gone"
        discard(gone)
        os.replace(path, gone)
        discard(gone)
    return digest


def check_removable(path: Path) -> None:
    """Raises: InstallError, if a model folder is bundled."""
    if path.parent == BUNDLED:
        raise InstallError(f"{path.name} comes with Tellsign and can't be removed.")


def weights_digest(path: Path) -> str:
    """What a model folder says is the digest of its weights; nothing if it says none."""
    try:
        digest = json.loads((path / DIGESTS).read_text("utf-8"))["model.safetensors"]
        return f"sha256:{digest}" if _SHA256.fullmatch(digest) else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _way(source: str, offer: Offer | None) -> tuple[str, Callable[[Path, Tell], None]]:
    """The name of the folder in which a model is put together, and what puts it there."""
    path = Path(source)
    if offer or not path.exists():
        pinned = hub.parse(offer.source if offer else source)
        if pinned:
            name = hashlib.sha256(str(pinned).encode()).hexdigest()[:16]
            return f"{PART}{name}", partial(hub.download, pinned)
    elif path.is_dir():
        return LOCAL, partial(copy_folder, path.resolve())
    elif path.is_file():
        return LOCAL, partial(copy_archive, path)
    raise InstallError(
        f"{source} is no folder, no ZIP archive, no model of the hub (owner/name@commit) and"
        " nothing that `tellsign models list` offers."
    )


def _checked(part: Path, source: str, offer: Offer | None) -> ModelInfo:
    """What a folder holds, if it is what it should be and its network takes its weights."""
    model = ModelFolder(part, source)
    if (BUNDLED / model.id).exists():
        raise InstallError(f"{model.id} is the name of a model that comes with Tellsign.")
    if offer and (model.id, model.digest) != (offer.id, offer.digest):
        raise InstallError(f"What the hub has is not the {offer.id} of the catalogue.")
    model.network()
    return model.info


def _put(part: Path, model_id: str) -> None:
    place, old = installed() / model_id, kept(model_id)
    flush(part)
    if os.path.lexists(place):
        os.replace(place, old)
    os.replace(part, place)
    discard(old)


@contextmanager
def _alone() -> Iterator[None]:
    """While no other process changes the installed models; what killed ones left is put right."""
    root = installed()
    root.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(root / ".lock", timeout=0):
            _put_right(root)
            yield
    except Timeout:
        raise InstallError("Another `tellsign models` is at work; wait for it to end.") from None


def _put_right(root: Path) -> None:
    for path in root.glob(".*.old"):
        model_id = path.name.removeprefix(".").removesuffix(".old")
        if os.path.lexists(root / model_id):
            discard(path)
        else:
            os.replace(path, root / model_id)
    for path in root.glob(f"{PART}*"):
        if time.time() - path.stat().st_mtime > WEEK:
            discard(path)
