"""`tellsign models` as it is used, with folders of the test's own."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tellsign.cli import app
from tellsign.models.folder import FILES
from tests.model_folders import make

NAMES = {*FILES, "digests.json"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """State, data and cache of the test's own; the folder of installed models."""
    for name in ("STATE", "DATA", "CACHE"):
        monkeypatch.setenv(f"TELLSIGN_{name}", str(tmp_path / name.lower()))
    return tmp_path / "data" / "models"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make(tmp_path / "source")


def models(*words: str, answer: str = "") -> tuple[int, str]:
    """Exit status and everything that was printed, on one line."""
    result = CliRunner().invoke(app, ["models", *words], input=answer)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, " ".join(result.output.split())


def rows() -> dict[str, dict[str, Any]]:
    result = CliRunner().invoke(app, ["models", "list", "--json"])
    return {row["id"]: row for row in map(json.loads, result.stdout.splitlines())}


def left(home: Path) -> set[str]:
    """What lies in the folder of installed models, the lock aside."""
    return {path.name for path in home.iterdir()} - {".lock"}
