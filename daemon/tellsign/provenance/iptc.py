"""IPTC fields in XMP and IIM: what they say of AI, and who made or processed the picture.

IPTC Photo Metadata Standard 2025.1: "Digital Source Type" and the fields "AI System Used", "AI
System Version Used", "AI Prompt Information" and "AI Prompt Writer Name", all in XMP; IIM 4.2 for
the older records.
"""

from typing import Any

from tellsign.provenance.containers import Block
from tellsign.provenance.evidence import (
    AI_SOURCES,
    MAX_TEXT,
    Evidence,
    Kind,
    filled,
    shown,
    source_type,
)
from tellsign.provenance.xmp import Properties

MAX_RECORDS = 1024
CREDIT, SOURCE, PROGRAM = 110, 115, 65
UTF_8 = b"\x1b%G"
"""ISO 2022's escape sequence for UTF-8, in record 1:90."""

MAKES = {
    "trainedAlgorithmicMedia": "says that AI made the picture",
    "compositeWithTrainedAlgorithmicMedia": "says that AI made a part of the picture",
    "algorithmicMedia": "says that a program made the picture",
}


def read(
    xmp: Properties, records: list[Block], software: str = "", camera: str = ""
) -> list[Evidence]:
    """The entry of a file whose fields say anything. `software` and `camera` are EXIF's: a file
    that names a camera tells its software there."""
    iim = _records(records[0].data) if records else {}
    source = _source(xmp)
    system, prompt = _first(xmp, "AISystemUsed"), _first(xmp, "AIPromptInformation", MAX_TEXT)
    details = filled(
        source_type=source,
        ai_system=system,
        ai_system_version=_first(xmp, "AISystemVersionUsed"),
        ai_prompt=prompt,
        ai_prompt_writer=_first(xmp, "AIPromptWriterName"),
        credit=shown(_value(xmp, "photoshop:Credit") or iim.get(CREDIT, "")),
        source=shown(_value(xmp, "photoshop:Source") or iim.get(SOURCE, "")),
        software=shown(_value(xmp, "xmp:CreatorTool") or software or iim.get(PROGRAM, "")),
    )
    if not details or (camera and set(details) == {"software"}):
        return []
    declares = source in AI_SOURCES or bool(system or prompt)
    return [Evidence(Kind.IPTC, declares, None, None, _summary(details), details)]


def _source(xmp: Properties) -> str:
    """The digital source type; that which declares AI, where there are several. The second name
    is that of drafts, which programs still write."""
    values = xmp.get("Iptc4xmpExt:DigitalSourceType", [])
    terms = [source_type(v) for v in values + xmp.get("Iptc4xmpExt:DigitalSourcefileType", [])]
    return next((term for term in terms if term in AI_SOURCES), next(filter(None, terms), ""))


def _first(xmp: Properties, name: str, limit: int = 200) -> str:
    return shown(_value(xmp, f"Iptc4xmpExt:{name}"), limit)


def _value(xmp: Properties, name: str) -> str:
    return xmp.get(name, [""])[0]


def _summary(details: dict[str, Any]) -> str:
    source = details.get("source_type", "")
    if source in MAKES:
        says = MAKES[source]
    elif "ai_system" in details or "ai_prompt" in details:
        says = f"names the AI system {details.get('ai_system', 'that its prompt was given to')}"
    elif "credit" in details:
        return f"The file's metadata credits “{details['credit']}”."
    elif source:
        says = f"gives the digital source type “{source}”"
    elif "software" in details:
        return f"The file's metadata names the software {details['software']}."
    else:
        return f"The file's metadata names the source “{details['source']}”."
    return f"The file's IPTC metadata, which is not signed, {says}."


def _records(data: bytes) -> dict[int, str]:
    """The first value of each data set of record 2: 0x1C, record, data set, size [2], value."""
    found: dict[int, bytes] = {}
    encoding, at = "latin-1", 0
    for _ in range(MAX_RECORDS):
        if data[at : at + 1] != b"\x1c" or at + 5 > len(data):
            break
        record, number = data[at + 1], data[at + 2]
        size = int.from_bytes(data[at + 3 : at + 5], "big")
        value = data[at + 5 : at + 5 + size]
        if size > 0x7FFF or len(value) != size:
            break  # an extended or a cut data set; none that is read here is that long
        if (record, number, value) == (1, 90, UTF_8):
            encoding = "utf-8"
        elif record == 2:
            found.setdefault(number, value)
        at += 5 + size
    return {number: value.decode(encoding, "replace") for number, value in found.items()}
