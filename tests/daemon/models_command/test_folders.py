"""`tellsign models`: nothing comes in but whole models, nothing goes out but installed ones."""

import pickle
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from tellsign.models import ModelFolder, folder
from tellsign.server import choices
from tellsign.settings import DEFAULT_MODEL
from tests.hub import COMMIT
from tests.model_folders import make, reseal, set_config

from .conftest import NAMES, left, models, rows


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
