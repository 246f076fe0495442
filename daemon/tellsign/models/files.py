"""The files of a model folder on their way in: their names, their bounds, and local copies."""

import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO

from tellsign.models.folder import DIGESTS, FILES

NAMES = (DIGESTS, *(name for name in FILES if name != "model.safetensors"), "model.safetensors")
"""Small ones first: what is wrong with them is told before the large one is fetched."""
MOST_WEIGHTS = 2 * 2**30
"""Bytes; the largest network that can be trained here, ViT-L/16, has 1.2 GB."""
MOST_OTHER = 2**20

Tell = Callable[[str, int, int], None]
"""Told of progress: a file's name, its bytes so far, its bytes in all."""

CHUNK = 2**20


class InstallError(RuntimeError):
    """A model can't be brought in or thrown out; the message says why and what to do."""


class Unfinished(InstallError):
    """A download that broke off; the next try goes on with it."""


def bound(name: str) -> int:
    """Bytes that a file of a model folder may have."""
    return MOST_WEIGHTS if name == "model.safetensors" else MOST_OTHER


def too_large(name: str) -> InstallError:
    return InstallError(f"{name} is larger than {bound(name) // 2**20} MB, which no model needs.")


def copy_folder(source: Path, into: Path, tell: Tell) -> None:
    """Copy a model's files, and nothing else that is there.

    Raises:
        InstallError: one is missing, too large, or no plain file.
    """
    discard(into)  # a killed program's
    into.mkdir()
    for name in NAMES:
        path = source / name
        try:
            status = path.lstat()
        except FileNotFoundError:
            raise InstallError(f"{source} is no model folder: {name} is missing.") from None
        if not stat.S_ISREG(status.st_mode):
            raise InstallError(f"{path} is a link or something else that is no plain file.")
        with path.open("rb") as file:
            _copy(file, into / name, status.st_size, tell)


def copy_archive(source: Path, into: Path, tell: Tell) -> None:
    """Copy a model's files out of a ZIP archive, in which they lie at the top or in one folder.

    Raises:
        InstallError: it is none, or one of the files is missing, too large, or no plain file.
    """
    discard(into)  # a killed program's
    into.mkdir()
    try:
        with zipfile.ZipFile(source) as archive:
            members = _members(archive, source.name)
            for name in NAMES:
                with archive.open(members[name]) as file:
                    _copy(file, into / name, members[name].file_size, tell)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        if isinstance(error, InstallError):
            raise
        raise InstallError(f"{source.name} can't be read as a ZIP archive ({error}).") from None


def _members(archive: zipfile.ZipFile, source: str) -> dict[str, zipfile.ZipInfo]:
    """The model's files in an archive by name. Where it says they lie is never where they go."""
    for info in archive.infolist():
        path = PurePosixPath(info.filename)
        if path.is_absolute() or ".." in path.parts or set(info.filename) & set("\\:"):
            raise InstallError(f"{source} is refused: {info.filename!r} leads out of the archive.")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise InstallError(f"{source} is refused: {info.filename!r} is a link.")
    files = {info.filename: info for info in archive.infolist() if not info.is_dir()}
    tops = [path.parent for path in map(PurePosixPath, files) if path.name == DIGESTS]
    if len(tops) != 1 or len(tops[0].parts) > 1:
        raise InstallError(f"{source} does not hold one model folder.")
    found = {name: files.get(str(tops[0] / name)) for name in NAMES}
    for name, member in found.items():
        if member is None:
            raise InstallError(f"{source} holds no model folder: {name} is missing.")
    return {name: member for name, member in found.items() if member}


def _copy(source: IO[bytes], path: Path, size: int, tell: Tell) -> None:
    """Copy what was said to be so large; more than that is not taken."""
    if size > bound(path.name):
        raise too_large(path.name)
    done = 0
    with path.open("xb") as file:
        while data := source.read(min(CHUNK, size + 1 - done)):
            done += len(data)
            if done > size:
                raise InstallError(f"{path.name} is larger than it was said to be.")
            file.write(data)
            tell(path.name, done, size)


def flush(folder: Path) -> None:
    """Have a folder's files on the disk, before a rename makes them count."""
    for path in folder.iterdir():
        with path.open("r+b") as file:
            os.fsync(file.fileno())


def discard(path: Path) -> None:
    """Delete a folder, or the link that stands for one."""
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)
