"""Reading what a client sends, and never more than is allowed."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from tellsign.server.errors import ApiError
from tellsign.server.room import Place
from tellsign.settings import MAX_BODY

MAX_JSON = 4096


async def read_picture(request: web.Request, place: Place) -> tuple[bytes, str]:
    """The body and its SHA-256 in hex, computed as it arrives to spare the event loop.

    Raises:
        ApiError: `too_large` or `busy`, as soon as that is known; `bad_request`.
    """
    digest = hashlib.sha256()
    data = await _read(request, MAX_BODY, digest.update, place.reach)
    return data, digest.hexdigest()


async def read_json(request: web.Request, *fields: str) -> list[str]:
    """The text fields of a JSON object.

    Raises:
        ApiError: `too_large`, `bad_request`.
    """
    content = await _json(request)
    try:
        values = [content[field] for field in fields]
    except (KeyError, TypeError):
        values = [None]
    if not all(isinstance(value, str) for value in values):
        wanted = ", ".join(f'"{field}"' for field in fields)
        raise ApiError(400, "bad_request", f"The body must be a JSON object with {wanted} as text.")
    return values


async def read_flag(request: web.Request, field: str) -> bool:
    """The only field of a JSON object, which is true or false.

    Raises:
        ApiError: `too_large`, `bad_request`.
    """
    content = await _json(request)
    if content not in ({field: True}, {field: False}) or not isinstance(content[field], bool):
        message = f'The body must be a JSON object with "{field}" as true or false.'
        raise ApiError(400, "bad_request", message)
    return content[field] is True


async def _json(request: web.Request) -> Any:
    """None where the body is none.

    Raises:
        ApiError: `too_large`.
    """
    try:
        return json.loads(await _read(request, MAX_JSON))
    except (ValueError, RecursionError):
        return None


async def _read(
    request: web.Request,
    limit: int,
    also: Callable[[bytes], None] = lambda _: None,
    reach: Callable[[int], None] = lambda _: None,
) -> bytes:
    """`reach` is told the size that was announced, and how much there is before it is kept."""
    announced = request.content_length or 0
    if announced > limit:
        raise _too_large(limit)
    reach(announced)
    data = bytearray()
    try:
        async for chunk in request.content.iter_any():
            if len(data) + len(chunk) > limit:
                raise _too_large(limit)
            reach(len(data) + len(chunk))
            data += chunk
            also(chunk)
    except web.RequestPayloadError as error:
        raise ApiError(400, "bad_request", "The body is not what its headers say.") from error
    return bytes(data)


def _too_large(limit: int) -> ApiError:
    size = f"{limit // 2**20} MiB" if limit >= 2**20 else f"{limit} bytes"
    message = f"The file is larger than {size}, the most that is taken."
    return ApiError(413, "too_large", message)
