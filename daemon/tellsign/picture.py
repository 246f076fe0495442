"""Untrusted bytes -> pixels. The only place that decodes."""

import hashlib
import io
import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageOps, ImageStat, UnidentifiedImageError

from tellsign.bounds import Reader, TooMuch, check_image, check_strips
from tellsign.settings import MAX_PIXELS, MIN_SIDE

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
"""Pillow's names of the formats that are decoded; MPO (several JPEGs in one) counts as JPEG."""

CODES = (
    "not_an_image",
    "format_not_allowed",
    "too_many_pixels",
    "truncated",
    "unreadable",
    "too_small",
    "nothing_in_it",
)
"""Why bytes give no picture."""

FLAT_STD = 1.0
"""Standard deviation of grey levels (of 255) under which there is nothing in a picture."""

Image.init()
_SRGB = ImageCms.createProfile("sRGB")
_16_BIT = {"I;16", "I;16B", "I;16L", "I"}


class PictureError(ValueError):
    """Bytes that give no picture: `code`, one of CODES, for programs, `message` for the person."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Picture:
    """A decoded picture, RGB in sRGB, and what it came from."""

    image: Image.Image
    format: str
    width: int
    height: int
    sha256: str

    @cached_property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """[height, width, 3]. Views need no such copy, which takes longer than cutting them."""
        return np.asarray(self.image)


def decode(data: bytes, most: int = MAX_PIXELS) -> Picture:
    """Decode the first frame of a picture file of at most so many pixels.

    Orientation (EXIF) is applied, transparency composed on white, 16 bit scaled to 8, colour
    profiles and CMYK converted to sRGB.

    Raises:
        PictureError: with one of the CODES; `too_many_pixels` comes before decoding.
    """
    if not data:
        raise PictureError("not_an_image", "The file is empty.")
    with warnings.catch_warnings():
        # Pillow warns of large pictures and odd metadata; the limits here are our own.
        warnings.simplefilter("ignore")
        image = _open(data, most)
        image = _loaded(image)
    if max(ImageStat.Stat(_sample(image)).stddev) < FLAT_STD:
        raise PictureError("nothing_in_it", "The picture is one flat colour or fully transparent.")
    return Picture(image, str(image.info["format"]), *image.size, digest(data))


def digest(data: bytes) -> str:
    """The SHA-256 of the bytes, in hex: the name of a picture."""
    return hashlib.sha256(data).hexdigest()


def _sample(image: Image.Image) -> Image.Image:
    """Every so manieth pixel of every so manieth row, from the first on: at most 511 a side."""
    width, height = image.size
    x, y = max(1, width // 256), max(1, height // 256)
    size = -(-width // x), -(-height // y)
    # A pixel is taken at its middle: 0.5 + x * i is that of the pixel x * i.
    places = (x, 0, (1 - x) / 2, 0, y, (1 - y) / 2)
    return image.transform(size, Image.Transform.AFFINE, places, Image.Resampling.NEAREST)


def _loaded(image: Image.Image) -> Image.Image:
    """The decoded picture in sRGB."""
    try:
        image.load()
        return _rgb(image)
    except PictureError:
        raise
    except MemoryError:
        raise PictureError("too_many_pixels", "The picture does not fit in memory.") from None
    except Exception as error:  # a decoder may raise anything on hostile bytes
        raise _unreadable(error) from None


def _open(data: bytes, most: int) -> Image.Image:
    """Read the header and check it against the limits, before any pixel is decoded."""
    try:
        check_strips(data)
        image = Image.open(Reader(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise _not_a_picture(data) from None
    except Image.DecompressionBombError:
        raise PictureError("too_many_pixels", _too_many()) from None
    except Exception as error:
        raise _unreadable(error) from None
    width, height = image.size
    if width * height > most:
        raise PictureError("too_many_pixels", _too_many(f" has {width}x{height} pixels, which"))
    if min(width, height) < MIN_SIDE:
        raise PictureError(
            "too_small",
            f"The picture is {width}x{height} pixels; each side must have at least {MIN_SIDE}.",
        )
    try:
        check_image(image, data)
    except TooMuch as error:
        raise _unreadable(error) from None
    return image


def _rgb(image: Image.Image) -> Image.Image:
    """The upright sRGB picture of a loaded frame, with its format's name in `info`."""
    kind = "JPEG" if image.format == "MPO" else str(image.format)
    profile = image.info.get("icc_profile")
    upright = _upright(image)
    if upright.mode in _16_BIT:
        upright = _to_8_bit(upright)
    if "transparency" in upright.info or upright.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        upright = _on_white(upright)
    if profile:
        upright = _to_srgb(upright, profile)
    result = upright if upright.mode == "RGB" else upright.convert("RGB")
    result.info = {"format": kind}
    return result


def _on_white(image: Image.Image) -> Image.Image:
    """Composed in place: a large picture's copies would take gigabytes."""
    rgba = image if image.mode == "RGBA" else image.convert("RGBA")
    if not rgba.getchannel("A").getbbox():
        raise PictureError("nothing_in_it", "The picture is fully transparent.")
    white = Image.new("RGBA", rgba.size, "white")
    white.alpha_composite(rgba)
    return white


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF orientation says; broken EXIF says nothing."""
    try:
        ImageOps.exif_transpose(image, in_place=True)
        return image
    except Exception:  # a parser of hostile metadata may raise anything
        return image


def _to_8_bit(image: Image.Image) -> Image.Image:
    """16-bit grey levels as 8-bit ones; mode I may hold values of either depth."""
    levels = np.asarray(image).astype(np.int64).clip(0)
    if image.mode != "I" or levels.max(initial=0) > 255:
        levels >>= 8
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert from an embedded ICC profile; a broken or foreign profile is passed over."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    return converted if converted is not None else image


def _not_a_picture(data: bytes) -> PictureError:
    """Tell a file that is no picture from one in a format that is not allowed."""
    head = data[:512].lstrip().lower()
    if head.startswith((b"<svg", b"<?xml")) and b"<svg" in data[:4096].lower():
        kind = "SVG drawings are"
    elif data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"hevc", b"msf1"):
        kind = "HEIC pictures are"
    elif head.startswith((b"8bps", b"%pdf", b"\x00\x00\x01\x00")):
        kind = "Files of this kind are"
    elif data[:3] == b"\xff\xd8\xff" or data[:8] == b"\x89PNG\r\n\x1a\n":
        return PictureError("truncated", "The picture file is cut off or damaged at its start.")
    else:
        return PictureError("not_an_image", "The file is not a picture.")
    allowed = ", ".join(FORMATS).replace("WEBP", "WebP")
    return PictureError("format_not_allowed", f"{kind} not read; allowed are {allowed}.")


def _unreadable(error: Exception) -> PictureError:
    if isinstance(error, TooMuch):
        return PictureError("unreadable", f"The picture file has too many {error} to be read.")
    text = str(error).lower()
    if isinstance(error, Image.DecompressionBombError):
        return PictureError("too_many_pixels", _too_many())
    if any(word in text for word in ("truncated", "not enough", "end of", "incomplete", "eof")):
        return PictureError("truncated", "The picture file is cut off: load it again.")
    return PictureError("unreadable", "The picture file is damaged and can't be decoded.")


def _too_many(what: str = "") -> str:
    return f"The picture{what} is over the limit of {MAX_PIXELS // 1_000_000} million pixels."
