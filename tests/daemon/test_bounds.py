"""Small files that would take a decoder long, or much memory, are refused before it begins."""

import struct
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from tellsign import bounds
from tellsign.picture import PictureError, decode
from tests.conftest import saved, scene

FAR = 2**16 - 1


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_bomb(side: int) -> bytes:
    """A whole PNG of one bit a pixel, a thousandth of its pixels' size."""
    rows = zlib.compress(bytes((1 + side // 8) * side), 9)
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def gif_bomb(screen: int) -> bytes:
    """A small frame on a huge screen, or a huge frame on a small one."""
    data = bytearray(saved(scene(64, 64), "GIF"))
    frame = data.index(b",\0\0\0\0")
    data[6:10] = struct.pack("<HH", screen, screen)
    if screen < FAR:
        data[frame + 5 : frame + 9] = struct.pack("<HH", FAR, FAR)
    return bytes(data)


def webp_bomb() -> bytes:
    """A VP8L header that claims the largest size of the format; 14 bits a side."""
    data = bytearray(saved(scene(64, 64), "WEBP", lossless=True))
    at = data.index(b"VP8L") + 9
    [bits] = struct.unpack_from("<I", data, at)
    struct.pack_into("<I", data, at, bits | 0x0FFF_FFFF)
    return bytes(data)


def avif_bomb() -> bytes:
    """The box of the spatial extents claims what libavif lets in, 16384 x 16384."""
    data = bytearray(saved(scene(64, 64), "AVIF", speed=10))
    struct.pack_into(">II", data, data.index(b"ispe") + 8, 2**14, 2**14)
    return bytes(data)


def tiff(strips: int, *more: tuple[int, int, int, int], tail: bytes = b"") -> bytes:
    """Raw rows of 100 grey pixels, each in a strip, which all begin at the same place."""
    count = 9 + len(more)
    offsets = 8 + 2 + 12 * count + 4
    tags = [
        (256, 4, 1, 100), (257, 4, 1, strips), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, strips, offsets), (277, 3, 1, 1), (278, 4, 1, 1),
        (279, 4, strips, offsets + 4 * strips), *more,
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    table = struct.pack("<I", 8) * strips + struct.pack("<I", 100) * strips
    return b"II*\0\x08\0\0\0" + struct.pack("<H", count) + entries + bytes(4) + table + tail


def bmp_rle(width: int, height: int) -> bytes:
    """One run and an end of line for each row."""
    body = b"\x01\x07\0\0" * height + b"\0\1"
    start = 14 + 40 + 1024
    sizes = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + sizes + bytes(1024) + body


def refusal(data: bytes) -> str:
    with pytest.raises(PictureError) as caught:
        decode(data)
    assert caught.value.message.endswith(".")
    return caught.value.code


@pytest.mark.parametrize(
    ("make", "most"),
    [
        (lambda: png_bomb(12_000), 19_000), (lambda: png_bomb(20_000), 50_000),
        (lambda: gif_bomb(FAR), 10_000), (lambda: gif_bomb(64), 10_000),
        (webp_bomb, 40_000), (avif_bomb, 20_000),
    ],
    ids=["PNG 12000", "PNG 20000", "GIF screen", "GIF frame", "WebP", "AVIF"],
)  # fmt: skip
def test_bombs(make: Callable[[], bytes], most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make()
    assert len(data) < most
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("pixels were decoded"))
    assert refusal(data) == "too_many_pixels"


def test_rows_that_are_filled_byte_by_byte() -> None:
    """Took 23 seconds."""
    assert len(bmp_rle(3_000_000, 33)) < 2000
    assert refusal(bmp_rle(3_000_000, 33)) == "unreadable"
    small = saved(scene(64, 64).quantize(4), "BMP")
    assert decode(small).width == 64


def test_a_strip_for_each_row() -> None:
    """A tenth of a second for each five thousand; the list alone takes 100 MB a million."""
    assert refusal(tiff(bounds.MAX_STRIPS + 1)) == "unreadable"
    assert decode(tiff(1000)).height == 1000


@pytest.mark.parametrize(
    "data",
    [
        lambda jpeg, png: jpeg[:2] + b"\xff" * (2 * bounds.MAX_READS) + jpeg[2:],
        lambda jpeg, png: jpeg[:2] + b"\xff\xfe\0\2" * bounds.MAX_READS + jpeg[2:],
        lambda jpeg, png: png[:33] + chunk(b"abCd", b"") * bounds.MAX_READS + png[33:],
    ],
    ids=["padding", "segments", "chunks"],
)
def test_many_small_pieces(data: Callable[[bytes, bytes], bytes], jpeg: bytes) -> None:
    """32 MiB of them took up to 20 seconds, all the while with Python's lock."""
    assert refusal(data(jpeg, saved(scene(), "PNG"))) == "unreadable"


def test_jpeg_of_many_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan that refines nothing takes a few bytes and goes over every pixel."""
    data = saved(scene(), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    many = data[:-2] + last * 50 + data[-2:]
    monkeypatch.setattr(bounds, "MAX_SCANNED", 40 * 320 * 240)
    assert refusal(many) == "unreadable"
    # What looks like scans in metadata, or behind the end, is none.
    thumbnails = b"\xff\xfe\x03\xea" + b"\xff\xda" * 500
    assert decode(data[:2] + thumbnails + data[2:] + b"\xff\xda" * 500).width == 320


def test_entries_that_share_their_data() -> None:
    """Pillow's own limit, on which we lean: a thousand copies of a megabyte were a gigabyte."""
    shared = bytes(range(256)) * 4096
    start = 8 + 2 + 12 * 1009 + 4 + 8 * 64
    entries = [(40_000 + n, 1, len(shared), start) for n in range(1000)]
    data = tiff(64, *entries, tail=shared)
    png = saved(scene(), "PNG")
    for file in (data, png[:33] + chunk(b"eXIf", data) + png[33:]):
        tracemalloc.start()
        try:
            decode(file)
            assert tracemalloc.get_traced_memory()[1] < 20 * len(data)
        finally:
            tracemalloc.stop()
