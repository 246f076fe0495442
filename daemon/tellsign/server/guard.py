"""Who may ask: no web page, nobody through another name, and paired clients only.

Any page can send requests to 127.0.0.1. Browsers say where a request comes from (Origin,
Sec-Fetch-Site) and under which name the server was reached (Host, which a page that rebinds its
DNS name can't choose): see the tables in the tests. The rules hold for every route, also for
those that don't exist.
"""

import re

from aiohttp import web

from tellsign.server.errors import ApiError, Handler
from tellsign.server.logs import note
from tellsign.server.pairing import CONTROL, PAGE, Keys
from tellsign.settings import API, OLDEST_API

KEYS = web.AppKey("keys", Keys)
CLIENT = web.RequestKey("client", str)

LINKED = {"/pair"}
"""HTML pages of the daemon that other sites may link to; the check page is opened by its own."""
ANYONE = {
    "/v1/health",
    "/v1/openapi.json",
    "/v1/pair",
    "/v1/page",
    "/pair",
    "/pair.js",
    "/pair.css",
    "/check",
    "/check/{part}",
}
CONTROL_ONLY = {"/v1/pair/code", "/v1/page/code", "/v1/clients"}
PASS_MAY = {("POST", "/v1/check"), ("POST", "/v1/explain"), ("GET", "/v1/model")}
"""All that the pass of a check page is good for."""
ANY_API = ANYONE - {"/v1/pair", "/v1/page"}
"""What clients of every age may ask; here they learn which interface is spoken."""
API_HEADER = "X-Tellsign-Api"
"""In it a client may say for which interface it was made; a script need not."""

_EXTENSION = re.compile(r"(chrome|moz)-extension://[\w.-]+")

_NUMBER = re.compile(r"[0-9]{1,6}")

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_CHECK_POLICY = f"{_POLICY}; connect-src 'self'"
"""The check page asks the daemon; it shows pictures on canvases, which load nothing."""
_SECURITY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "tellsign",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


async def secure(request: web.Request, response: web.StreamResponse) -> None:
    """Security headers on every response; a signal, so that aiohttp's own answers get them too."""
    response.headers.update(_SECURITY)
    if request.path == "/check":
        response.headers["Content-Security-Policy"] = _CHECK_POLICY


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a web page may have sent."""
    _check_host(request)
    _check_origin(request)
    _check_site(request)
    if request.method == "OPTIONS":
        raise ApiError(403, "no_preflight", "Web pages can't use Tellsign.")
    return await handler(request)


@web.middleware
async def check_api(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a client that is too old or too new, before anything else goes wrong with it."""
    made_for = request.headers.getall(API_HEADER, [])
    resource = request.match_info.route.resource
    if made_for and resource and resource.canonical not in ANY_API:
        _check_api(made_for)
    return await handler(request)


@web.middleware
async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Ask for a token wherever the table above doesn't say otherwise."""
    resource = request.match_info.route.resource
    if resource is None or resource.canonical in ANYONE:
        return await handler(request)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    client = request.app[KEYS].client(token) if scheme.lower() == "bearer" else None
    if client is None:
        message = "This program is not paired with Tellsign. Run `tellsign pair`."
        raise ApiError(401, "not_paired", message, headers={"WWW-Authenticate": "Bearer"})
    if resource.canonical in CONTROL_ONLY and client != CONTROL:
        raise ApiError(403, "control_only", "Only Tellsign's own command line may do this.")
    if client == PAGE and (request.method, resource.canonical) not in PASS_MAY:
        raise ApiError(403, "not_for_pages", "The check page may only check pictures.")
    request[CLIENT] = client
    note(request, client=client)
    return await handler(request)


def _check_api(made_for: list[str]) -> None:
    if len(made_for) > 1 or not _NUMBER.fullmatch(made_for[0]):
        raise ApiError(400, "bad_request", f"{API_HEADER} must be a number.")
    number = int(made_for[0])
    if number < OLDEST_API:
        message = "The extension is too old for this Tellsign. Update the extension."
        raise ApiError(409, "client_too_old", message)
    if number > API:
        message = "This Tellsign is too old for the extension. Update Tellsign on this computer."
        raise ApiError(409, "daemon_too_old", message)


def _own_hosts(request: web.Request) -> set[str]:
    """The names of the address on which the request came in."""
    name = request.transport.get_extra_info("sockname") if request.transport else None
    if not name:
        return set()
    address, port = name[0], name[1]
    literal = f"[{address}]" if ":" in address else address
    return {f"{literal}:{port}", f"localhost:{port}"}


def _check_host(request: web.Request) -> None:
    hosts = request.headers.getall("Host", [])
    # An absolute address in the request line would overrule the Host.
    if len(hosts) != 1 or hosts[0] not in _own_hosts(request) or request.raw_path[:1] != "/":
        raise ApiError(403, "bad_host", "Reach Tellsign as 127.0.0.1 and its port.")


def _check_origin(request: web.Request) -> None:
    origins = request.headers.getall("Origin", [])
    if not origins:
        return
    own = {f"http://{host}" for host in _own_hosts(request) if not host.startswith("localhost")}
    if len(origins) == 1 and (origins[0] in own or _EXTENSION.fullmatch(origins[0])):
        return
    raise ApiError(403, "bad_origin", "Web pages can't use Tellsign.")


def _check_site(request: web.Request) -> None:
    sites = request.headers.getall("Sec-Fetch-Site", [])
    if not {site.lower() for site in sites} & {"cross-site", "same-site"}:
        return
    followed_link = (
        request.method == "GET"
        and request.path in LINKED
        and request.headers.get("Sec-Fetch-Mode") == "navigate"
        and request.headers.get("Sec-Fetch-Dest") == "document"
    )
    if not followed_link:
        raise ApiError(403, "cross_site", "Web pages can't use Tellsign.")
