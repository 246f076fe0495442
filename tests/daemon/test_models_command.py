"""`tellsign models`: nothing comes in but whole models, nothing goes out but installed ones."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from tellsign.cli import app
from tellsign.models import ModelFolder, catalogue, files, folder
from tellsign.models.folder import FILES
from tellsign.server import choices
from tellsign.settings import DEFAULT_MODEL
from tests.hub import COMMIT, Hub, serve
from tests.model_folders import SHIPPED, in_floats, make, reseal, set_config

NAMES = {*FILES, "digests.json"}
SOURCE = f"owner/name@{COMMIT}"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """State, data and cache of the test's own; the folder of installed models."""
    for name in ("STATE", "DATA", "CACHE"):
        monkeypatch.setenv(f"TELLSIGN_{name}", str(tmp_path / name.lower()))
    return tmp_path / "data" / "models"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make(tmp_path / "source")


@pytest.fixture
def hub(source: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve(source) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        yield hub


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


def zipped(source: Path, top: str = "") -> Path:
    path = source.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for name in NAMES:
            archive.write(source / name, top + name)
    return path


def test_the_life_of_a_model(home: Path, source: Path, tmp_path: Path) -> None:
    (source / "notes.txt").write_text("not of the model")
    assert models("install", str(source))[0] == 0
    assert {path.name for path in (home / "other").iterdir()} == NAMES
    assert rows()["other"]["state"] == "installed"
    assert rows()[DEFAULT_MODEL]["in_use"]

    assert models("use", "other") == (0, "Tellsign will start with other.")
    assert rows()["other"]["in_use"]
    assert (tmp_path / "state" / "choices.json").stat().st_mode & 0o777 == 0o600

    graphs = tmp_path / "cache" / "graphs"
    ours = graphs / f"{ModelFolder(home / 'other').digest[7:23]}-1"
    for path in (ours, graphs / "0123456789abcdef-1"):
        path.mkdir(parents=True)
    set_config(home / "other", title="Same weights as the bundled one")
    assert models("remove", "other", answer="n\n")[0] == 1
    assert "other" in rows()
    status, said = models("remove", "other", "--yes")
    assert (status, "in use; levit-128s will take its place" in said) == (0, True)
    assert left(home) == set()
    assert choices.model(tmp_path / "state") == DEFAULT_MODEL
    assert ours.exists()  # the bundled model has these weights too


def test_graphs_go_with_their_model(home: Path, tmp_path: Path) -> None:
    graphs = tmp_path / "cache" / "graphs"
    (graphs / "0123456789abcdef-1").mkdir(parents=True)
    ours = []
    for shift in (1.0, 2.0):
        made = make(tmp_path / str(shift), "other", shift)
        ours.append(graphs / f"{ModelFolder(made).digest[7:23]}-1")
        ours[-1].mkdir()
        assert models("install", str(made))[0] == 0
    assert [path.exists() for path in ours] == [False, True]
    assert models("remove", "other", "--yes")[0] == 0
    assert [path.name for path in graphs.iterdir()] == ["0123456789abcdef-1"]


def test_a_damaged_one_may_claim_anything_of_its_weights(home: Path, tmp_path: Path) -> None:
    """Its digest is part of a pattern by which graphs are deleted."""
    (tmp_path / "cache" / "graphs").mkdir(parents=True)
    (tmp_path / "cache" / "precious-1").mkdir()
    (home / "bad").mkdir(parents=True)
    (home / "bad" / "config.json").write_text("{}")
    (home / "bad" / "digests.json").write_text('{"model.safetensors": "../precious"}')
    said = models("list")[1]
    assert "bad can't be used" in said
    assert rows()["bad"]["state"] == "damaged"
    assert models("remove", "bad", "--yes")[0] == 0
    assert (tmp_path / "cache" / "precious-1").exists()


@pytest.mark.parametrize("top", ["", "other/"])
def test_install_an_archive(home: Path, source: Path, top: str) -> None:
    assert models("install", str(zipped(source, top)))[0] == 0
    assert ModelFolder(folder("other")).id == "other"


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def pickled(source: Path) -> Path:
    data = pickle.dumps(Bomb(source.parent / "exploded"))
    (source / "model.safetensors").write_bytes(data)
    reseal(source)
    return source


def damaged(source: Path) -> Path:
    with (source / "model.safetensors").open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"damage")
    return source


def linked(source: Path) -> Path:
    (source / "README.md").rename(source.parent / "README.md")
    (source / "README.md").symlink_to(source.parent / "README.md")
    return source


def large(source: Path) -> Path:
    with (source / "README.md").open("r+b") as file:
        file.truncate(2**30)
    return source


def without(source: Path) -> Path:
    (source / "calibration.json").unlink()
    return source


def escaping(source: Path) -> Path:
    path = zipped(source)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../escaped", "x")
    return path


def linking(source: Path) -> Path:
    path = zipped(source)
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/etc/passwd")
    return path


def bomb(source: Path) -> Path:
    path = source.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in NAMES:
            archive.writestr(name, bytes(2**21) if name == "digests.json" else b"")
    return path


def called(model_id: str) -> Callable[[Path], Path]:
    def call(source: Path) -> Path:
        set_config(source, id=model_id)
        return source

    return call


def other_network(source: Path) -> Path:
    set_config(source, architecture="resnet18")
    return source


def huge_views(source: Path) -> Path:
    set_config(source, views={"size": 224, "long_side": 768, "crops": 10**9})
    return source


def no_archive(source: Path) -> Path:
    return source / "model.safetensors"


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (pickled, "weights can't be read"),
        (damaged, "model.safetensors differs from its digest"),
        (linked, "README.md is a link"),
        (large, "README.md is larger than 1 MB"),
        (without, "calibration.json is missing"),
        (escaping, "leads out of the archive"),
        (linking, "is a link"),
        (bomb, "digests.json is larger than 1 MB"),
        (no_archive, "can't be read as a ZIP archive"),
        (called("../../evil"), "the id '../../evil' is not"),
        (called("Other"), "the id 'Other' is not"),
        (called(DEFAULT_MODEL), "comes with Tellsign"),
        (other_network, "can't be used"),
        (huge_views, "no picture can be cut"),
    ],
)
def test_what_is_refused_leaves_the_old_one(
    home: Path, source: Path, spoil: Callable[[Path], Path], why: str
) -> None:
    make(home / "other", shift=1.0)
    before = ModelFolder(home / "other").digest
    status, said = models("install", str(spoil(source)))
    assert (status, why in said) == (1, True), said
    assert left(home) == {"other"}
    assert ModelFolder(folder("other")).digest == before
    assert not (source.parent / "exploded").exists()
    assert not list(source.parent.rglob("e[vs]*"))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["install", "nowhere"], "nothing that `tellsign models list` offers"),
        (["install", "owner/name@main"], "Pin owner/name to a commit"),
        (["install", f"../name@{COMMIT}"], "is no folder"),
        (["use", "../../etc"], "There is no model '../../etc'"),
        (["remove", "..", "--yes"], "There is no model '..'"),
        (["remove", DEFAULT_MODEL, "--yes"], "comes with Tellsign"),
    ],
)
def test_what_makes_no_sense(home: Path, words: list[str], why: str) -> None:
    status, said = models(*words)
    assert (status, why in said) == (1, True), said


def test_one_at_a_time(home: Path, source: Path) -> None:
    home.mkdir(parents=True)
    with FileLock(home / ".lock"):
        status, said = models("install", str(source))
    assert (status, "Another `tellsign models` is at work" in said) == (1, True)


KILLED = """
import os, signal, sys
from tellsign.models import install
moves, replace = [], os.replace
def killing(source, target):
    moves.append(target)
    if len(moves) == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
os.replace = killing
install.install(sys.argv[2])
"""


@pytest.mark.parametrize("move", [1, 2])
def test_killed_between_the_renames(home: Path, source: Path, tmp_path: Path, move: int) -> None:
    make(home / "other", shift=1.0)
    before = ModelFolder(folder("other")).digest
    command = [sys.executable, "-c", KILLED, str(move), str(source)]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    assert ModelFolder(folder("other")).digest == before
    assert rows()["other"]["state"] == "installed"
    assert models("install", str(source))[0] == 0
    assert ModelFolder(folder("other")).digest == ModelFolder(source).digest
    assert left(home) == {"other"}


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
