"""Everything that goes wrong, as JSON with a code for programs and a sentence for the person."""

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from tellsign.picture import PictureError
from tellsign.settings import RESUME

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

UNSUPPORTED = {"not_an_image", "format_not_allowed"}
"""Codes of a PictureError that are answered with 415; the others with 422."""


class ApiError(Exception):
    """An answer other than success; `more` goes into the error's JSON beside code and message."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
        self.more = more or {}

    def response(self) -> web.Response:
        error = {"code": self.code, "message": self.message, **self.more}
        response = web.json_response({"error": error}, status=self.status, headers=self.headers)
        if self.status == 413:
            response.force_close()  # the rest of the body may never end
        return response


def busy() -> ApiError:
    message = "Tellsign has too much to do right now; try again in a moment."
    return ApiError(503, "busy", message, headers={"Retry-After": "2"})


def paused() -> ApiError:
    """Nobody knows for how long; events tell the end of it at once."""
    return ApiError(503, "paused", f"Tellsign is paused. {RESUME}", headers={"Retry-After": "60"})


def deadline() -> ApiError:
    return ApiError(504, "deadline", "The picture could not be checked in time; try again.")


def loading() -> ApiError:
    message = "What makes heatmaps is still being loaded; try again in a few seconds."
    return ApiError(503, "loading", message, headers={"Retry-After": "5"})


def of_picture(error: PictureError) -> ApiError:
    return ApiError(415 if error.code in UNSUPPORTED else 422, error.code, error.message)


def of_http(error: web.HTTPException) -> ApiError:
    """aiohttp's own refusals: an unknown path, a wrong method and the like."""
    if error.status == 404:
        return ApiError(404, "no_such_path", "Tellsign has nothing at this address.")
    if isinstance(error, web.HTTPMethodNotAllowed):
        allow = {"Allow": ", ".join(sorted(error.allowed_methods))}
        message = f"This address takes {allow['Allow']} only."
        return ApiError(405, "wrong_method", message, headers=allow)
    return ApiError(error.status, "bad_request", f"{error.reason}.")


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into JSON; what is not foreseen is left to the log."""
    try:
        return await handler(request)
    except ApiError as error:
        return error.response()
    except PictureError as error:
        return of_picture(error).response()
    except web.HTTPException as error:
        return of_http(error).response()
