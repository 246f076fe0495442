import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tellsign_training.cli import app
from tellsign_training.data import Sample
from tellsign_training.facts import gather
from tellsign_training.facts_page import page
from tests.conftest import saved, scene


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sixteen sound pictures of eight sources in `train` and `val`, no two alike."""
    for i in range(16):
        ai, split = i % 2 == 0, "train" if i % 4 < 2 else "val"
        image = scene(300 + 8 * i, 260).rotate(22 * i, fillcolor=(9 * i, 200, 90))
        data = saved(image, "PNG" if i == 4 else "JPEG")
        path = tmp_path / split / ("fake" if ai else "real") / f"g{i % 8}" / f"<{i}>.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path


def run(folder: Path, out: Path) -> tuple[int, str]:
    words = ["check", str(folder), "--out", str(out), "--workers", "1"]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    return result.exit_code, result.output


def test_sound_pictures_pass_and_their_page_holds_everything(folder: Path, tmp_path: Path) -> None:
    status, said = run(folder, tmp_path / "facts.html")
    assert status == 0, said
    assert "0 unreadable files" in said
    assert "Shortcut probe, as stored: AUC" in said
    text = (tmp_path / "facts.html").read_text("utf-8")
    assert text.count("data:image/svg+xml") == 4
    assert text.count("data:image/jpeg") == 16
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert "<15>" not in text
    assert "&lt;15&gt;" in text
    HTMLParser().feed(text)


def test_what_is_wrong_is_named_with_its_reason(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "train/real/g1/<1>.jpg").read_bytes()
    (folder / "val/real/g3/copy.jpg").write_bytes(whole)
    (folder / "val/fake/g2/cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "val/fake/g0").mkdir()
    (folder / "val/fake/g0/long.jpg").write_bytes(saved(scene(4200, 40), "JPEG"))
    status, said = run(folder, tmp_path / "facts.html")
    assert status == 1
    assert "1 unreadable files" in said
    assert re.search(r"cut\.jpg: The picture file is cut off", said)
    assert "are the same file" in said
    assert 'The generator "g0" is in train and in val' in said
    assert "long.jpg: 4200x40" in said


def test_a_missing_file_and_a_broken_checksum_are_problems(tmp_path: Path) -> None:
    data = bytearray(saved(scene(), "PNG"))
    data[-13] ^= 1  # the checksum of the last pixels, all of which can be decoded
    (tmp_path / "a.png").write_bytes(data)
    samples = [Sample(tmp_path / name, "train", ai=True) for name in ("a.png", "gone.png")]
    facts = gather(samples, workers=1)
    reasons = [reason for _, reason in facts.unreadable]
    assert "damaged" in reasons[0]
    assert "No such file" in reasons[1]
    assert "two sources" in str(facts.probes["as stored"])
    assert "2 unreadable" in page(facts, "x")


def test_data_that_cannot_be_read_stops_with_a_sentence(tmp_path: Path) -> None:
    status, said = run(tmp_path, tmp_path / "facts.html")
    assert (status, said.strip()) == (2, f"{tmp_path} holds no picture.")
