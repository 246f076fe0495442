"""The commands that measure, from files to figures, with the bundled model."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from tellsign.detector import Detector
from tellsign.models import folder
from tellsign.models.folder import ModelFolder
from tellsign_training import commands_measure, cost
from tellsign_training.cli import app
from tellsign_training.data import read
from tellsign_training.delivery import FORMATS, TIERS
from tellsign_training.scores import score
from tests.conftest import saved
from tests.training.test_leaks import drawing
from tests.training.test_report import Page

MODEL = folder("levit-128s")
ALL = [tier.name for tier in TIERS + FORMATS]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands_measure, "WORKERS", 1)
    monkeypatch.setattr(cost, "SECONDS", 0.0)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of 12 pictures of `test`, and a manifest of the same and 2 more that leak."""
    root = tmp_path / "data"
    rows = []
    for i in range(14):
        ai = i % 2 == 0
        split, generator = ("test", "Flux") if i < 12 else ("train", "SDXL")
        if i == 0 or i == 12:
            generator = "Both"
        name = f"{split}/{'fake' if ai else 'real'}/{'' if ai else 'x'}{i}.png"
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        # The last one shows what the second one does.
        image = drawing(1 if i == 13 else i, (240, 230 + i))
        (root / name).write_bytes(saved(image, "PNG"))
        source = f"{split}{i % 4}"
        rows.append([f"data/{name}", split, "ai" if ai else "real", generator, source])
    with (tmp_path / "data.csv").open("w", newline="") as file:
        head = ["path", "split", "label", "generator", "source_id"]
        csv.writer(file).writerows([head, *rows])
    return root


def run(*command: object) -> Result:
    return CliRunner().invoke(app, list(map(str, command)))


def test_leaks_stop_a_measurement_or_are_left_out(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["evaluate", MODEL, "--data", tmp_path / "data.csv", "--out", out]
    refused = run(*command)
    assert refused.exit_code == 1
    assert 'The generator "Both" is in train and in test' in refused.output
    assert "1 of 12 pictures of test leak by picture" in refused.output
    assert "--drop-leaks" in refused.output
    assert not (out / "report.json").exists()
    assert not (out / "scores").exists()

    command += ["--drop-leaks", "--most", 4]
    done = run(*command, "--deliveries", "thumb, clean")
    assert done.exit_code == 0, done.output
    assert "Left out of test, for a shared picture: 1 pictures" in done.output
    assert "At most 4 pictures of each class are measured, of 5 AI and 5 real" in done.output
    found = json.loads((out / "report.json").read_text("utf-8"))
    assert found["data"] == tmp_path.name
    left_out = found["leaks"]["left_out"]
    assert {kind: one["pictures"] for kind, one in left_out.items()} == {
        "picture": 1, "generator": 1,
    }  # fmt: skip
    assert found["leaks"]["compared"] == 2
    assert found["part"] == {"most": 4, "seed": 0, "of": {"ai": 5, "real": 5}}
    assert found["shortcuts"]["as a network gets them"]["pictures"] == 10
    [figures] = found["models"].values()
    assert figures["pictures"] == {"ai": 4, "real": 4}
    assert list(figures["tiers"]) == ["clean", "thumb"]
    page = Page(out / "report.html").text
    assert "Leak check: 2 pictures left out" in page
    assert "Not all deliveries: clean, thumb" in page

    assert run(*command).exit_code == 0  # in all deliveries, two of which are known
    [kept] = (out / "scores").iterdir()
    shutil.rmtree(data)  # now nothing is read any more
    again = run(*command, "--deliveries", "clean,thumb")
    assert again.exit_code == 0, again.output
    same = json.loads((out / "report.json").read_text("utf-8"))
    assert same["models"]["levit-128s"]["tiers"] == figures["tiers"]
    assert {**same, "models": 0} == {**found, "models": 0}
    assert len(kept.read_text("utf-8").splitlines()) == 1 + 2 * 8


def test_two_models_are_measured_on_a_folder_by_one_command(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first may run on torch, which rounds bfloat16 otherwise than the graph that it leaves.
    monkeypatch.setenv("TELLSIGN_PRECISION", "f32")
    models = [shutil.copytree(MODEL, tmp_path / name / "levit") for name in "ab"]
    out = tmp_path / "out"
    shutil.rmtree(data / "train")
    command = ["evaluate", *models, "--data", data, "--out", out]
    done = run(*command)
    assert done.exit_code == 0, done.output
    assert "there is no other split than test to compare with" in done.output
    assert len(list((out / "scores").iterdir())) == 2
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert report["data"] == "data"
    assert list(report["models"]) == ["levit", "levit (2)"]
    one, two = report["models"].values()
    assert one["tiers"] == two["tiers"]
    assert list(one["tiers"]) == ALL
    assert one["cost"]["parameters"] == 7503075
    # 0.305 GMACs are the paper's for one view without its classifier (Graham et al., 2021).
    assert one["cost"]["gmacs"] / one["cost"]["views"] == pytest.approx(0.305, rel=0.05)
    assert "| clean |" in done.output

    assert run(*command, "--scores", "x.csv").exit_code == 2
    assert run(*command[:-3], "no.csv", *command[-2:]).exit_code == 2
    unknown = run(*command, "--deliveries", "clean,webp")
    assert unknown.exit_code == 2
    assert "No delivery is called webp. Known: clean, web, hard, thumb, webp 70" in " ".join(
        unknown.output.split()
    )
    absent = run(*command, "--split", "val")
    assert absent.exit_code == 2
    assert "no picture of split val" in " ".join(absent.output.split())


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> list[list[bytes]]:
    """Made pictures that the bundled model scores low, and those that it scores high."""
    root = tmp_path_factory.mktemp("halves") / "val" / "real"
    root.mkdir(parents=True)
    for i in range(12):
        (root / f"{i}.png").write_bytes(saved(drawing(i, (250, 240)), "PNG"))
    found = score(Detector.load(MODEL, "cpu"), read(root.parents[1], "val"), TIERS, 1)
    order = np.argsort(found.logits.mean(1))
    files = [(root / Path(found.path[i]).name).read_bytes() for i in order]
    return [files[:6], files[6:]]


@pytest.mark.parametrize("right", [True, False])
def test_a_folder_calibrates_a_model_that_ranks_the_right_way(
    right: bool, halves: list[list[bytes]], tmp_path: Path
) -> None:
    for name, files in zip(["real", "fake"] if right else ["fake", "real"], halves, strict=True):
        (tmp_path / "faces" / "val" / name).mkdir(parents=True)
        for i, data in enumerate(files):
            (tmp_path / "faces" / "val" / name / f"{i}.png").write_bytes(data)
    model = shutil.copytree(MODEL, tmp_path / "model")
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    done = run("calibrate", model, "--data", tmp_path / "faces")
    calibration = ModelFolder(model).calibration
    if right:
        assert done.exit_code == 0, done.output
        assert calibration.a < 0
        assert json.loads((model / "calibration.json").read_text())["data"] == {
            "name": "faces", "split": "val", "tiers": ALL[:4], "ai": 6, "real": 6,
        }  # fmt: skip
    else:
        assert done.exit_code == 2
        assert "does not score AI pictures higher than real ones" in " ".join(done.output.split())
        assert {path.name: path.read_bytes() for path in model.iterdir()} == before
    shutil.rmtree(tmp_path / "faces" / "val" / "fake")
    alone = run("calibrate", model, "--data", tmp_path / "faces")
    assert alone.exit_code == 2
    assert "needs both" in alone.output
