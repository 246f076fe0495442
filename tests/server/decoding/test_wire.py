"""What passes between the daemon and its workers: there and back, and what nobody should send."""

import contextlib
import io
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellsign import prepared
from tellsign.picture import FORMATS, PictureError, digest
from tellsign.prepared import Prepared
from tellsign.provenance import Evidence, Kind
from tellsign.server.decoding import wire
from tellsign.server.decoding.wire import Garbage, Request
from tellsign.views import ViewPlan, canonical_size

from ..conftest import picture

FILE = picture(1, 64, 48)
ENTRY = Evidence(Kind.CAPTURE, False, None, True, "A camera.", {"camera": "é", "at": [1, 0.5]})


def made(size: int = 32, crops: int = 1) -> tuple[Request, Prepared]:
    request = Request(FILE, ViewPlan(size, 768, crops, whole=True), scaled=True)
    whole = prepared.prepare(FILE, request.plan)
    return request, replace(whole, evidence=[ENTRY])


def answered(data: bytes, request: Request) -> Prepared:
    return wire.read_answer(io.BytesIO(data), request, digest(FILE))


def test_wire_there_and_back() -> None:
    request, here = made()
    stream = io.BytesIO()
    wire.write_request(stream, request)
    stream.seek(0)
    assert wire.read_request(stream) == request
    stream = io.BytesIO()
    wire.write_answer(stream, request, here)
    there = answered(stream.getvalue(), request)
    assert (there.evidence, there.seconds) == (here.evidence, here.seconds)
    assert there.scaled.tobytes() == here.scaled.tobytes()
    assert (there.views == here.views).all()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@given(st.binary(max_size=200), st.sampled_from([0, 4, 40, 10**6]))
def test_any_bytes(junk: bytes, kept: int) -> None:
    request, here = made()
    stream = io.BytesIO()
    wire.write_answer(stream, request, here)
    data = stream.getvalue()[:kept] + junk
    with contextlib.suppress(Garbage, EOFError, PictureError):
        assert answered(data, request).evidence == [ENTRY]  # what follows is the next answer's


@given(st.data())
def test_any_answer(data: st.DataObject) -> None:
    """One value of a true answer is another: it is refused, or is one that could be true."""
    request, _ = made()
    told: Any = {
        "picture": ["PNG", 64, 48, digest(FILE)],
        "evidence": [ENTRY.as_dict()],
        "views": 2,
        "seconds": [0.1, 0.2, 0.3],
    }
    place: Any = told
    while True:
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(values)
    text = json.dumps(told).encode()
    arrays = bytes(2 * 32 * 32 * 3 + 2 * 64 * 48 * 3)
    try:
        got = answered(len(text).to_bytes(4, "little") + text + arrays, request)
    except (Garbage, EOFError):
        return
    picture = got.picture
    assert picture.format in FORMATS
    assert picture.sha256 == digest(FILE)
    assert got.scaled.size == canonical_size(picture.width, picture.height, request.plan)
    assert got.views.shape in ((1, 32, 32, 3), (2, 32, 32, 3))
    assert all(0 <= seconds <= 3600 for seconds in got.seconds.values())
    texts = json.dumps([entry.as_dict() for entry in got.evidence], allow_nan=False)
    assert "\\u202e" not in texts


@pytest.mark.parametrize(
    "told",
    [
        b"[" * 100_000,
        b'{"error": ["unreadable", "\\u202edaed"]}',
        b'{"error": ["no_such_code", "Well."]}',
        b"\xff",
        b"NaN",
    ],
)
def test_answers_that_are_refused(told: bytes) -> None:
    with pytest.raises(Garbage):
        answered(len(told).to_bytes(4, "little") + told, made()[0])
