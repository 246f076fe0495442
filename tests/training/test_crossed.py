import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tellsign_training import crossed
from tellsign_training.cli import app
from tellsign_training.crops import CropPlan
from tellsign_training.data import DataError, Sample, read
from tellsign_training.networks import build
from tellsign_training.probe import Features
from tellsign_training.recipe import read_recipe
from tests.training.conftest import pack_splits

RECIPE = "lite0-statistics"


@given(st.lists(st.sampled_from("abcdefgh"), min_size=8), st.integers(2, 5))
def test_a_source_is_in_one_part_and_the_parts_are_even(sources: list[str], folds: int) -> None:
    if len(set(sources)) < folds:
        with pytest.raises(DataError, match="do not make"):
            crossed.parts(sources, folds)
        return
    part = crossed.parts(sources, folds)
    assert len(set(zip(sources, part, strict=True))) == len(set(sources))
    sizes = np.bincount(part, minlength=folds)
    assert sizes.min() > 0
    assert sizes.max() - sizes.min() <= max(sources.count(source) for source in set(sources))


def test_the_worst_kind_of_real_picture_comes_first() -> None:
    def pictures(n: int, ai: bool, content: str) -> list[Sample]:
        return [Sample(Path("x"), "train", ai, source=content, content=content)] * n

    samples = [*pictures(50, True, "faces"), *pictures(950, False, "photo")]
    samples += [*pictures(40, False, "art"), *pictures(10, False, "rare")]
    score = np.concatenate(
        [
            np.full(50, 9.0),
            np.linspace(0, 1, 950),
            np.r_[np.full(5, 5.0), np.zeros(35)],
            -np.ones(10),
        ]
    )
    found = crossed.figures(samples, score)
    assert found["pictures"] == {"ai": 50, "real": 1000}
    assert found["auc"]["value"] == found["tpr_at_1%"]["value"] == 1
    assert list(found["content"]) == ["art", "photo"]  # rare ones are too few to tell of
    assert found["content"]["art"]["n"] == 40
    assert found["content"]["art"]["1%"]["value"] == pytest.approx(5 / 40)
    assert found["content"]["photo"]["1%"]["value"] == pytest.approx(5 / 950, abs=1e-4)
    assert found["content"]["photo"]["5%"]["value"] == pytest.approx(45 / 950, abs=1e-4)


def test_what_only_a_source_tells_is_of_no_use(
    manifest: Path, lite0: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A feature that gives each source's labels away, but says nothing of another source's."""
    recipe, samples = read_recipe(RECIPE), read(manifest)
    pack_splits(manifest, tmp_path, CropPlan(2, recipe.views))
    rows = np.repeat(np.flatnonzero(np.load(tmp_path / "train" / "done.npy")), 200)

    def features_of(*_: object) -> Features:
        values = np.zeros((len(rows), 3), np.float32)
        train = [sample for sample in samples if sample.split == "train"]
        for i, row in enumerate(rows):
            values[i, int(train[row].source[1])] = 3.0 if train[row].ai else -3.0
        ai = np.array([train[row].ai for row in rows])
        return Features(values, rows, ai, np.ones(3, np.float32))

    monkeypatch.setattr(crossed, "features_of", features_of)
    scores: list[np.ndarray] = []
    monkeypatch.setattr(crossed, "figures", lambda _, score: scores.append(score) or {})
    crossed.crossed(build(recipe, lite0), recipe, [tmp_path / "train"], samples, 3)
    assert np.abs(scores[0]).max() < 1.5  # heads that had seen them would say 3


def test_the_command_tells_of_each_kind_and_source(
    manifest: Path, lite0: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crossed, "LEAST", 1)
    pack_splits(manifest, tmp_path, CropPlan(2, read_recipe(RECIPE).views))
    out = tmp_path / "found.json"
    twice = [tmp_path / "train"] * 2  # each picture counts once all the same
    words = ["crossed", RECIPE, *twice, "--data", manifest, "--weights", lite0]
    done = CliRunner().invoke(app, [*map(str, words), "--folds", "3", "--out", str(out)])
    assert done.exit_code == 0, done.output
    found = json.loads(out.read_text("utf-8"))
    assert found["pictures"] == {"ai": 3, "real": 4}  # one of the eight is damaged
    assert found["content"] == {"not known": found["content"]["not known"]}
    assert sum(row["n"] for row in found["source"].values()) == 4
    assert "not known" in done.output

    other = tmp_path / "other.csv"
    other.write_text("path,split,label\nx.png,train,ai\n", "utf-8")
    words[5] = other
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == 2
    assert "does not name" in " ".join(done.output.split())
