"""Metadata comes from real structures of each container, and from nowhere else."""

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellsign.provenance import containers, exif
from tellsign.provenance.containers import BlockKind
from tellsign.provenance.containers.block import MAX_TEXT

from . import making
from .conftest import Read

PACKET = making.xmp(Iptc4xmpExt_DigitalSourceType=making.AI)
TAGS = making.exif({0x0131: "A program"})


def blocks(data: bytes, format: str) -> dict[BlockKind, bytes]:
    return {block.kind: block.data for block in containers.walk(data, format)}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_exif_and_xmp_as_pillow_writes_them(format: str, read: Read) -> None:
    options = {"xmp": PACKET, "exif": b"Exif\0\0" + TAGS}
    if format == "PNG":
        data = making.with_chunks(
            making.plain("PNG", exif=TAGS),
            making.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + PACKET),
        )
    elif format == "TIFF":
        data = making.plain("TIFF", tiffinfo={700: PACKET, 0x0131: "A program"})
    else:
        data = making.plain(format, **options)
    found = blocks(data, format)
    assert found[BlockKind.XMP].strip(b"\0") == PACKET
    assert exif.parse(found[BlockKind.EXIF]).text(exif.SOFTWARE) == "A program"
    assert read(data, format)["iptc"]["details"] == {
        "source_type": "trainedAlgorithmicMedia",
        "software": "A program",
    }


def test_gif(read: Read) -> None:
    trailer = bytes([1, *range(255, -1, -1), 0])
    plain = making.plain("GIF")
    head = 13 + (3 << (plain[10] & 7) + 1)
    extension = b"\x21\xff\x0bXMP DataXMP" + PACKET + trailer
    comment = b"\x21\xfe" + bytes([5]) + b"a fox" + b"\0"
    data = plain[:head] + extension + comment + plain[head:]
    assert blocks(data, "GIF") == {BlockKind.XMP: PACKET, BlockKind.TEXT: b"a fox"}
    assert read(data, "GIF")["iptc"]["declares_ai"]


@pytest.mark.parametrize("format", making.FORMATS)
def test_bytes_outside_of_structures_are_no_metadata(format: str, read: Read) -> None:
    """Whole packets and chunks behind the end, and the words of the standard, change nothing."""
    plain = making.plain(format)
    assert read(plain, format) == {}
    for behind in (
        PACKET,
        making.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PACKET),
        making.text("parameters", making.INFOTEXT),
        b"XMP " + struct.pack("<I", len(PACKET)) + PACKET,
        b"trainedAlgori",
        making.AI.encode(),
    ):
        assert read(plain + behind, format) == {}


def test_metadata_in_pixel_data_is_none(read: Read) -> None:
    """What lies in a JPEG's scan or a PNG's IDAT is no segment and no chunk."""
    jpeg = making.plain()
    hidden = making.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PACKET)
    assert read(jpeg[:-2] + hidden + jpeg[-2:]) == {}
    png = making.with_chunks(making.plain("PNG"), making.chunk(b"IDAT", zlib.compress(hidden)))
    assert read(png, "PNG") == {}


def test_a_chunk_with_a_wrong_checksum_is_none(read: Read) -> None:
    chunk = bytearray(making.text("parameters", making.INFOTEXT))
    assert read(making.with_chunks(making.plain("PNG"), bytes(chunk)), "PNG")
    chunk[-1] ^= 1
    assert read(making.with_chunks(making.plain("PNG"), bytes(chunk)), "PNG") == {}


@pytest.mark.parametrize("kind", ["zTXt", "iTXt", "iTXt packed"])
def test_kinds_of_png_text(kind: str, read: Read) -> None:
    text = making.INFOTEXT.replace("fox", "füchs").encode()
    key = b"parameters\0"
    chunk = {
        "zTXt": making.chunk(b"zTXt", key + b"\0" + zlib.compress(text)),
        "iTXt": making.chunk(b"iTXt", key + b"\0\0en\0\0" + text),
        "iTXt packed": making.chunk(b"iTXt", key + b"\1\0en\0\0" + zlib.compress(text)),
    }[kind]
    found = read(making.with_chunks(making.plain("PNG"), chunk), "PNG")
    assert found["generator_parameters"]["details"]["prompt"] == "a füchs, oil"


def test_imagemagick_s_profiles(read: Read) -> None:
    text = f"\nexif\n{len(TAGS):8}\n{TAGS.hex()}\n"
    chunk = making.chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text.encode()))
    found = read(making.with_chunks(making.plain("PNG"), chunk), "PNG")
    assert found["iptc"]["details"]["software"] == "A program"


def test_extended_xmp(read: Read) -> None:
    """Parts in any order make one packet; with a gap they make none."""
    name = b"0123456789ABCDEF0123456789ABCDEF"
    parts = [
        making.segment(
            0xE1,
            b"http://ns.adobe.com/xmp/extension/\0" + name
            + struct.pack(">II", len(PACKET), at) + PACKET[at : at + 300],
        )
        for at in range(0, len(PACKET), 300)
    ]  # fmt: skip
    whole = making.with_segments(making.plain(), *reversed(parts))
    assert read(whole)["iptc"]["declares_ai"]
    assert read(making.with_segments(making.plain(), *parts[1:])) == {}


def test_a_large_box_in_many_segments() -> None:
    box = making.store(making.superbox(b"m", making.box(b"free", bytes(200_000))))
    data = making.with_box(making.plain(), box)
    assert blocks(data, "JPEG") == {BlockKind.C2PA: box}


BOMBS = {
    "text": ("PNG", making.with_chunks(
        making.plain("PNG"),
        *[making.chunk(b"zTXt", b"k%d\0\0" % i + zlib.compress(bytes(50 * 2**20), 9))
          for i in range(20)],
    )),
    "fill bytes": ("JPEG", b"\xff" * 2**23),
    "segments": ("JPEG", b"\xff\xd8" + b"\xff\xe0\0\2" * 2**20),
    "app13": ("JPEG", b"\xff\xd8" + making.segment(0xED, b"Photoshop 3.0\0" + bytes(65000)) * 200),
    "chunks": ("PNG", making.plain("PNG")[:33] + making.chunk(b"tEXt", b"") * 300_000),
    "riff": ("WEBP", b"RIFF\xff\xff\xff\x7fWEBP" + b"EXIF\0\0\0\0" * 500_000),
    "sub-blocks": ("GIF", b"GIF89a" + bytes(7) + (b"\x21\xfe" + b"\1a" * 2**20)),
    "boxes": ("AVIF", b"\0\0\0\x08free" * 500_000),
    "entries": ("TIFF", b"II*\0\x08\0\0\0\xff\xff" + b"".join(
        struct.pack("<HHII", tag, 7, 2**22, 0) for tag in range(2**15)) + bytes(2**22)),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str, read: Read) -> None:
    format, data = BOMBS[name]
    assert read(data, format) == {}
    for block in containers.walk(data, format):
        assert block.kind in (BlockKind.EXIF, BlockKind.C2PA) or len(block.data) <= MAX_TEXT
    containers.end(data, format)


SEEDS = {format: making.plain(format) for format in making.FORMATS}
SEEDS["JPEG"] = making.with_segments(
    making.with_exif(making.with_xmp(SEEDS["JPEG"], PACKET), TAGS),
    making.photoshop(making.iim((2, 110, b"a credit"))),
    making.segment(0xFE, b"a comment"),
)
SEEDS["PNG"] = making.with_chunks(
    SEEDS["PNG"],
    making.text("parameters", making.INFOTEXT),
    making.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + PACKET),
)
SEEDS["WEBP"] = making.plain("WEBP", xmp=PACKET, exif=b"Exif\0\0" + TAGS)
SEEDS["AVIF"] = making.plain("AVIF", xmp=PACKET, exif=b"Exif\0\0" + TAGS)
SEEDS["TIFF"] = making.plain("TIFF", tiffinfo={700: PACKET, 0x0131: "A program"})

edits = st.lists(
    st.tuples(st.integers(0, 4000), st.integers(0, 24), st.binary(max_size=24)), max_size=12
)


def check_walk(data: bytes, format: str) -> None:
    walked = containers.walk(data, format)
    assert sum(len(block.data) for block in walked) <= containers.MAX_BYTES
    assert len(walked) <= containers.MAX_BLOCKS
    assert 0 <= containers.end(data, format) <= len(data)


@settings(max_examples=300, deadline=2000)
@given(st.sampled_from(making.FORMATS), edits)
def test_walkers_raise_nothing_on_mutated_files(
    format: str, changes: list[tuple[int, int, bytes]]
) -> None:
    data = SEEDS[format]
    for place, length, new in changes:
        at = place % (len(data) + 1)
        data = data[:at] + new + data[at + length :]
    check_walk(data, format)


@settings(max_examples=300, deadline=2000)
@given(st.sampled_from(making.FORMATS), st.sampled_from(list(SEEDS.values())), st.binary())
def test_walkers_raise_nothing_on_any_bytes(format: str, seed: bytes, data: bytes) -> None:
    check_walk(data, format)
    check_walk(seed[:24] + data, format)
    check_walk(seed, format)


@settings(max_examples=100, deadline=2000)
@given(st.sampled_from(making.FORMATS), st.binary(min_size=1, max_size=64))
def test_what_is_appended_is_not_walked(format: str, tail: bytes) -> None:
    data = SEEDS[format]
    if format == "TIFF":  # a file without an end of its own: its blocks are the same but for one
        before, after = containers.walk(data, format)[1:], containers.walk(data + tail, format)[1:]
    else:
        before, after = containers.walk(data, format), containers.walk(data + tail, format)
    assert before == after


def test_an_unknown_format_has_no_metadata() -> None:
    assert containers.walk(b"BM" + bytes(100), "BMP") == []
    assert containers.end(b"BM", "BMP") == 2
