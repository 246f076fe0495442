"""A signer, whom the tests' own trust list trusts, and entries by their kind."""

import faulthandler
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tellsign import provenance
from tellsign.provenance import trust

from . import making
from .signing import Authority, Signer, pem

Read = Callable[..., dict[str, dict[str, Any]]]
HANGS = 120.0
"""Seconds; what these tests read is read in a few milliseconds."""


@pytest.fixture(autouse=True)
def _own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLSIGN_DATA", str(tmp_path / "data"))


@pytest.fixture(autouse=True)
def _ends() -> Iterator[None]:
    """A reader that hangs fails the run, with a traceback that shows where."""
    faulthandler.dump_traceback_later(HANGS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def signer(authority: Authority) -> Signer:
    return authority.signer()


@pytest.fixture(scope="session")
def signed(signer: Signer) -> bytes:
    """A JPEG whose manifest says that AI made it."""
    return signer.sign(making.plain())


@pytest.fixture
def trusted(authority: Authority, tmp_path: Path) -> None:
    """The tests' authority is on the trust list."""
    path = tmp_path / "list.pem"
    path.write_text(pem(authority.root))
    trust.replace(path)


@pytest.fixture
def read(caplog: pytest.LogCaptureFixture) -> Read:
    """The entries of a file by their kind; no parser may have failed in a way nobody foresaw."""

    def read(
        data: bytes, format: str = "JPEG", image: Image.Image | None = None
    ) -> dict[str, dict[str, Any]]:
        entries = [entry.as_dict() for entry in provenance.read(data, format, image)]
        assert not caplog.records
        by_kind = {entry["kind"]: entry for entry in entries}
        assert len(by_kind) == len(entries)
        return by_kind

    return read
