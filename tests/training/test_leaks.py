import io
from pathlib import Path

import numpy as np
from PIL import Image

from tellsign_training.data import Sample
from tellsign_training.leaks import fingerprint, fingerprints, leaks_of, twins
from tests.conftest import saved, scene


def drawing(seed: int, size: tuple[int, int] = (480, 360)) -> Image.Image:
    """Pictures that differ in content, not in noise alone."""
    cells = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC)


def test_what_two_splits_share_is_found_and_said(tmp_path: Path) -> None:
    image = drawing(0)
    files = {
        "a.png": (saved(image, "PNG"), "train", True, "SDXL", "one"),
        "b.jpg": (saved(image.resize((240, 180)), "JPEG", quality=50), "test", True, "Flux", "two"),
        "c.png": (saved(image, "PNG"), "val", True, "Flux", "three"),
        "d.png": (saved(drawing(1), "PNG"), "train", False, "EOS", "four"),
        "e.png": (saved(drawing(2), "PNG"), "test", False, "EOS", "four"),
        "f.png": (b"cut off", "train", False, "", ""),
        "g.png": (b"cut off", "test", False, "", ""),
        "h.png": (b"cut off", "test", False, "", ""),
    }
    samples = []
    for name, (data, split, ai, generator, source) in files.items():
        (tmp_path / name).write_bytes(data)
        samples.append(Sample(tmp_path / name, split, ai, generator, source))
    memory = tmp_path / "memory.jsonl"
    found = leaks_of(samples, fingerprints(samples, memory, 1))
    assert {(leak.kind, leak.a.path.name, leak.b.path.name) for leak in found} == {
        ("file", "a.png", "c.png"),
        ("picture", "a.png", "b.jpg"),
        ("file", "f.png", "g.png"),
        ("file", "f.png", "h.png"),
        ("source", "d.png", "e.png"),
        ("generator", "b.jpg", "c.png"),
    }
    for name in files:  # what was read is kept as it was
        (tmp_path / name).unlink()
    assert leaks_of(samples, fingerprints(samples, memory, 1)) == found
    assert 'The generator "Flux" is in test and in val' in " ".join(map(str, found))


def test_the_same_picture_in_another_delivery_is_a_twin_and_another_picture_is_not() -> None:
    images = [drawing(i) for i in range(12)]
    images += [scene(480, 360, seed=1)]
    pictures = []
    for image in images:
        small = Image.open(_file(image.resize((200, 150)), "JPEG", quality=40))
        webp = Image.open(_file(image, "WEBP", quality=60))
        pictures += [image, small.convert("RGB"), webp.convert("RGB")]
    samples = [Sample(Path(f"{i // 3}/{i % 3}"), "train", False) for i in range(len(pictures))]
    prints = [fingerprint(str(i).encode(), image) for i, image in enumerate(pictures)]
    found = twins(samples, prints)
    assert all(leak.a.path.parent == leak.b.path.parent for leak in found)
    assert len(found) == 2 * len(images)  # each later one is named once
    assert not any(leak.across for leak in found)


def _file(image: Image.Image, format: str, quality: int) -> io.BytesIO:
    return io.BytesIO(saved(image, format, quality=quality))
