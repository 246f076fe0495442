"""Real files: those of shared/data/provenance say what its table says, real pictures nothing."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tellsign import provenance
from tellsign.picture import decode
from tellsign.provenance import containers, trust
from tellsign.provenance.evidence import marks_ai

from .signing import pem

DATA = Path(__file__).parents[4] / "shared" / "data"
TABLE, CORE = DATA / "provenance" / "provenance.csv", DATA / "core" / "core.csv"

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not TABLE.exists() or not CORE.exists(), reason="no shared pictures"),
]
Row = dict[str, str]


def rows(table: Path) -> list[Row]:
    if not table.exists():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def entries(row: Row) -> dict[str, dict[str, Any]]:
    data = (TABLE.parent / row["file"]).read_bytes()
    picture = decode(data)
    found = provenance.read(data, picture.format, picture.image)
    by_kind = {entry.kind.value: entry.as_dict() for entry in found}
    assert len(by_kind) == len(found)
    return by_kind


def told(signal: str, found: dict[str, dict[str, Any]], row: Row) -> bool:
    """Whether what the table saw in a file is in its entries."""
    details = {kind: entry["details"] for kind, entry in found.items()}
    name, _, value = signal.partition(":")
    generator = details.get("generator_parameters", {})
    match name:
        case "c2pa":
            return "content_credentials" in found
        case "c2pa_agent":
            credentials = json.dumps(details["content_credentials"])
            return value.replace("_", " ").casefold() in credentials.casefold()
        case "iptc":
            sources = details.get("content_credentials", {}).get("source_types", [])
            return value in [*sources, details.get("iptc", {}).get("source_type")]
        case "exif_software":
            return value in [part.get("software") for part in details.values()]
        case "credit":
            return bool(details["iptc"]["credit"] == value)
        case "a1111_parameters" | "a1111_parameters_exif":
            where = "EXIF" if name.endswith("exif") else "PNG"
            return generator["where"].startswith(where) and bool(generator["prompt"])
        case "comfy_prompt" | "comfy_workflow":
            names = ("sampler", "seed", "prompt")
            return bool(generator["model"] == row["generator"] and all(map(generator.get, names)))
        case "xmp" | "photoshop_irb":  # structures, whose contents the others name
            return True
    raise AssertionError(f"the table has a new signal, {signal}")


@pytest.mark.parametrize("row", rows(TABLE), ids=lambda row: row["file"])
def test_files_say_what_the_table_says(row: Row) -> None:
    found = entries(row)
    for signal in filter(None, row["signals"].split(";")):
        assert told(signal, found, row), signal
    declared = [entry["kind"] for entry in found.values() if entry["declares_ai"]]
    assert bool(declared) == (row["label"] == "ai")
    assert any(map(marks_ai, found.values())) == (row["label"] == "ai")
    assert ("content_credentials" in found) == ("c2pa" in row["signals"].split(";"))
    assert ("capture" in found) == bool(row["camera"])
    if row["camera"]:
        capture = found["capture"]["details"]
        assert row["camera"] == f"{capture['make']} {capture['model']}"


C2PA = {  # the table doesn't tell these: what c2patool says of the files
    "0d4c2774": (False, "signature"), "ce3d1e50": (False, "ingredient"), "cd2f56e1": (True, None),
    "56014faf": (False, "altered"), "45c5d9fd": (True, None), "8bbb5d41": (True, None),
    "91cc638e": (True, None), "4524a15f": (False, "altered"), "f11ee4aa": (True, None),
}  # fmt: skip


@pytest.mark.parametrize("row", rows(TABLE), ids=lambda row: row["file"])
def test_signatures(row: Row) -> None:
    if row["sha256"][:8] in C2PA:
        entry = entries(row)["content_credentials"]
        assert (entry["valid"], entry["details"].get("problem")) == C2PA[row["sha256"][:8]]
        assert entry["trusted"] is False


def test_the_test_files_own_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the root that the files carry on the list, their signers are trusted, whether or not
    what they signed is still there."""
    monkeypatch.setenv("TELLSIGN_DATA", str(tmp_path / "data"))
    files = {row["sha256"][:8]: row for row in rows(TABLE)}
    (tmp_path / "root.pem").write_text(pem(_root(files["45c5d9fd"])))
    trust.replace(tmp_path / "root.pem")
    states = {
        name: entries(files[name])["content_credentials"]
        for name in ("45c5d9fd", "8bbb5d41", "4524a15f", "0d4c2774", "f11ee4aa")
    }
    assert {name: (entry["valid"], entry["trusted"]) for name, entry in states.items()} == {
        "45c5d9fd": (True, True),
        "8bbb5d41": (True, True),
        "4524a15f": (False, True),
        "0d4c2774": (False, False),
        "f11ee4aa": (True, False),
    }


def _root(row: Row) -> x509.Certificate:
    [store] = [
        block.data
        for block in containers.walk((TABLE.parent / row["file"]).read_bytes(), "JPEG")
        if block.kind == "c2pa"
    ]
    at = -1
    while (at := store.find(b"\x30\x82", at + 1)) >= 0:
        size = int.from_bytes(store[at + 2 : at + 4], "big") + 4
        try:
            certificate = x509.load_der_x509_certificate(store[at : at + size])
        except ValueError:
            continue
        if certificate.subject == certificate.issuer:
            return certificate
    raise AssertionError("no root in the file")


def test_no_real_picture_is_marked() -> None:
    """Nor has one a watermark: the false-positive rate that the module tells is this test's."""
    real = [row for row in rows(CORE) if row["label"] == "real"]
    assert len(real) == 880
    for row in real:
        data = (CORE.parent / row["path"]).read_bytes()
        picture = decode(data)
        for entry in provenance.read(data, picture.format, picture.image):
            assert not entry.declares_ai, row["path"]
            assert entry.kind is not provenance.Kind.WATERMARK, row["path"]
