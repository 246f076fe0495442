"""`tellsign models`: what comes from the hub."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tellsign.models import ModelFolder, catalogue, files, folder
from tests.hub import COMMIT, Hub, serve
from tests.model_folders import SHIPPED, in_floats, make

from .conftest import NAMES, left, models, rows

SOURCE = f"owner/name@{COMMIT}"


@pytest.fixture
def hub(source: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve(source) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        yield hub


def test_download(home: Path, hub: Hub) -> None:
    status, said = models("install", SOURCE)
    assert (status, "Installed: other" in said) == (0, True), said
    assert {path.name for path in (home / "other").iterdir()} == NAMES
    paths = {path for _, path, _ in hub.asked}
    assert paths == {f"/owner/name/resolve/{COMMIT}/{name}" for name in NAMES}
    for _, _, headers in hub.asked:
        assert "authorization" not in headers
        assert headers["user-agent"].startswith("tellsign/")
        assert "torch" not in headers["user-agent"]


def test_killed_download_is_gone_on_with(home: Path, source: Path, hub: Hub) -> None:
    in_floats(source)  # larger than what is downloaded before some of it is written
    hub.stall_after = 12 * 2**20
    command = [sys.executable, "-m", "tellsign", "models", "install", SOURCE]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not any(path.stat().st_size for path in home.glob("*/model.safetensors.part")):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert set(rows()) == SHIPPED
    hub.stall_after = None
    hub.asked.clear()
    assert models("install", SOURCE)[0] == 0
    [(_, path, headers)] = [asked for asked in hub.asked if asked[0] == "GET"]
    assert path.endswith("model.safetensors")
    assert int(headers["range"].removeprefix("bytes=").removesuffix("-")) > 0
    assert ModelFolder(folder("other")).digest == ModelFolder(source).digest
    assert left(home) == {"other"}


def test_a_part_that_was_changed_meanwhile_is_thrown_away(
    home: Path, source: Path, hub: Hub
) -> None:
    in_floats(source)
    hub.stall_after = 12 * 2**20
    process = subprocess.Popen([sys.executable, "-m", "tellsign", "models", "install", SOURCE])
    while not (parts := [p for p in home.glob("*/*.part") if p.stat().st_size > 2**20]):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    with parts[0].open("r+b") as file:
        file.seek(2**20)
        file.write(b"damage")
    hub.stall_after = None
    status, said = models("install", SOURCE)
    assert (status, "model.safetensors differs from its digest" in said) == (1, True)
    assert models("install", SOURCE)[0] == 0


def too_much(hub: Hub, patch: pytest.MonkeyPatch) -> None:
    hub.surplus = bytes(1000)


def too_large(hub: Hub, patch: pytest.MonkeyPatch) -> None:
    hub.sizes["model.safetensors"] = files.MOST_WEIGHTS + 1


def not_there(hub: Hub, patch: pytest.MonkeyPatch) -> None:
    (hub.folder / "README.md").unlink()


def no_hub(hub: Hub, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (too_much, "sends more of digests.json than it said"),
        (too_large, "model.safetensors is larger than 2048 MB"),
        (not_there, f"The hub has no README.md in {SOURCE}"),
        (no_hub, "The download of digests.json broke off"),
    ],
)
def test_downloads_that_are_refused(
    home: Path,
    hub: Hub,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Hub, pytest.MonkeyPatch], None],
    why: str,
) -> None:
    spoil(hub, monkeypatch)
    status, said = models("install", SOURCE)
    assert (status, why in said) == (1, True), said
    assert set(rows()) == SHIPPED
    assert spoil is no_hub or left(home) == set()


@pytest.fixture
def offer(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a catalogue with one model says of it."""
    info = ModelFolder(source).info
    entry = {
        "id": "other",
        "title": "Other",
        "source": SOURCE,
        "digest": info.digest,
        "bytes": info.bytes,
        "parameters": info.parameters,
    }
    (tmp_path / "catalogue.json").write_text(json.dumps({"models": [entry]}))
    monkeypatch.setattr(catalogue, "FILE", tmp_path / "catalogue.json")
    return entry


def test_install_from_the_catalogue(home: Path, hub: Hub, offer: dict[str, Any]) -> None:
    assert rows()["other"]["state"] == "downloadable"
    assert "7.5 M parameters" in models("list")[1]
    assert models("install", "other")[0] == 0
    assert rows()["other"]["state"] == "installed"


def test_hub_with_another_model_than_the_catalogue(
    home: Path, hub: Hub, offer: dict[str, Any], tmp_path: Path
) -> None:
    shutil.rmtree(hub.folder)
    make(hub.folder, "other", shift=9.0)
    status, said = models("install", "other")
    assert (status, "is not the other of the catalogue" in said) == (1, True)
    assert rows()["other"]["state"] == "downloadable"


def test_the_catalogue_that_is_shipped() -> None:
    for offer in catalogue.offers():
        assert len(offer.digest) == len("sha256:") + 64
        assert offer.source.count("@") == 1


def test_nothing_of_the_hub_is_left_elsewhere(home: Path, hub: Hub, tmp_path: Path) -> None:
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "tellsign", "models", "install", SOURCE]
    assert subprocess.run(command, env=environment).returncode == 0
    assert not (tmp_path / "hf").exists()
    assert not list((tmp_path / "home").rglob("*"))
