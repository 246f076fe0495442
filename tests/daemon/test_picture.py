import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from tellsign.picture import PictureError, _sample, decode
from tellsign.settings import MAX_PIXELS
from tests.conftest import saved, scene

RED = (230, 20, 20)


def near(pixels: np.ndarray, colour: tuple[int, int, int], tolerance: int = 12) -> bool:
    return bool(np.abs(pixels.reshape(-1, 3).mean(0) - colour).max() < tolerance)


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("JPEG", {"quality": 92}), ("PNG", {}), ("WEBP", {"quality": 92}),
        ("WEBP", {"lossless": True}), ("AVIF", {"quality": 90}), ("GIF", {}), ("BMP", {}),
        ("TIFF", {}), ("MPO", {"quality": 92}),
    ],
)  # fmt: skip
def test_formats(format: str, options: dict[str, object]) -> None:
    picture = decode(saved(scene(), format, **options))
    assert picture.format == {"MPO": "JPEG"}.get(format, format)
    assert (picture.width, picture.height) == (320, 240)
    assert picture.pixels.shape == (240, 320, 3)
    assert picture.pixels.dtype == np.uint8
    assert near(picture.pixels[20:100, 20:140], RED)


def converted(mode: str) -> bytes:
    image = scene()
    if mode == "animated":
        frames = [Image.new("RGB", image.size, "blue")]
        return saved(image, "GIF", save_all=True, append_images=frames)
    if mode == "animated webp":
        frames = [Image.new("RGB", image.size, "blue")]
        return saved(image, "WEBP", save_all=True, append_images=frames, quality=90)
    if mode == "cmyk":
        return saved(image.convert("CMYK"), "JPEG", quality=95)
    if mode == "palette":
        return saved(image.quantize(64), "PNG")
    if mode == "transparent":
        image.putalpha(Image.linear_gradient("L").resize(image.size).point(lambda v: 255))
        return saved(image, "PNG")
    if mode == "palette with transparency":
        return saved(image.quantize(64), "PNG", transparency=0)
    if mode == "progressive":
        return saved(image, "JPEG", progressive=True, quality=95)
    raise AssertionError(mode)


@pytest.mark.parametrize(
    "mode",
    [
        "animated", "animated webp", "cmyk", "palette", "transparent",
        "palette with transparency", "progressive",
    ],
)  # fmt: skip
def test_kinds_give_the_first_upright_rgb_frame(mode: str) -> None:
    pixels = decode(converted(mode)).pixels
    assert near(pixels[20:100, 20:140], RED, 25)


def test_16_bit_keeps_its_levels() -> None:
    levels = np.linspace(0, 65535, 320 * 240).reshape(240, 320).astype(np.uint16)
    pixels = decode(saved(Image.fromarray(levels), "PNG")).pixels
    assert np.abs(pixels[..., 0].astype(int) - (levels >> 8)).max() <= 1


def test_transparency_is_composed_on_white() -> None:
    image = scene()
    image.putalpha(Image.new("L", image.size, 255))
    image.paste((0, 0, 0, 0), (160, 0, 320, 240))
    pixels = decode(saved(image, "PNG")).pixels
    assert (pixels[:, 170:] == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation: int) -> None:
    upright = scene(320, 240)
    # What a camera stores so that the tag turns it back.
    undo = {
        1: [], 2: ["FLIP_LEFT_RIGHT"], 3: ["ROTATE_180"], 4: ["FLIP_TOP_BOTTOM"],
        5: ["TRANSPOSE"], 6: ["ROTATE_90"], 7: ["TRANSVERSE"], 8: ["ROTATE_270"],
    }[orientation]  # fmt: skip
    stored = upright
    for step in undo:
        stored = stored.transpose(Image.Transpose[step])
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = decode(saved(stored, "JPEG", exif=exif.tobytes(), quality=95))
    assert (picture.width, picture.height) == (320, 240)
    assert near(picture.pixels[20:100, 20:140], RED)


def test_broken_exif_and_profile_are_passed_over() -> None:
    data = saved(scene(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff", icc_profile=b"broken" * 30)
    assert near(decode(data).pixels[20:100, 20:140], RED)


def test_colour_profile_is_converted_to_srgb() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    image = scene()
    # A profile that does not fit the pixels is passed over rather than refused.
    plain = decode(saved(image, "PNG")).pixels
    assert (decode(saved(image, "PNG", icc_profile=lab)).pixels == plain).all()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = decode(saved(image, "PNG", icc_profile=srgb)).pixels
    assert np.abs(same.astype(int) - plain).max() <= 1


def png_header(width: int, height: int) -> bytes:
    """A PNG whose header claims a size and whose few bytes of data inflate to nothing much."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not_an_image"),
        (b"hello, this is text\n" * 9, "not_an_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "format_not_allowed"),
        (b"%PDF-1.7\n", "format_not_allowed"),
        (b"\0\0\0\x18ftypheic" + bytes(99), "format_not_allowed"),
        (b"\xff\xd8\xff\xe0", "truncated"),
        (saved(scene(), "JPEG")[:3000], "truncated"),
        (saved(scene(), "PNG")[:3000], "truncated"),
        (saved(scene(31, 200), "PNG"), "too_small"),
        (saved(Image.new("RGB", (200, 200), "navy"), "PNG"), "nothing_in_it"),
        (saved(Image.new("RGBA", (200, 200), (9, 9, 9, 0)), "PNG"), "nothing_in_it"),
        (png_header(12_000, 12_000), "too_many_pixels"),
        (png_header(20_000, 20_000), "too_many_pixels"),
        (png_header(2**31 - 1, 2**31 - 1), "too_many_pixels"),
    ],
)
def test_refusals(data: bytes, code: str) -> None:
    with pytest.raises(PictureError) as caught:
        decode(data)
    assert caught.value.code == code
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize("size", [(32, 33), (255, 257), (511, 512), (1000, 769), (40, 2600)])
def test_every_so_manieth_pixel_tells_whether_there_is_anything(size: tuple[int, int]) -> None:
    (width, height), image = size, scene(*size)
    step = np.s_[:: max(1, height // 256), :: max(1, width // 256)]
    assert (np.asarray(_sample(image)) == np.asarray(image)[step]).all()


def test_size_is_checked_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    side = int(MAX_PIXELS**0.5) + 1
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("pixels were decoded"))
    with pytest.raises(PictureError, match="million pixels"):
        decode(png_header(side, side))


VALID = [saved(scene(96, 64), f) for f in ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP", "TIFF")]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    data=st.sampled_from(VALID),
    edits=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.one_of(st.none(), st.integers(0, 5000)),
)
def test_mutated_files_give_a_picture_or_a_typed_error(
    data: bytes, edits: list[tuple[int, int]], cut: int | None
) -> None:
    mutated = bytearray(data)
    for at, value in edits:
        mutated[at % len(mutated)] = value
    with contextlib.suppress(PictureError):  # any other error fails
        picture = decode(bytes(mutated[:cut]))
        assert picture.pixels.shape == (picture.height, picture.width, 3)


def test_same_bytes_same_name() -> None:
    data = saved(scene(), "PNG")
    assert decode(data).sha256 == decode(io.BytesIO(data).read()).sha256
