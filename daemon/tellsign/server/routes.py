"""The calls of the daemon, one function each; `openapi.json` describes them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from importlib import resources
from pathlib import Path

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from tellsign import __version__
from tellsign.explain import METHODS
from tellsign.server.bodies import read_flag, read_json, read_picture
from tellsign.server.daemon import DAEMON, Daemon
from tellsign.server.errors import ApiError, deadline, paused
from tellsign.server.job import Priority
from tellsign.server.logs import note
from tellsign.server.pairing import CODE_SECONDS
from tellsign.server.passes import PASS_CODE_SECONDS, PASS_HOURS
from tellsign.server.room import Place
from tellsign.settings import API, DEADLINE

TO_TELL = 5.0
"""Seconds before the deadline at which a person is told to try again, as a heatmap would come too
late: it would be said there that their picture could not be checked."""

_PRIORITIES = [priority.name.lower() for priority in Priority]


async def health(request: web.Request) -> web.Response:
    state = request.app[DAEMON].state
    return web.json_response(
        {"service": "tellsign", "version": __version__, "api": API, "state": state}
    )


async def check(request: web.Request) -> web.Response:
    priority = Priority[_choice(request, "priority", _PRIORITIES, "visible").upper()]
    private = _choice(request, "private", ("0", "1"), "0") == "1"
    async with _work(request, priority) as (daemon, place, left):
        if daemon.paused and priority is not Priority.USER:
            raise paused()
        data, sha256 = await read_picture(request, place)
        detector = daemon.model.current or await daemon.model.detector()
        note(request, priority=priority.name.lower(), queue=len(daemon.queue))
        report = None if private else daemon.known(sha256, detector)
        if report is None:
            detector = await daemon.model.detector()  # that of before may have been let go
            answer = await daemon.queue.ask(data, sha256, detector, priority, left=left())
            report = answer.report
            daemon.metrics.checked(report)
            if not private:
                daemon.cache.put(sha256, detector, report)
        daemon.metrics.verdict(report)
    return web.json_response(report)


async def explain(request: web.Request) -> web.Response:
    method = request.query.get("method")
    if method is not None and method not in METHODS:
        raise _no_such_method(400, METHODS)
    async with _work(request, Priority.USER) as (daemon, place, left):
        data, sha256 = await read_picture(request, place)
        detector = await daemon.model.detector()
        method = method or detector.methods[0]
        if method not in detector.methods:
            raise _no_such_method(422, detector.methods)
        await daemon.model.ready_to_explain(detector, method, left() - TO_TELL)
        note(request, priority="user", queue=len(daemon.queue))
        answer = await daemon.queue.ask(data, sha256, detector, Priority.USER, method, left())
    heatmap = answer.heatmap
    assert heatmap is not None
    rows, columns = heatmap.values.shape
    values = [[round(float(value), 3) for value in row] for row in heatmap.values]
    return web.json_response(
        {
            "method": heatmap.method,
            "heatmap": {"rows": rows, "cols": columns, "values": values},
            "resolution": list(heatmap.resolution),
            "reason": answer.reason,
            "verdict": answer.report,
        }
    )


@asynccontextmanager
async def _work(
    request: web.Request, priority: Priority
) -> AsyncIterator[tuple[Daemon, Place, Callable[[], float]]]:
    """Around what a stop has to wait for; the place of its body, and what tells the seconds that
    are left to it.

    Raises:
        ApiError: `stopping`, `deadline`.
    """
    daemon = request.app[DAEMON]
    with daemon.work(), daemon.room.place(priority) as place:
        try:
            async with asyncio.timeout(DEADLINE) as limit:
                end, now = limit.when(), asyncio.get_running_loop().time
                assert end is not None
                yield daemon, place, lambda: end - now()
        except TimeoutError:
            raise deadline() from None


def _choice(request: web.Request, name: str, choices: Sequence[str], otherwise: str) -> str:
    """A parameter of the query, given once at most.

    Raises:
        ApiError: `bad_request`; nothing is guessed, least of all whether a window is private.
    """
    given = request.query.getall(name, [otherwise])
    if len(given) > 1 or given[0] not in choices:
        message = f"The parameter {name} is one of: {', '.join(choices)}."
        raise ApiError(400, "bad_request", message)
    return given[0]


def _no_such_method(status: int, methods: Sequence[str]) -> ApiError:
    """400 of what there is not, 422 of what the model in use can't be explained by."""
    return ApiError(status, "no_such_method", f"It can be explained by: {', '.join(methods)}.")


async def get_model(request: web.Request) -> web.Response:
    return web.json_response(await request.app[DAEMON].model.describe())


async def put_model(request: web.Request) -> web.Response:
    """Waits for the model within the deadline; the load goes on after that. It is remembered."""
    daemon = request.app[DAEMON]
    [model_id] = await read_json(request, "id")
    with daemon.work():
        task = daemon.model.choose(model_id)
        await asyncio.wait([task], timeout=DEADLINE)
        if task.done():
            task.result()
    return web.json_response(await daemon.model.describe())


async def get_pause(request: web.Request) -> web.Response:
    return web.json_response({"paused": request.app[DAEMON].paused})


async def put_pause(request: web.Request) -> web.Response:
    request.app[DAEMON].pause(await read_flag(request, "paused"))
    return await get_pause(request)


async def events(request: web.Request) -> web.StreamResponse:
    daemon = request.app[DAEMON]
    return await daemon.events.answer(request, daemon.hello())


async def metrics(request: web.Request) -> web.Response:
    text = request.app[DAEMON].metrics.text()
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def pair(request: web.Request) -> web.Response:
    code, name = await read_json(request, "code", "name")
    keys = request.app[DAEMON].keys
    keys.codes.redeem(code, name)
    token, client = keys.clients.add(name)
    note(request, paired=client.id)
    return web.json_response({"token": token, "client": client.id})


async def new_code(request: web.Request) -> web.Response:
    code = request.app[DAEMON].keys.codes.issue()
    return web.json_response({"code": code, "expires_in": CODE_SECONDS})


async def code_state(request: web.Request) -> web.Response:
    codes = request.app[DAEMON].keys.codes
    seconds = codes.seconds_left()
    return web.json_response({"state": codes.state, "expires_in": seconds, "name": codes.paired})


async def new_page_code(request: web.Request) -> web.Response:
    code = request.app[DAEMON].keys.passes.issue()
    return web.json_response({"code": code, "expires_in": PASS_CODE_SECONDS})


async def new_pass(request: web.Request) -> web.Response:
    [code] = await read_json(request, "code")
    token = request.app[DAEMON].keys.passes.redeem(code)
    return web.json_response({"token": token, "expires_in": PASS_HOURS * 3600})


async def new_client(request: web.Request) -> web.Response:
    [name] = await read_json(request, "name")
    token, client = request.app[DAEMON].keys.clients.add(name)
    note(request, paired=client.id)
    return web.json_response({"token": token, "client": client.id})


async def openapi(request: web.Request) -> web.Response:
    return web.Response(text=_file("openapi.json"), content_type="application/json")


async def page(request: web.Request) -> web.Response:
    """A page or a part of one, by a list of names: nothing of an address becomes a path."""
    name = PAGES.get(request.path)
    if name is None:
        raise web.HTTPNotFound
    kind = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}[Path(name).suffix]
    return web.Response(text=_file(f"pages/{name}"), content_type=kind, charset="utf-8")


@cache
def _file(name: str) -> str:
    return (resources.files("tellsign.server") / name).read_text("utf-8")


CHECK_PARTS = (
    "check.css",
    "main.js",
    "answer.js",
    "daemon.js",
    "elements.js",
    "evidence.js",
    "heatmap.js",
    "words.js",
)
PAGES = {
    "/pair": "pair.html",
    "/pair.js": "pair.js",
    "/pair.css": "pair.css",
    "/check": "check/check.html",
    **{f"/check/{part}": f"check/{part}" for part in CHECK_PARTS},
}

ROUTES = [
    web.get("/v1/health", health, allow_head=False),
    web.post("/v1/check", check),
    web.post("/v1/explain", explain),
    web.get("/v1/model", get_model, allow_head=False),
    web.put("/v1/model", put_model),
    web.get("/v1/pause", get_pause, allow_head=False),
    web.put("/v1/pause", put_pause),
    web.get("/v1/events", events, allow_head=False),
    web.get("/v1/metrics", metrics, allow_head=False),
    web.post("/v1/pair", pair),
    web.post("/v1/pair/code", new_code),
    web.get("/v1/pair/code", code_state, allow_head=False),
    web.post("/v1/page", new_pass),
    web.post("/v1/page/code", new_page_code),
    web.post("/v1/clients", new_client),
    web.get("/v1/openapi.json", openapi, allow_head=False),
    web.get("/pair", page, allow_head=False),
    web.get("/pair.js", page, allow_head=False),
    web.get("/pair.css", page, allow_head=False),
    web.get("/check", page, allow_head=False),
    web.get("/check/{part}", page, allow_head=False),
]
