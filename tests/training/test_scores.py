import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tellsign.views import ViewPlan
from tellsign_training.data import DataError, Sample
from tellsign_training.delivery import FORMATS, TIERS, deliver
from tellsign_training.scores import names, score
from tests.conftest import saved, scene

NAME = 'é, "quoted"\nin two lines'


class FakeDetector:
    """Scores by mean brightness, and is stopped after some pictures."""

    plan = ViewPlan(64, 128, 1, False)
    info = SimpleNamespace(digest="sha256:1")

    def __init__(self, stop_after: int = 99) -> None:
        self.left = stop_after

    def score(self, batch: list[np.ndarray]) -> list[float]:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return [float(v.mean()) / 7 for v in batch]


@pytest.fixture
def samples(write: Callable[[str, bytes], Path]) -> list[Sample]:
    return [
        Sample(write(f"{i}.png", saved(scene(90, 80 + i, i), "PNG")), "test", i % 2 == 0, NAME)
        for i in range(5)
    ]


def test_a_stopped_scoring_goes_on(samples: list[Sample], tmp_path: Path) -> None:
    keep = tmp_path / "scores.csv"
    whole = score(FakeDetector(), samples, TIERS + FORMATS, 1)
    assert whole.logits.shape == (5, 7)
    with pytest.raises(KeyboardInterrupt):
        score(FakeDetector(stop_after=3), samples, TIERS + FORMATS, 1, keep)
    keep.write_bytes(keep.read_bytes()[:-7])  # killed in the middle of a row
    rest = FakeDetector(stop_after=3)
    resumed = score(rest, samples, TIERS, 1, keep)
    assert rest.left == 0
    np.testing.assert_array_equal(resumed.logits, whole.logits[:, :4])
    assert resumed.tiers == whole.tiers[:4]
    assert resumed.generator == [NAME] * 5
    assert score(FakeDetector(0), samples[1:], TIERS, 1, keep).path == whole.path[1:]


def test_deliveries_may_be_added_and_parts_grow(samples: list[Sample], tmp_path: Path) -> None:
    keep = tmp_path / "scores.csv"
    others = [replace(samples[0], path=tmp_path / "other" / samples[0].path.name)]
    whole = [*samples, *others]  # whose names are longer than a part of them would need
    part = score(FakeDetector(2), samples[:2], TIERS[2:3], 1, keep, whole)
    assert part.tiers == ("hard",)
    assert part.path == names(whole)[:2]
    score(FakeDetector(1), samples[4:], FORMATS, 1, keep, whole)  # none of the first two
    more = score(FakeDetector(5), samples, TIERS, 1, keep, whole)
    assert more.logits.shape == (5, 4)
    np.testing.assert_array_equal(more.tier("hard")[:2], part.tier("hard"))
    again = score(FakeDetector(0), samples, TIERS[1:3], 1, keep, whole)
    np.testing.assert_array_equal(again.logits, more.logits[:, 1:3])


def test_a_file_of_fewer_deliveries_gets_the_others(samples: list[Sample], tmp_path: Path) -> None:
    keep = tmp_path / "scores.csv"
    score(FakeDetector(), samples, TIERS[:2], 1, keep)
    with keep.open(newline="") as file:
        key = list(csv.DictReader(file))[-1]["model"]
    rows = [f"{name},{key},1,g,s,c,0.5,-1.5" for name in names(samples)]
    keep.write_text("\n".join(["path,model,ai,generator,source,content,clean,web", *rows]) + "\n")
    kept = score(FakeDetector(0), samples, TIERS[:2], 1, keep)
    assert kept.logits.tolist() == [[0.5, -1.5]] * 5
    found = score(FakeDetector(5), samples, TIERS + FORMATS, 1, keep)
    assert found.logits[:, :2].tolist() == kept.logits.tolist()
    assert len(set(found.logits[:, 3])) == 5
    assert score(FakeDetector(0), samples, FORMATS, 1, keep).logits.shape == (5, 3)


def test_a_file_of_something_else_is_refused(samples: list[Sample], tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("path,label\na,b\n")
    with pytest.raises(DataError, match=r"x\.csv is no file of scores"):
        score(FakeDetector(), samples, TIERS, 1, tmp_path / "x.csv")
    keep = tmp_path / "scores.csv"
    score(FakeDetector(), samples[:1], TIERS, 1, keep)
    others = [replace(s, path=s.path.parent / "other" / s.path.name) for s in samples]
    with pytest.raises(DataError, match="other pictures"):
        score(FakeDetector(), others, TIERS, 1, keep)
    another = FakeDetector()
    another.plan = replace(another.plan, crops=2)
    with pytest.raises(DataError, match="another model"):
        score(another, samples, TIERS, 1, keep)


def test_unreadable_and_missing_pictures_are_left_out_and_named(
    samples: list[Sample], capsys: pytest.CaptureFixture[str]
) -> None:
    samples[1].path.write_bytes(b"no picture")
    samples[2].path.unlink()
    assert len(score(FakeDetector(), samples, TIERS, 1).path) == 3
    out = capsys.readouterr().out
    assert "1.png: The file is not a picture" in out
    assert "2.png: The file can't be read" in out


def test_names_are_as_long_as_they_must_be() -> None:
    def named(*paths: str) -> list[str]:
        return names([Sample(Path(path), "test", True) for path in paths])

    assert named("/data/ai/1.png", "/data/real/1.png") == ["ai/1.png", "real/1.png"]
    assert named("/data/x/ai/1.png", "/data/y/ai/1.png") == ["x/ai/1.png", "y/ai/1.png"]
    with pytest.raises(DataError, match="twice"):
        named("/a/b.png", "/a/b.png")


@pytest.mark.parametrize("size", [(900, 600), (60, 300)])
def test_a_screenshot_shows_the_picture_in_a_page(size: tuple[int, int]) -> None:
    image = scene(*size)
    page = np.asarray(deliver(image, FORMATS[-1]))
    shown = min(1.0, 720 / max(size))
    assert page.shape[0] > size[1] * shown + 100
    assert page.shape[1] > size[0] * shown + 60
    assert (page[-5:] == 255).all()
    assert (page[82:90, 45:60] == page[85, 50]).all()  # the scene's red corner
