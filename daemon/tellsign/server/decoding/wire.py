"""What passes between the daemon and a worker: JSON, then bare bytes.

A message is the length of its JSON (uint32), the JSON in UTF-8, and the bytes that it announces:

    request   plan, scaled, most, size      the file
    answer    picture, evidence,            views uint8 [n, S, S, 3] and, if it was asked for, the
              views, seconds                picture at its canonical scale, uint8 [h, w, 3]
    answer    error

A worker may have been taken over by the file that it read. The daemon makes only data out of what
it sends, and no more of that than the request allows.
"""

import json
import struct
from dataclasses import dataclass
from typing import IO, Any, NoReturn

import numpy as np
from PIL import Image

from tellsign.picture import CODES, FORMATS, Picture, PictureError
from tellsign.prepared import STEPS, Prepared
from tellsign.provenance.evidence import Evidence, shown
from tellsign.settings import MAX_PIXELS, MIN_SIDE
from tellsign.views import Pixels, ViewPlan, canonical_size

MAX_TOLD = 4 * 2**20
"""Bytes of a message's JSON: far more than all evidence, whose texts are bounded."""
MAX_SECONDS = 3600.0
"""Of one step; a worker is given far less."""

_LENGTH = struct.Struct("<I")


class Garbage(ValueError):
    """What no worker of ours sends."""


@dataclass(frozen=True)
class Request:
    """What is to be made of a file; `scaled` says whether the picture is to come back beside its
    views, `most` how many pixels it may have."""

    data: bytes
    plan: ViewPlan
    scaled: bool = False
    most: int = MAX_PIXELS


def write_request(stream: IO[bytes], request: Request) -> None:
    told = {"scaled": request.scaled, "most": request.most, "size": len(request.data)}
    _write(stream, {"plan": request.plan.as_dict(), **told}, request.data)


def read_request(stream: IO[bytes]) -> Request:
    """The daemon's next one, which is trusted.

    Raises:
        EOFError: there will be none.
    """
    told = _told(stream)
    data = _read(stream, told["size"])
    return Request(data, ViewPlan(**told["plan"]), told["scaled"], told["most"])


def write_answer(stream: IO[bytes], request: Request, prepared: Prepared) -> None:
    """Raises: MemoryError, before anything is written."""
    picture = prepared.picture
    told = {
        "picture": [picture.format, picture.width, picture.height, picture.sha256],
        "evidence": [entry.as_dict() for entry in prepared.evidence],
        "views": len(prepared.views),
        "seconds": [prepared.seconds[step] for step in STEPS[:3]],
    }
    scaled = prepared.scaled.tobytes() if request.scaled else b""
    _write(stream, told, prepared.views.data, scaled)


def write_refusal(stream: IO[bytes], error: PictureError) -> None:
    _write(stream, {"error": [error.code, error.message]})


def read_answer(stream: IO[bytes], request: Request, sha256: str) -> Prepared:
    """A worker's answer to a request for the file of that digest, hostile. The views are read-only,
    the picture is without its pixels, and so is `scaled` if it was not asked for.

    Raises:
        PictureError: the file gives no picture.
        Garbage: it is no such answer.
        EOFError: the worker has ended.
    """
    told = _told(stream)
    if not isinstance(told, dict):
        raise Garbage("no object")
    if told.keys() == {"error"}:
        raise _refusal(told["error"])
    if told.keys() != {"picture", "evidence", "views", "seconds"}:
        raise Garbage("other fields")
    format, width, height, digest = _list(told["picture"], 4)
    _check(format in FORMATS and digest == sha256, "another picture")
    width, height = (_whole(side, MIN_SIDE, request.most) for side in (width, height))
    _check(width * height <= request.most, "too many pixels")
    evidence = [_evidence(entry) for entry in _list(told["evidence"])]
    seconds = dict(zip(STEPS[:3], map(_seconds, _list(told["seconds"], 3)), strict=True))
    plan = request.plan
    count = _whole(told["views"], 1, plan.crops + plan.whole)
    views = _array(stream, count, plan.size, plan.size, 3)
    size = canonical_size(width, height, plan) if request.scaled else (0, 0)
    scaled = Image.frombytes("RGB", size, _read(stream, size[0] * size[1] * 3))
    picture = Picture(Image.new("RGB", (0, 0)), format, width, height, sha256)
    return Prepared(picture, evidence, scaled, views, seconds)


def _write(stream: IO[bytes], told: dict[str, Any], *parts: bytes | memoryview) -> None:
    text = json.dumps(told).encode()
    stream.write(_LENGTH.pack(len(text)) + text)
    for part in parts:
        stream.write(part)
    stream.flush()


def _read(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _told(stream: IO[bytes]) -> Any:
    [length] = _LENGTH.unpack(_read(stream, _LENGTH.size))
    _check(length <= MAX_TOLD, "a text of too many bytes")
    text = _read(stream, length)
    try:
        return json.loads(text.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Garbage("no JSON") from None


def _no_number(name: str) -> NoReturn:
    raise Garbage(name)


def _array(stream: IO[bytes], *shape: int) -> Pixels:
    size = int(np.prod(shape))
    return np.frombuffer(_read(stream, size), np.uint8).reshape(shape)


def _refusal(told: Any) -> PictureError:
    code, message = _list(told, 2)
    _check(code in CODES and bool(message) and message == shown(message), "another refusal")
    return PictureError(code, message)


def _evidence(told: Any) -> Evidence:
    try:
        return Evidence.from_dict(told)
    except (ValueError, RecursionError):
        raise Garbage("no evidence") from None


def _list(value: Any, length: int | None = None) -> list[Any]:
    _check(isinstance(value, list) and length in (None, len(value)), "no such list")
    result: list[Any] = value
    return result


def _whole(value: Any, least: int, most: int) -> int:
    _check(type(value) is int and least <= value <= most, "no such number")
    return int(value)


def _seconds(value: Any) -> float:
    _check(type(value) in (int, float) and 0 <= value <= MAX_SECONDS, "no such time")
    return float(value)


def _check(true: bool, what: str) -> None:
    if not true:
        raise Garbage(what)
