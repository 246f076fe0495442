import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellsign.picture import decode
from tellsign_training.data import DataError, Sample
from tellsign_training.filefacts import FileFacts, facts_of
from tellsign_training.shortcuts import AS_NETWORK, AS_STORED, Probe, probe_of, probes
from tests.conftest import saved, scene


def made(n: int, telling: float) -> tuple[list[Sample], list[FileFacts]]:
    """Files of ten sources; a share `telling` of the AI ones are squares."""
    rng = np.random.default_rng(0)
    samples, facts = [], []
    for i in range(n):
        ai = i % 2 == 0
        width = int(rng.integers(300, 900))
        height = width if ai and rng.random() < telling else int(rng.integers(300, 900))
        size = int(rng.integers(10_000, 90_000))
        samples.append(Sample(Path(f"{i}.jpg"), "train", ai, source=f"s{i % 10}"))
        facts.append(FileFacts(width, height, size, "JPEG", float(rng.random()), (16,) * 64))
    return samples, facts


def test_the_probe_finds_what_gives_the_label_away_and_nothing_else() -> None:
    telling = probe_of(*made(1200, 0.9))
    assert telling.auc > 0.85
    assert next(iter(telling.features)) == "aspect ratio"
    assert telling.features["quantisation"] == 0.5
    assert "most by aspect ratio" in str(telling)
    assert probe_of(*made(1200, 0.0)).auc == pytest.approx(0.5, abs=0.07)


def test_a_source_is_never_on_both_sides() -> None:
    """Each source has a width of its own: in a random split that would tell everything."""
    widths = np.random.default_rng(0).permutation(np.arange(300, 900, 10))
    samples = [Sample(Path(f"{i}"), "train", i % 2 == 0, source=f"s{i % 60}") for i in range(600)]
    facts = [FileFacts(int(widths[i % 60]), 400, 9, "PNG", 0.0) for i in range(600)]
    assert probe_of(samples, facts).auc < 0.7


def test_one_source_of_a_class_is_too_few() -> None:
    samples, facts = made(40, 0.0)
    samples = [Sample(s.path, s.split, s.ai, source="one" if s.ai else s.source) for s in samples]
    with pytest.raises(DataError, match="two sources"):
        probe_of(samples, facts)


def test_of_files_as_stored_and_as_a_network_gets_them(tmp_path: Path) -> None:
    samples = []
    for i in range(24):
        ai = i % 2 == 0
        data = saved(scene(300, 300 if ai else 260, seed=i), "PNG" if ai else "JPEG")
        (tmp_path / f"{i}").write_bytes(data[:400] if i == 3 else data)
        samples.append(Sample(tmp_path / f"{i}", "train", ai, source=f"s{i % 6}"))
    memory = tmp_path / "memory.jsonl"
    found = probes(samples, memory, 1)
    stored, delivered = found[AS_STORED], found[AS_NETWORK]
    assert isinstance(stored, Probe)
    assert isinstance(delivered, Probe)
    assert stored.pictures == delivered.pictures == 23
    assert delivered.features["width and height"] == delivered.features["format"] == 0.5
    for i in range(24):  # what was read is kept as it was
        (tmp_path / f"{i}").unlink()
    assert probes(samples, memory, 1) == found
    few = probes(samples[:2], memory, 1)
    assert few[AS_STORED] == "The shortcut probe needs at least two sources of each class."


@pytest.mark.parametrize("quality", [5, 40, 75, 92, 100])
def test_the_quality_of_a_jpeg_is_read_from_its_tables(quality: int) -> None:
    data = saved(scene(), "JPEG", quality=quality)
    facts = facts_of(data, decode(data))
    assert (facts.quality, facts.format, facts.bytes) == (quality, "JPEG", len(data))
    assert (facts.width, facts.height) == (320, 240)
    assert len(facts.luma) == len(facts.chroma) == 64


def test_flatness_is_the_share_of_flat_blocks() -> None:
    image = scene(160, 160)
    image.paste((250, 250, 250), (0, 80, 160, 160))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    facts = facts_of(buffer.getvalue(), decode(buffer.getvalue()))
    assert facts.flatness == pytest.approx(0.5 + 0.25, abs=0.02)  # scene has a flat quarter
    assert facts.quality is None
    assert Image.open(buffer).size == (facts.width, facts.height)
