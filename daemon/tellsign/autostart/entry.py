"""What all systems share: what is to be started, and files that only their maker changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tellsign import files


class AutostartError(RuntimeError):
    """Start at login can't be set; the message says why and what to do."""


@dataclass(frozen=True)
class Start:
    """A program, what of the environment it needs, the folders that it writes to, and those in
    which it lies itself."""

    program: Sequence[str]
    environment: Mapping[str, str]
    folders: Sequence[Path]
    lies_in: Sequence[Path] = ()


def write(path: Path, content: str, mark: str) -> None:
    """Put an own file in place, whole at any moment.

    Raises:
        AutostartError: somebody else's file is there, which has no `mark`.
    """
    _refuse_foreign(path, mark)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, content)


def remove(path: Path, mark: str) -> None:
    """Take an own file away.

    Raises:
        AutostartError: it is somebody else's.
    """
    _refuse_foreign(path, mark)
    path.unlink(missing_ok=True)


def is_own(path: Path, mark: str) -> bool:
    return path.is_file() and mark in path.read_text("utf-8", "replace")


def _refuse_foreign(path: Path, mark: str) -> None:
    if path.exists() and not is_own(path, mark):
        raise AutostartError(f"{path} is not Tellsign's own. Look at it, and delete it yourself.")
