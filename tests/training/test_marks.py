import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tellsign_training.marks import SIGNATURE, bar, signature, tiles, unmarked
from tests.conftest import saved, scene


def signed(side: int, quality: int) -> Image.Image:
    """A picture with DALL-E 2's signature, scaled from 1024 pixels and saved as JPEG."""
    image = scene(1024, 1024)
    for i, colour in enumerate(SIGNATURE.tolist()):
        image.paste(tuple(colour), (944 + 16 * i, 1008, 960 + 16 * i, 1024))
    return Image.open(io.BytesIO(saved(image.resize((side, side)), "JPEG", quality=quality)))


@pytest.mark.parametrize(("side", "quality"), [(1024, 95), (1024, 40), (512, 75), (352, 90)])
def test_a_signature_is_cut(side: int, quality: int) -> None:
    image = signed(side, quality)
    rows = signature(np.asarray(image))
    assert side / 64 <= rows <= side / 64 + 2
    left = unmarked(image)
    assert left.size == (side, side - rows)
    assert signature(np.asarray(left)) == 0


@pytest.mark.parametrize("where", ["top", "bottom"])
@pytest.mark.parametrize(("colour", "text"), [("white", "a caption"), ("black", ""), ("gold", "x")])
def test_a_caption_bar_is_cut(where: str, colour: str, text: str) -> None:
    image = scene(640, 480)
    top = 0 if where == "top" else 430
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, top, 640, top + 50), colour)
    draw.text((250, top + 12), text, "black", font_size=24)
    image = Image.open(io.BytesIO(saved(image, "JPEG", quality=80)))
    left = unmarked(image)
    assert 424 <= left.height <= 430
    kept = np.asarray(image)[-left.height :] if where == "top" else np.asarray(image)[: left.height]
    assert (np.asarray(left) == kept).all()


def on_white() -> Image.Image:
    """A thing on a white background, as shops show it."""
    image = Image.new("RGB", (640, 480), "white")
    image.paste(scene(300, 300), (170, 60))
    return image


def sky() -> Image.Image:
    """A plain sky over hills."""
    image = scene(640, 480)
    hills = [(x, 90 + round(30 * np.sin(x / 60))) for x in range(0, 641, 20)]
    ImageDraw.Draw(image).polygon([(0, 0), *hills, (640, 0)], (120, 170, 240))
    return image


def chart() -> Image.Image:
    """A curve with its axes drawn through the middle."""
    image = Image.new("RGB", (640, 480), "white")
    draw = ImageDraw.Draw(image)
    draw.line([(x, 240 + round(150 * np.sin(x / 70))) for x in range(0, 640, 4)], "blue", 3)
    draw.line((0, 240, 640, 240), "black", 2)
    draw.line((320, 0, 320, 480), "black", 2)
    return image


@pytest.mark.parametrize("image", [scene(640, 480), on_white(), sky(), chart()])
def test_other_pictures_stay_whole(image: Image.Image) -> None:
    assert unmarked(image).size == image.size
    assert bar(np.asarray(image)) == 0
    assert len(tiles(image)) == 1


@pytest.mark.parametrize(("size", "gap"), [((256, 256), 0), ((301, 223), 0), ((320, 240), 6)])
@pytest.mark.parametrize("quality", [100, 60])
def test_a_grid_is_split(size: tuple[int, int], gap: int, quality: int) -> None:
    width, height = size
    whole = Image.new("RGB", (2 * width + gap, 2 * height + gap), "white")
    parts = []
    for i in range(4):
        x, y = (i % 2) * (width + gap), (i // 2) * (height + gap)
        part = scene(width, height, seed=i).rotate(90 * i, expand=False, fillcolor=(30, 60, 90 * i))
        whole.paste(part, (x, y))
        parts.append(part)
    found = tiles(Image.open(io.BytesIO(saved(whole, "JPEG", quality=quality))))
    assert [tile.size for tile in found] == [size] * 4
    for part, tile in zip(parts, found, strict=True):
        off = np.abs(np.asarray(part).astype(int) - np.asarray(tile)).mean()
        assert off < 12


def test_tiles_too_small_to_tell_anything_are_not_cut_out() -> None:
    whole = Image.new("RGB", (200, 200))
    for i in range(4):
        whole.paste(scene(100, 100, seed=i).rotate(90 * i), ((i % 2) * 100, (i // 2) * 100))
    assert tiles(whole) == [whole]
