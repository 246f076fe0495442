"""Log lines: one `key=value` line an event to standard error, readable and easy to parse.

No line holds a token, a code, a picture's contents or the address of a page: paths are logged as
the router knows them, queries not at all.
"""

import json
import logging
import re
import time
import traceback
from datetime import datetime

from aiohttp import web

from tellsign.server.errors import ApiError, Handler

log = logging.getLogger("tellsign")

FIELDS = web.RequestKey("fields", dict[str, object])

QUIET = {("GET", "/v1/health", 200), ("GET", "/v1/pair/code", 200)}
"""Requests by which clients look whether something has changed; logged at level debug."""

_PLAIN = re.compile(r"[\w.:/+@-]+")


class LineFormatter(logging.Formatter):
    """`time level message key=value …`; values that are not plain words are JSON strings."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created).isoformat(timespec="milliseconds")
        fields: dict[str, object] = dict(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[1]:
            fields["error"] = "".join(traceback.format_exception(record.exc_info[1]))
        message = record.getMessage()
        if not fields and not _PLAIN.fullmatch(message):
            message = f"message {_pair('text', message)}"
        words = [when, record.levelname.lower(), message]
        return " ".join(words + [_pair(name, value) for name, value in fields.items()])


def _pair(name: str, value: object) -> str:
    text = f"{value:.1f}" if isinstance(value, float) else str(value)
    return f"{name}={text if _PLAIN.fullmatch(text) else json.dumps(text)}"


def set_up(level: int = logging.INFO) -> None:
    """Send the log of the whole process to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def event(name: str, /, **fields: object) -> None:
    log.info(name, extra={"fields": fields})


def problem(name: str, /, **fields: object) -> None:
    log.error(name, extra={"fields": fields})


@web.middleware
async def log_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One line a request, whatever became of it. Handlers add fields with `note`."""
    start = time.perf_counter()
    fields: dict[str, object] = {}
    request[FIELDS] = fields
    status = 499  # as in nginx: the client went away before there was an answer
    try:
        response = await handler(request)
        status = response.status
    except Exception:
        status = 500
        log.exception("unforeseen")
        message = "Something went wrong inside Tellsign; its log says what."
        return ApiError(500, "internal", message).response()
    finally:
        resource = request.match_info.route.resource
        path = resource.canonical if resource else "unknown"
        ms = (time.perf_counter() - start) * 1000
        quiet = (request.method, path, status) in QUIET
        line = {"method": request.method, "path": path, "status": status, "ms": ms, **fields}
        log.log(logging.DEBUG if quiet else logging.INFO, "request", extra={"fields": line})
    return response


def note(request: web.Request, **fields: object) -> None:
    """Add fields to the request's log line."""
    request[FIELDS].update(fields)
