"""IPTC fields in XMP and IIM, and XMP that is a trap."""

import pytest

from tellsign.provenance import xmp
from tellsign.provenance.containers import Block, BlockKind
from tellsign.provenance.evidence import source_type

from . import making
from .conftest import Read


def parsed(packet: bytes) -> xmp.Properties:
    return xmp.properties([Block(BlockKind.XMP, "here", packet)])


@pytest.mark.parametrize(
    ("term", "declares"),
    [
        ("trainedAlgorithmicMedia", True),
        ("compositeWithTrainedAlgorithmicMedia", True),
        ("algorithmicMedia", True),
        ("digitalCapture", False),
        ("compositeSynthetic", False),
    ],
)
@pytest.mark.parametrize("form", ["attribute", "element", "resource", "list", "draft"])
def test_source_types(term: str, declares: bool, form: str, read: Read) -> None:
    value = making.SOURCE + term
    name = "Iptc4xmpExt:DigitalSourceType"
    packet = {
        "attribute": making.xmp(Iptc4xmpExt_DigitalSourceType=value),
        "element": making.xmp(f"<{name}>\n {value} </{name}>"),
        "resource": making.xmp(f'<{name} rdf:resource="{value}"/>'),
        "list": making.xmp(f"<{name}><rdf:Bag><rdf:li>{value}</rdf:li></rdf:Bag></{name}>"),
        "draft": making.xmp(Iptc4xmpExt_DigitalSourcefileType=value),
    }[form]
    entry = read(making.with_xmp(making.plain(), packet))["iptc"]
    assert entry["declares_ai"] is declares
    assert (entry["valid"], entry["trusted"]) == (None, None)
    assert entry["details"]["source_type"] == term


@pytest.mark.parametrize(
    ("value", "term"),
    [
        ("https://cv.iptc.org/newscodes/digitalsourcetype/TrainedAlgorithmicMedia/",
         "trainedAlgorithmicMedia"),
        ("trainedAlgorithmicMedia", "trainedAlgorithmicMedia"),
        ("http://c2pa.org/digitalsourcetype/empty", "empty"),
        ("http://example.org/trainedAlgorithmicMedia", ""),
        ("not trainedAlgorithmicMedia", ""),
        (None, ""), (["trainedAlgorithmicMedia"], ""),
    ],
)  # fmt: skip
def test_terms(value: object, term: str) -> None:
    assert source_type(value) == term


def test_ai_fields(read: Read) -> None:
    packet = making.xmp(
        Iptc4xmpExt_AISystemUsed="Painter", Iptc4xmpExt_AISystemVersionUsed="2",
        Iptc4xmpExt_AIPromptInformation="a fox", Iptc4xmpExt_AIPromptWriterName="A person",
        photoshop_Credit="Made with Google AI",
    )  # fmt: skip
    entry = read(making.with_xmp(making.plain(), packet))["iptc"]
    assert entry["declares_ai"]
    assert entry["details"] == {
        "ai_system": "Painter", "ai_system_version": "2", "ai_prompt": "a fox",
        "ai_prompt_writer": "A person", "credit": "Made with Google AI",
    }  # fmt: skip
    assert "names the AI system Painter" in entry["summary"]


def test_a_credit_alone_declares_nothing(read: Read) -> None:
    records = making.iim((1, 90, b"\x1b%G"), (2, 110, "Füchs".encode()), (2, 65, b"A program"))
    data = making.with_segments(making.plain(), making.photoshop(records))
    entry = read(data)["iptc"]
    assert not entry["declares_ai"]
    assert entry["details"] == {"credit": "Füchs", "software": "A program"}


def test_a_source_type_of_another_picture_is_not_this_one_s(read: Read) -> None:
    inner = f'<rdf:Description Iptc4xmpExt:DigitalSourceType="{making.AI}"/>'
    packet = making.xmp(f"<dc:relation>{inner}</dc:relation>", xmp_CreatorTool="A program")
    entry = read(making.with_xmp(making.plain(), packet))["iptc"]
    assert not entry["declares_ai"]
    second = making.xmp().replace(
        b"</x:xmpmeta>",
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        + making.xmp(Iptc4xmpExt_DigitalSourceType=making.AI).split(b"RDF ", 1)[1],
    )
    assert "Iptc4xmpExt:DigitalSourceType" not in parsed(second)


LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(20)
)
TRAPS = {
    "laughs": LAUGHS + b"]><x>&u;</x>",
    "file": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + making.xmp("&a;"),
    "remote": b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">' + making.xmp(),
    "deep": making.xmp("<dc:title>" * 100_000),
    "wide": making.xmp("<dc:title/>" * 150_000),
    "attributes": making.xmp("<dc:title " + " ".join(f'a{i}="1"' for i in range(150_000)) + "/>"),
    "cut": making.xmp(Iptc4xmpExt_DigitalSourceType=making.AI)[:-20],
    "not xml": b"\xff\xfe\0<" * 1000,
    "encoding": b'<?xml version="1.0" encoding="nonsense"?>' + making.xmp(),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_traps(trap: str, read: Read) -> None:
    assert parsed(TRAPS[trap]) == {}
    chunk = making.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + TRAPS[trap])
    assert read(making.with_chunks(making.plain("PNG"), chunk), "PNG") == {}


def test_a_document_type_is_refused_whatever_is_in_the_packet() -> None:
    packet = making.xmp(Iptc4xmpExt_DigitalSourceType=making.AI)
    assert parsed(packet)
    assert parsed(b"<!DOCTYPE x>" + packet) == {}


def test_texts_are_made_harmless(read: Read) -> None:
    """What steers a terminal or turns a text round is left out, and length is bounded."""
    credit = "\u202e\u009b31m" + "x" * 1000
    entry = read(making.with_xmp(making.plain(), making.xmp(photoshop_Credit=credit)))["iptc"]
    assert entry["details"]["credit"] == "31m" + "x" * 196 + "…"
