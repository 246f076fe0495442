from pathlib import Path

import numpy as np
import pytest

from tellsign_training.data import DataError, Sample
from tellsign_training.selection import LeakError, evenly, remarks, select
from tests.conftest import saved
from tests.training.test_leaks import drawing

FILES = {
    # name: what it shows, format, split, AI, generator, source
    "1": (1, "PNG", "test", True, "Flux", "a"),
    "2": (1, "JPEG", "test", True, "Flux", "a"),  # both are like 9, one of them is the same twice
    "3": (1, "JPEG", "test", True, "Flux", "b"),
    "4": (2, "PNG", "test", False, "", "c"),
    "5": (3, "PNG", "test", False, "EOS", "shared"),
    "6": (4, "PNG", "test", True, "SDXL", "a"),
    "7": (5, "PNG", "test", True, "Flux", "a"),
    "8": (6, "PNG", "test", False, "EOS", "c"),
    "9": (1, "WEBP", "train", True, "DALL-E", "d"),
    "10": (2, "PNG", "val", False, "", "e"),
    "11": (7, "PNG", "val", False, "EOS", "shared"),
    "12": (8, "PNG", "train", True, "SDXL", "d"),
}


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    made = []
    for name, (seed, format, *known) in FILES.items():
        (tmp_path / name).write_bytes(saved(drawing(seed), format))
        made.append(Sample(tmp_path / name, *known))
    return made


def test_a_leak_stops_or_what_leaks_is_left_out(samples: list[Sample], tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    with pytest.raises(LeakError) as refused:
        select(samples, "test", memory, 1)
    message = str(refused.value)
    assert "3 of 8 pictures of test leak by picture" in message
    assert 'The generator "SDXL" is in train and in test' in message
    assert "--drop-leaks" in message
    chosen = select(samples, "test", memory, 1, drop_leaks=True)
    assert [s.path.name for s in chosen.samples] == ["7", "8"]
    left_out = chosen.found["leaks"]["left_out"]
    assert {kind: one["pictures"] for kind, one in left_out.items()} == {
        "file": 1, "picture": 3, "source": 1, "generator": 1,
    }  # fmt: skip
    said = "\n".join(line for line, _ in remarks(chosen.found))
    assert "for a shared picture: 3 pictures" in said
    assert "as stored: not possible. The shortcut probe needs at least two sources" in said
    # What the training splits share among themselves is none of test's concern.
    assert not select([s for s in samples if s.split != "test"][:1], "train", memory, 1).found[
        "leaks"
    ]["left_out"]
    with pytest.raises(DataError, match="Nothing of val"):
        select(samples, "val", memory, 1, drop_leaks=True)


def test_a_part_is_drawn_evenly_over_the_sources() -> None:
    sources = ["huge"] * 900 + ["small"] * 5 + ["tiny"] * 2
    samples = [
        Sample(Path(f"{ai}{i}"), "test", ai, source=source)
        for ai in (True, False)
        for i, source in enumerate(sources)
    ]
    chosen = evenly(samples, 12)
    assert chosen == evenly(samples, 12)
    assert chosen == sorted(chosen, key=samples.index)
    for ai in (True, False):
        names = [s.source for s in chosen if s.ai == ai]
        assert {name: names.count(name) for name in names} == {"huge": 5, "small": 5, "tiny": 2}
    assert set(evenly(samples, 6)) <= set(chosen)
    assert len(evenly(samples, 10_000)) == len(samples)
    positions = [samples.index(s) for s in evenly(samples, 500) if s.source == "huge" and s.ai]
    assert np.ptp(positions) > 800


def test_a_shortcut_is_a_loud_warning() -> None:
    probe = {"auc": 0.7, "spread": 0.1, "pictures": 90, "features": {"format": 0.7}}
    found = {
        "split": "test",
        "leaks": {"compared": 9, "left_out": {}},
        "shortcuts": {"as a network gets them": probe, "as stored": probe},
        "part": None,
    }
    lines = list(remarks(found))
    assert [warning for _, warning in lines] == [False, False, True, False]
    assert lines[2][0].startswith("WARNING: that is over 0.55")
