import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from tellsign.picture import decode
from tellsign.views import ViewPlan, boxes, canonical, canonical_size, views
from tests.conftest import saved, scene


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(32, 1500),
    height=st.integers(32, 1500),
    crops=st.integers(0, 9),
    whole=st.booleans(),
)
def test_views_have_one_size_and_a_bounded_number(
    width: int, height: int, crops: int, whole: bool
) -> None:
    whole = whole or not crops
    plan = ViewPlan(size=64, long_side=300, crops=crops, whole=whole)
    result = views(Image.new("RGB", (width, height)), plan)
    assert result.dtype == np.uint8
    assert result.shape[1:] == (64, 64, 3)
    assert min(crops, 1) + whole <= len(result) <= crops + whole


@settings(max_examples=200)
@given(width=st.integers(224, 3000), height=st.integers(224, 3000), crops=st.integers(1, 12))
def test_boxes_lie_inside_and_differ(width: int, height: int, crops: int) -> None:
    result = boxes(width, height, ViewPlan(crops=crops))
    assert len(set(result)) == len(result) <= crops
    for left, top, right, bottom in result:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert right - left == bottom - top == 224


def test_enough_boxes_cover_the_picture() -> None:
    covered = np.zeros((700, 1000), bool)
    for left, top, right, bottom in boxes(1000, 700, ViewPlan(crops=100)):
        covered[top:bottom, left:right] = True
    assert covered.all()


def test_native_crops_are_the_picture_itself() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (500, 700, 3), np.uint8)
    plan = ViewPlan(long_side=768, crops=3, whole=False)
    for view, (left, top, right, bottom) in zip(
        views(Image.fromarray(pixels), plan), boxes(700, 500, plan), strict=True
    ):
        assert (view == pixels[top:bottom, left:right]).all()


def stored(kind: str) -> bytes:
    """A large picture in a format (`JPEG`), or a mode as PNG or TIFF keep it (`LA`)."""
    image = scene(1500, 1100)
    exif, srgb = Image.Exif(), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    if kind.startswith("turned"):
        exif[0x0112] = int(kind[-1])
        return saved(image, "JPEG", exif=exif.tobytes())
    if kind == "I;16":
        levels = np.linspace(0, 65535, 1500 * 1100).reshape(1100, 1500).astype(np.uint16)
        return saved(Image.fromarray(levels), "PNG")
    if kind == "P, transparent":
        return saved(image.quantize(64), "PNG", transparency=3)
    if kind in ("RGBA", "LA"):
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    if kind == "sRGB":
        return saved(image, "PNG", icc_profile=srgb.tobytes())
    if kind in ("1", "L", "LA", "P", "RGBA", "CMYK"):
        return saved(image.convert(kind), "TIFF" if kind == "CMYK" else "PNG")
    return saved(image, kind)


FORMATS = ["JPEG", "MPO", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF"]
MODES = ["1", "L", "LA", "P", "P, transparent", "RGBA", "CMYK", "I;16", "sRGB"]


@pytest.mark.parametrize("kind", [*FORMATS, *MODES, *(f"turned {n}" for n in range(2, 9))])
def test_no_copy_is_needed_for_the_very_same_views(kind: str) -> None:
    """As a decoder leaves a picture, its views are those of its pixels, bit for bit."""
    picture = decode(stored(kind))
    for plan in (ViewPlan(long_side=512, crops=3), ViewPlan(long_side=2000, crops=2)):
        assert (views(picture.image, plan) == views(Image.fromarray(picture.pixels), plan)).all()


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.integers(32, 384), st.integers(1, 2000))
@example(571, 4568, 57, 457)
def test_a_scaled_picture_is_not_scaled_again(
    width: int, height: int, size: int, long: int
) -> None:
    plan = ViewPlan(size, long)
    scaled = canonical_size(width, height, plan)
    assert canonical_size(*scaled, plan) == scaled


@pytest.mark.parametrize("size", [(32, 20_000), (20_000, 32), (33, 40), (4000, 3000)])
def test_odd_shapes_stay_bounded(size: tuple[int, int]) -> None:
    scaled = canonical(Image.new("RGB", size), ViewPlan())
    assert min(scaled.size) >= 224
    assert max(scaled.size) <= 8 * 224
