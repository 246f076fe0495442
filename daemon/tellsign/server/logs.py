"""What is logged, in the form of `lines`.

No line holds a token, a code, a picture's contents or the address of a page: paths are logged as
the router knows them, queries not at all.
"""

import logging
import time

from aiohttp import web

from tellsign.server.errors import ApiError, Handler

log = logging.getLogger("tellsign")

FIELDS = web.RequestKey("fields", dict[str, object])

QUIET = {("GET", "/v1/health", 200), ("GET", "/v1/pair/code", 200)}
"""Requests by which clients look whether something has changed; logged at level debug."""


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
