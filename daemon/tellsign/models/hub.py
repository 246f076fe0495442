"""Downloads the files of a model folder from the Hugging Face hub; `HF_ENDPOINT` names another.

huggingface_hub knows the hub's addresses, redirects and retries. Its `snapshot_download` is not
used: since version 2 it begins a file anew after an interruption, it leaves traces in the user's
own cache, and it has no bound on what a server sends.
"""

import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.file_download import http_get

from tellsign import __version__
from tellsign.models.files import NAMES, InstallError, Tell, Unfinished, bound, too_large

_ID = re.compile(r"([\w][\w.-]{0,95}/[\w][\w.-]{0,95})@(\S*)", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HEADERS = {"User-Agent": f"tellsign/{__version__}"}


@dataclass(frozen=True)
class Pinned:
    """One state of a repository, for ever the same."""

    repository: str
    commit: str

    def __str__(self) -> str:
        return f"{self.repository}@{self.commit}"


def parse(source: str) -> Pinned | None:
    """`owner/name@commit`; None if it does not look like that at all.

    Raises:
        InstallError: the commit is not one.
    """
    match = _ID.fullmatch(source)
    if match is None or ".." in match[1]:
        return None
    if not _COMMIT.fullmatch(match[2]):
        raise InstallError(
            f"Pin {match[1]} to a commit, {match[1]}@ and its 40 digits: a branch or a tag may mean"
            " something else tomorrow."
        )
    return Pinned(match[1], match[2])


def download(source: Pinned, into: Path, tell: Tell) -> None:
    """Fill a folder with a model's files; what is in it from an earlier try is gone on with.

    No token is sent, so only public models are found.

    Raises:
        Unfinished: the network or the hub failed; what has come so far stays.
        InstallError: the hub has no such model, or more than a model can be.
    """
    into.mkdir(exist_ok=True)
    for name in NAMES:
        if not (into / name).exists():
            try:
                _fetch(source, name, into / f"{name}.part", tell)
            except HfHubHTTPError as error:
                raise _answer(source, name, error) from None
            except InstallError:
                raise
            except Exception as error:  # the errors of two HTTP libraries, by version of the hub's
                why = str(error).strip().splitlines() or [type(error).__name__]
                raise Unfinished(f"The download of {name} broke off: {why[0]}") from None
            (into / f"{name}.part").replace(into / name)


def _fetch(source: Pinned, name: str, part: Path, tell: Tell) -> None:
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    url = hf_hub_url(source.repository, name, revision=source.commit, endpoint=endpoint)
    found = get_hf_file_metadata(url, token=False, headers=_HEADERS)
    if found.commit_hash not in (None, source.commit):
        raise InstallError(f"The hub answers with another commit of {source.repository}.")
    if found.size is None:
        raise InstallError(f"The hub does not say how large {name} is.")
    if found.size > bound(name):
        raise too_large(name)
    with _Part(part, name, found.size, tell) as file:
        http_get(
            found.location,
            file,
            resume_size=file.tell(),
            expected_size=found.size,
            headers=_HEADERS,
        )


class _Part(io.FileIO):
    """The file of a download, gone on with at its end and never longer than it was said to be."""

    def __init__(self, path: Path, name: str, size: int, tell: Tell) -> None:
        super().__init__(path, "ab")
        self._name, self._size, self._tell = name, size, tell
        if self.tell() > size:
            self.seek(0)
            self.truncate()
        self._tell(name, self.tell(), size)

    def write(self, data: Any, /) -> int:
        if self.tell() + len(data) > self._size:
            raise InstallError(f"The hub sends more of {self._name} than it said.")
        view = memoryview(data)
        while view:
            view = view[super().write(view) :]
        self._tell(self._name, self.tell(), self._size)
        return len(data)


def _answer(source: Pinned, name: str, error: HfHubHTTPError) -> InstallError:
    status = error.response.status_code
    if status in (401, 403, 404):
        return InstallError(f"The hub has no {name} in {source}, or not for everybody.")
    return Unfinished(f"The hub can't give {name} right now (status {status}); try again later.")
