from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tellsign.settings import MIN_SIDE
from tellsign_training.augment import (
    MAX_ANGLE,
    STEPS,
    Augmentation,
    augmented,
    inscribed,
    rotated,
    with_patches,
)
from tellsign_training.recipe import RecipeError, read_recipe
from tests.conftest import scene

ALL = STEPS | {"patches": with_patches}
SIDES = st.integers(MIN_SIDE, 500)


def drawn(name: str, image: Image.Image, seed: int) -> Image.Image:
    return ALL[name](image, np.random.default_rng(seed))


def test_every_augmentation_has_its_chance() -> None:
    assert [field.name for field in fields(Augmentation)] == list(ALL)


@pytest.mark.parametrize("name", ALL)
def test_an_augmentation_changes_a_picture_repeatably(name: str) -> None:
    image = scene(640, 480)
    for seed in range(8):
        out = drawn(name, image, seed)
        assert out.mode == "RGB"
        assert (out.size, out.tobytes()) != (image.size, image.tobytes())
        assert out.tobytes() == drawn(name, image, seed).tobytes()
        if name == "thumbnail":
            assert 96 <= max(out.size) <= 256
        else:
            assert min(out.size) >= 224
    assert image.tobytes() == scene(640, 480).tobytes()


@settings(deadline=None)
@given(width=SIDES, height=SIDES, name=st.sampled_from(list(ALL)), seed=st.integers(0, 999))
def test_pictures_of_any_size_are_augmented(width: int, height: int, name: str, seed: int) -> None:
    out = drawn(name, Image.new("RGB", (width, height), "#a05020"), seed)
    assert min(out.size) >= 1
    assert out.mode == "RGB"


@settings(deadline=None)
@given(width=SIDES, height=SIDES, seed=st.integers(0, 999))
def test_rotated_pictures_have_no_black_corners(width: int, height: int, seed: int) -> None:
    white = Image.new("RGB", (width, height), "white")
    assert np.asarray(drawn("rotation", white, seed)).min() >= 254


@settings(deadline=None)
@given(width=SIDES, height=SIDES, angle=st.floats(-MAX_ANGLE, MAX_ANGLE))
def test_the_inscribed_rectangle_is_the_largest(width: int, height: int, angle: float) -> None:
    sin, cos = abs(np.sin(np.radians(angle))), abs(np.cos(np.radians(angle)))

    def fits(w: float, h: float) -> bool:
        return w * cos + h * sin <= width + 1e-6 and w * sin + h * cos <= height + 1e-6

    w, h = inscribed(width, height, angle)
    assert 1 <= w <= width
    assert 1 <= h <= height
    assert fits(w, h)
    for k in np.linspace(0.3, 1, 40):
        other = k * width
        most = min((width - other * cos) / max(sin, 1e-9), (height - other * sin) / cos)
        assert other * most <= (w + 1) * (h + 1) + 1e-6


def test_without_chances_nothing_is_drawn_or_done() -> None:
    image, rng = scene(), np.random.default_rng(5)
    assert augmented(image, Augmentation(), rng) is image
    assert rng.random() == np.random.default_rng(5).random()


def test_chances_are_kept() -> None:
    image, rng = scene(40, 40), np.random.default_rng(0)
    turned = [
        augmented(image, Augmentation(flip=0.25), rng).tobytes() != image.tobytes()
        for _ in range(2000)
    ]
    assert np.mean(turned) == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("name", ALL)
def test_what_keeps_places_leaves_a_marked_pixel_where_it_was(name: str) -> None:
    image = Image.new("RGB", (300, 240), "#404040")
    image.putpixel((60, 50), (255, 255, 255))
    keeps = Augmentation(**{name: 1.0}).keeps_places
    assert keeps == (name in ("colour", "noise"))
    if keeps:
        grey = np.asarray(drawn(name, image, 1).convert("L"))
        assert np.unravel_index(grey.argmax(), grey.shape) == (50, 60)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("text = 1.5", "text = 1.5"),
        ("text = 'often'", "not supported"),
        ("snow = 0.1", "unknown settings: snow"),
    ],
)
def test_a_recipe_says_what_is_wrong_with_its_augmentation(
    tmp_path: Path, table: str, says: str
) -> None:
    path = tmp_path / "r.toml"
    head = "id = 'r'\ntitle = 'R'\n[network]\n[views]\n[fit]\n[augment]\n"
    path.write_text(head + table)
    with pytest.raises(RecipeError, match=says):
        read_recipe(path)
    path.write_text(head + "text = 1")
    assert read_recipe(path).augment == Augmentation(text=1)


def test_recipes_of_pixel_detectors_keep_places() -> None:
    assert read_recipe("levit-128s").augment == Augmentation()
    assert read_recipe("fcn-lite").augment.keeps_places
    assert not read_recipe("efficientnet-lite0").augment.keeps_places


def test_rotation_turns_both_ways() -> None:
    image = Image.new("RGB", (400, 400))
    image.paste("white", (0, 0, 400, 200))
    slopes = set()
    for seed in range(10):
        out = np.asarray(rotated(image, np.random.default_rng(seed)))[..., 0] > 127
        slopes.add(bool(out[:, 0].sum() > out[:, -1].sum()))
    assert slopes == {True, False}
