"""Content Credentials: signature, signer and declaration told apart."""

import pytest

from tellsign.provenance.evidence import marks_ai

from . import making
from .conftest import Read
from .signing import Signer, states, store_of


@pytest.mark.parametrize("format", making.FORMATS)
@pytest.mark.usefixtures("trusted")
def test_each_format(format: str, signer: Signer, read: Read) -> None:
    entry = read(signer.sign(making.plain(format), format), format)["content_credentials"]
    assert states(entry) == (True, True, True, None)
    assert entry["details"]["state"] == "trusted"
    assert entry["details"]["issuer"] == "Tellsign's tests"
    assert entry["details"]["source_types"] == ["trainedAlgorithmicMedia"]
    assert entry["details"]["actions"][0]["action"] == "c2pa.created"
    assert entry["details"]["trust_list"]["certificates"] == 1
    assert "nothing kept elsewhere was fetched" in entry["details"]["offline"]
    assert entry["summary"].endswith("the signature is valid and the signer is on the trust list.")
    assert marks_ai(entry)


def test_a_signer_whom_nobody_knows(signed: bytes, read: Read) -> None:
    entry = read(signed)["content_credentials"]
    assert states(entry) == (True, True, False, None)
    assert "not on the trust list" in entry["summary"]
    assert marks_ai(entry)


def test_nothing_of_ai(signer: Signer, read: Read) -> None:
    drawn = {"action": "c2pa.created", "digitalSourceType": making.SOURCE + "digitalCreation"}
    entry = read(signer.sign(making.plain(), actions=[drawn]))["content_credentials"]
    assert states(entry) == (False, True, False, None)
    assert "say nothing of AI" in entry["summary"]


def test_a_part_by_ai(signer: Signer, read: Read) -> None:
    drawn = {"action": "c2pa.created", "digitalSourceType": making.SOURCE + "digitalCreation"}
    edited = {
        "action": "c2pa.edited", "digitalSourceType": making.COMPOSITE,
        "softwareAgent": {"name": "Filler", "version": "2"},
    }  # fmt: skip
    entry = read(signer.sign(making.plain(), actions=[drawn, edited]))["content_credentials"]
    assert entry["declares_ai"]
    assert "AI made a part" in entry["summary"]
    assert entry["details"]["actions"][1]["software"] == "Filler 2"


def test_fields_that_are_signed(signer: Signer, read: Read) -> None:
    fields = {
        "label": "c2pa.metadata",
        "data": {
            "@context": {"Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"},
            "Iptc4xmpExt:DigitalSourceType": making.AI,
        },
    }
    drawn = {"action": "c2pa.created", "digitalSourceType": making.SOURCE + "digitalCreation"}
    data = signer.sign(making.plain(), actions=[drawn], assertions=[fields])
    assert read(data)["content_credentials"]["declares_ai"]


@pytest.mark.parametrize(
    ("relationship", "declares"),
    [("parentOf", True), ("componentOf", True), ("inputTo", False)],
)
def test_ingredients(signer: Signer, read: Read, relationship: str, declares: bool) -> None:
    """AI in what the picture was made from is declared; what a program only looked at is not in
    the picture."""
    made = signer.sign(making.plain(seed=2))
    first = {"action": "c2pa.created", "digitalSourceType": making.SOURCE + "digitalCreation"}
    acted = {"action": "c2pa.placed", "parameters": {"ingredientIds": ["one"]}}
    actions = [first, acted]
    if relationship == "parentOf":
        actions = [{"action": "c2pa.opened", "parameters": {"ingredientIds": ["one"]}}]
    described = {"title": "the first", "relationship": relationship, "label": "one"}
    data = signer.sign(making.plain(), actions=actions, ingredients=[(described, made)])
    entry = read(data)["content_credentials"]
    assert entry["declares_ai"] is declares
    [ingredient] = entry["details"]["ingredients"]
    assert (ingredient["title"], ingredient["relationship"]) == ("the first", relationship)
    assert ingredient["issuer"] == "Tellsign's tests"


@pytest.mark.usefixtures("trusted")
def test_a_signed_capture_is_shown_as_that(signer: Signer, read: Read) -> None:
    taken = {
        "action": "c2pa.created", "digitalSourceType": making.CAPTURE,
        "softwareAgent": {"name": "Camera", "version": "1"},
    }  # fmt: skip
    found = read(signer.sign(making.plain(), actions=[taken]))
    assert states(found["capture"]) == (False, True, True, None)
    assert found["capture"]["details"]["signed"]
    assert not found["content_credentials"]["declares_ai"]
    copied = making.with_box(
        making.plain(seed=1), store_of(signer.sign(making.plain(), actions=[taken]))
    )
    assert states(read(copied)["capture"]) == (False, False, True, "altered")


def test_a_compressed_manifest(signer: Signer, read: Read) -> None:
    data = signer.sign(making.plain(), compressed=True)
    assert b"brob" in store_of(data)
    assert read(data)["content_credentials"]["valid"]
