"""Content Credentials that are copied, broken, expired, recursive or too large."""

import io
import json
import time

import pytest

from tellsign.provenance import jumbf, native
from tellsign.provenance.evidence import marks_ai

from . import making
from .conftest import Read
from .signing import Authority, Signer, states, store_of


@pytest.fixture(scope="session")
def expired(authority: Authority) -> bytes:
    """Signed by a signer whose certificate has expired since."""
    end = time.monotonic() + 4
    data = authority.signer(seconds=3).sign(making.plain())
    time.sleep(max(0.0, end - time.monotonic()))
    return data


@pytest.mark.usefixtures("trusted")
def test_a_signer_of_another_authority(read: Read) -> None:
    stranger = Authority("A root that nobody trusts").signer()
    entry = read(stranger.sign(making.plain()))["content_credentials"]
    assert states(entry) == (True, True, False, None)


@pytest.mark.usefixtures("trusted")
def test_an_expired_signer(expired: bytes, read: Read) -> None:
    """Without a time stamp nobody knows when it was signed; what was signed still fits."""
    entry = read(expired)["content_credentials"]
    assert states(entry) == (True, False, False, "expired")
    assert entry["details"]["intact"]
    assert "certificate has expired" in entry["summary"]
    assert marks_ai(entry)


@pytest.mark.usefixtures("trusted")
def test_a_manifest_of_other_bytes(signed: bytes, read: Read) -> None:
    """Copied onto another picture: the signer is trusted, but has not signed this."""
    back = making.with_box(making.plain(), store_of(signed))
    assert read(back)["content_credentials"]["valid"]
    spoof = making.with_box(making.plain(seed=1), store_of(signed))
    entry = read(spoof)["content_credentials"]
    assert states(entry) == (True, False, True, "altered")
    assert "they don't fit this picture" in entry["summary"]
    assert not marks_ai(entry)


def test_changed_pixels(signed: bytes, read: Read) -> None:
    changed = bytearray(signed)
    changed[-60] ^= 1
    entry = read(bytes(changed))["content_credentials"]
    assert states(entry) == (True, False, False, "altered")


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("place", [*range(16, 600, 60), -1])
def test_a_broken_signature(signed: bytes, read: Read, place: int) -> None:
    """Whatever byte of the signer's certificate or of the signature, at the store's end, is
    changed, nothing is valid."""
    store = bytearray(store_of(signed))
    store[store.index(b"c2pa.signature\0") + place if place > 0 else place] ^= 0xFF
    changed = making.with_box(making.plain(), bytes(store))
    for entry in read(changed).values():
        assert entry["valid"] is False
        assert entry["details"]["problem"] in ("signature", "unreadable")
        assert not entry["details"]["intact"]
        assert not marks_ai(entry)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("format", [f for f in making.FORMATS if f != "TIFF"])
def test_thirteen_appended_bytes_change_nothing(format: str, signer: Signer, read: Read) -> None:
    data = signer.sign(making.plain(format), format)
    before, after = read(data, format), read(data + b"trainedAlgori", format)
    assert after["content_credentials"]["details"].pop("appended_bytes") == 13
    assert after == before


def test_what_a_signer_signed_behind_the_end(signer: Signer, read: Read) -> None:
    entry = read(signer.sign(making.plain() + b"a trailer"))["content_credentials"]
    assert entry["valid"]
    assert "appended_bytes" not in entry["details"]


def test_two_stores(signed: bytes, signer: Signer, read: Read) -> None:
    other = store_of(signer.sign(making.plain(seed=3)))
    data = making.with_segments(
        signed, making.segment(0xEB, b"JP" + b"\0\x07" + b"\0\0\0\1" + other)
    )
    entry = read(data)["content_credentials"]
    assert states(entry) == (False, False, False, "unreadable")


def test_a_box_of_another_standard(read: Read) -> None:
    foreign = making.superbox(b"other", making.box(b"json", b"{}"), uuid=b"json")
    assert read(making.with_box(making.plain(), foreign)) == {}


@pytest.mark.parametrize(
    "label", ["c2pa.actions.v2", "c2pa.claim.v2", "c2pa.signature", "c2pa.hash.data"]
)
@pytest.mark.parametrize(
    "cbor",
    [b"\x81" * 100_000 + b"\0", b"\xa1\x61a" * 100_000 + b"\0", b"\xc1" * 100_000 + b"\0",
     b"\x9f" * 100_000, b"\x9b\x7f" + b"\xff" * 7, b"\x5b\0" + b"\xff" * 7, b""],
    ids=["arrays", "maps", "tags", "endless", "long array", "long string", "empty"],
)  # fmt: skip
def test_recursive_and_oversized_content(
    signed: bytes, read: Read, label: str, cbor: bytes
) -> None:
    """Native code gets these and says no."""
    data = making.with_box(making.plain(), _replaced(store_of(signed), label.encode(), cbor))
    entry = read(data)["content_credentials"]
    assert entry["valid"] is False
    assert not marks_ai(entry)


def _replaced(content: bytes, label: bytes, cbor: bytes) -> bytes:
    """Boxes with another content of the one of a label."""
    result, at, here = b"", 0, b""
    while at < len(content):
        size, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        body = content[at + 8 : at + size]
        if kind == b"jumd":
            here = body[17:].split(b"\0")[0]
        elif kind == b"jumb":
            body = _replaced(body, label, cbor)
        elif kind == b"cbor" and here == label:
            body = cbor
        result += making.box(kind, body)
        at += size
    return result


def test_a_manifest_that_is_its_own_ingredient(signer: Signer, read: Read) -> None:
    made = signer.sign(making.plain(seed=2))
    inner = json.loads(_labels(made))[0]
    described = {"title": "first", "relationship": "parentOf", "label": "one"}
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["one"]}}
    data = signer.sign(making.plain(), actions=[opened], ingredients=[(described, made)])
    outer = next(label for label in json.loads(_labels(data)) if label != inner)
    circle = data.replace(inner.encode(), outer.encode())
    assert circle != data
    for entry in read(circle).values():
        assert entry["valid"] is False


def _labels(data: bytes) -> str:
    with native.c2pa().Reader("image/jpeg", io.BytesIO(data)) as reader:
        return json.dumps(list(json.loads(reader.json())["manifests"]))


@pytest.mark.parametrize(
    ("store", "reason"),
    [
        (making.store(*[making.superbox(b"m")] * 65), "65 manifests"),
        (making.store(), "0 manifests"),
        (making.store(making.superbox(b"m", *[making.box(b"free", b"")] * 5000)), "damaged"),
        (making.store(making.superbox(b"m", *[making.box(b"brob", b"")] * 5)), "compressed"),
        (making.store(making.superbox(b"m", making.box(b"cbor", bytes(2**21)))), "statements"),
        (making.store(making.superbox(b"m") + b"\0\0\0\x7fjumb"), "damaged"),
        (making.store(making.superbox(b"m")) + b"1234567890", "damaged"),
    ],
    ids=["manifests", "nothing", "boxes", "compressed", "statements", "cut", "behind"],
)
def test_stores_beyond_the_bounds(store: bytes, reason: str, read: Read) -> None:
    entry = read(making.with_box(making.plain(), store))["content_credentials"]
    assert states(entry) == (False, False, False, "unreadable")
    assert reason in entry["summary"]


def test_nested_boxes(read: Read) -> None:
    nested = making.superbox(b"x")
    for _ in range(3000):
        nested = making.superbox(b"x", nested)
    with pytest.raises(jumbf.Refused, match="nested deeper"):
        jumbf.check(making.store(nested))
    assert not read(making.with_box(making.plain(), making.store(nested)))["content_credentials"][
        "valid"
    ]
