import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tellsign.picture import decode
from tellsign_training import curate as module
from tellsign_training.cli import app
from tellsign_training.curate import CuratePlan, Done, curate
from tellsign_training.data import DataError, Sample, read
from tellsign_training.pooled import pooled
from tests.conftest import saved, scene


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """A picture to copy, one to cut, a grid, a large one and a damaged one."""
    barred = scene(400, 300)
    barred.paste("black", (0, 0, 400, 30))
    grid = Image.new("RGB", (800, 600))
    for i in range(4):
        part = scene(400, 300, seed=i).rotate(180 * (i % 2))
        grid.paste(part, ((i % 2) * 400, (i // 2) * 300))
    files = {
        "plain.webp": saved(scene(), "WEBP"),
        "barred.png": saved(barred, "PNG"),
        "grid.jpg": saved(grid, "JPEG", quality=95),
        "large.jpg": saved(scene(900, 700, seed=9), "JPEG"),
        "cut.jpg": saved(scene(), "JPEG")[:900],
    }
    made = []
    for i, (name, data) in enumerate(files.items()):
        path = tmp_path / "data" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        made.append(Sample(path, "train", i % 2 == 0, f"g{i}", f"s{i}", "mixed", certain=i != 1))
    return made


def contents(folder: Path) -> dict[str, str]:
    """Every file but the journal, with its digest."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.*")
        if path.name != "journal.jsonl"
    }


def sizes(out: Path, done: Done) -> list[tuple[int, int]]:
    pictures = [decode((out / file).read_bytes()) for file in done.files]
    return [(picture.width, picture.height) for picture in pictures]


def test_a_cleaned_copy(samples: list[Sample], tmp_path: Path) -> None:
    out = tmp_path / "out"
    plain, barred, grid, large, cut = curate(samples, out, CuratePlan(600), workers=1)
    assert plain.steps == ()
    assert (out / plain.files[0]).read_bytes() == samples[0].path.read_bytes()
    assert barred.steps == ("cut",)
    assert barred.files[0].endswith(".png")
    assert grid.steps == ("split",)
    assert sizes(out, grid) == [(400, 300)] * 4
    assert large.steps == ("scaled",)
    assert sizes(out, large) == [(600, 467)]
    assert "cut off" in cut.problem
    kept = read(out)
    assert len(kept) == 7
    for done, sample in zip((plain, barred, grid, large), samples[:4], strict=True):
        for file in done.files:
            (copy,) = [s for s in kept if s.path == out / file]
            assert copy == Sample(copy.path, *list(vars(sample).values())[1:])


def test_a_grid_that_is_known(samples: list[Sample], tmp_path: Path) -> None:
    [done] = curate(samples[3:4], tmp_path, CuratePlan(grid=(3, 2)), workers=1)
    assert sizes(tmp_path, done) == [(300, 350)] * 6
    with Image.open(samples[3].path) as whole, Image.open(tmp_path / done.files[5]) as last:
        cell = whole.crop((600, 350, 900, 700))
        assert abs(np.asarray(cell, int) - np.asarray(last, int)).mean() < 5
    curate(samples[3:4], tmp_path, CuratePlan(grid=(3, 2)), workers=1)
    with pytest.raises(DataError, match="another folder"):
        curate(samples[3:4], tmp_path, CuratePlan(grid=(2, 3)), workers=1)


def test_what_was_stopped_goes_on_and_loses_nothing(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []

    def stopping(work: Any, items: list[Sample], *rest: Any) -> Iterator[Any]:
        begun.append(len(items))
        for i, result in enumerate(pooled(work, items, *rest)):
            if i == 2 and len(begun) == 1:
                raise KeyboardInterrupt
            yield result

    monkeypatch.setattr(module, "pooled", stopping)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        curate(samples, out, CuratePlan(), workers=1)
    assert len(read(out)) == 2
    with (out / "journal.jsonl").open("a") as journal:
        journal.write('{"original": "torn by a ki')
    curate(samples, out, CuratePlan(), workers=1)
    curate(samples, out, CuratePlan(), workers=1)
    assert begun == [5, 3, 1]  # the damaged file is tried again
    curate(samples, tmp_path / "whole", CuratePlan(), workers=1)
    assert contents(out) == contents(tmp_path / "whole")
    with pytest.raises(DataError, match="another folder"):
        curate(samples, out, CuratePlan(300), workers=1)


def test_the_command(samples: list[Sample], tmp_path: Path) -> None:
    data = tmp_path / "folder"
    for sample in samples:
        target = data / ("fake" if sample.ai else "real") / sample.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(sample.path.read_bytes())
    words = ["curate", str(data), str(tmp_path / "out"), "--long-side", "600", "--workers", "1"]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0
    assert "1 unreadable files left out" in result.output
    assert "1 cut, 1 grids split, 1 made smaller" in result.output
    words[2] = str(tmp_path / "grids")
    assert CliRunner().invoke(app, [*words, "--grid", "3"]).exit_code == 2
    assert "16 pictures out of 5" in CliRunner().invoke(app, [*words, "--grid", "2x2"]).output
    words[2] = str(data / "out")
    assert CliRunner().invoke(app, words).exit_code == 2
