from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellsign_training.data import DataError, read
from tellsign_training.layouts import AI, REAL, SPLIT_NAMES, place


def touched(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("train/real/a.jpg", ("train", False, "", "")),
        ("Train/1_fake/a.PNG", ("train", True, "", "")),
        ("fake/SDXL/test/a.webp", ("test", True, "SDXL", "SDXL")),
        ("midjourney/train/ai/a.png", ("train", True, "midjourney", "midjourney")),
        ("midjourney/val/nature/a.JPEG", ("val", False, "", "midjourney")),
        ("testing/progan/horse/0_real/a.jpg", ("test", False, "", "progan/horse")),
        ("validation/Real Images/canon-eos/0012/a.jpg", ("val", False, "", "canon-eos")),
        ("AI-generated/images/train2017/a.jpg", ("train", True, "", "")),
    ],
)
def test_the_usual_layouts(tmp_path: Path, path: str, known: tuple) -> None:
    other = "fake/train/b.jpg" if "progan" in path else "real/val/b.jpg"
    samples = read(touched(tmp_path, path, other, ".cache/real/x.jpg", "notes.txt"))
    (s,) = [s for s in samples if s.path == tmp_path / path]
    assert len(samples) == 2
    assert (s.split, s.ai, s.generator, s.source) == known
    assert read(tmp_path, s.split) == [t for t in samples if t.split == s.split]


names = st.sampled_from(sorted(AI | REAL | SPLIT_NAMES.keys()))


@given(names, st.sampled_from(["", "0_", "1-", "images "]), st.sampled_from(["", "_imgs", "-2"]))
def test_spelling_does_not_matter(name: str, before: str, after: str) -> None:
    for spelt in (name, name.upper(), name.title()):
        assert place([before + spelt + after]) == place([name])


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        ([], "holds no picture"),
        (["cats/a.jpg", "dogs/b.jpg"], "no folder of a class"),
        (["real/a.jpg", "real/fake/b.jpg"], "both classes"),
        (["train/val/real/a.jpg"], "splits train and val"),
        (["train/real/a.jpg", "more/fake/a.jpg"], "in no split"),
    ],
)
def test_unclear_folders_say_what_is_unclear(tmp_path: Path, paths: list, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read(touched(tmp_path, *paths))


def test_a_folder_without_splits_is_divided_by_base_picture(tmp_path: Path) -> None:
    touched(tmp_path, *(f"{c}/{i}.jpg" for c in ("real", "fake") for i in range(400)))
    samples = read(tmp_path)
    shares = {split: len(read(tmp_path, split)) / 800 for split in ("train", "val", "test")}
    assert shares == pytest.approx({"train": 0.8, "val": 0.1, "test": 0.1}, abs=0.05)
    assert len({(s.path.stem, s.split) for s in samples}) == 400


def test_a_tenth_of_train_stands_in_for_a_missing_val(tmp_path: Path) -> None:
    touched(tmp_path, *(f"train/real/{i}.jpg" for i in range(300)), "test/fake/x.jpg")
    assert len(read(tmp_path, "val")) == pytest.approx(30, abs=12)
    assert len(read(tmp_path, "test")) == 1


def test_a_folder_is_read_by_its_manifest(tmp_path: Path) -> None:
    touched(tmp_path, "val/real/a.jpg", "prices.csv")
    text = "path,split,label,generator,certainty\nval/real/a.jpg,test,ai,g,med\n"
    (tmp_path / "m.csv").write_text(text)
    (sample,) = read(tmp_path)
    assert read(tmp_path / "m.csv") == [sample]
    assert (sample.split, sample.ai, sample.certain) == ("test", True, False)
    (tmp_path / "n.csv").write_text(text)
    with pytest.raises(DataError, match=r"m\.csv, n\.csv"):
        read(tmp_path)
    with pytest.raises(DataError, match="no manifest"):
        read(tmp_path / "nothing")
