"""The application put together, and its life from the first port to the last answer."""

import asyncio
import ipaddress
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiohttp import web

from tellsign import __version__
from tellsign.server import choices, local
from tellsign.server.daemon import DAEMON, Daemon
from tellsign.server.errors import answer_errors
from tellsign.server.guard import KEYS, authenticate, check_api, guard, secure
from tellsign.server.local import Running
from tellsign.server.logs import event, log_requests
from tellsign.server.metrics import METRICS, count_requests
from tellsign.server.model import Shelf
from tellsign.server.pairing import Clients, Keys
from tellsign.server.routes import ROUTES
from tellsign.settings import (
    DEADLINE,
    DEFAULT_MODEL,
    DEFAULT_PORT,
    HOST,
    PORT_COUNT,
    UNLOAD_MINUTES,
    state_dir,
    verdicts_file,
)

RECEIVED = 32 * 1024
"""Bytes of a connection that may be in memory before its request has been looked at, about; a
kernel's own choice, times all connections of an overload, would be more than the bodies' room."""


class StartError(RuntimeError):
    """The daemon can't start; the message says why and what to do."""


@dataclass(frozen=True)
class Options:
    """What `tellsign serve` is told. The default port makes room; any other is meant exactly."""

    host: str = HOST
    port: int = DEFAULT_PORT
    model: str | None = None
    """None: the one chosen last, or else the default."""
    device: str = "auto"
    idle: float = UNLOAD_MINUTES * 60
    """Seconds after which the model is unloaded; 0 is never."""

    def models(self, folder: Path) -> list[str]:
        """The model to start with, and what else if it can't be used."""
        if self.model:
            return [self.model]
        return [choices.model(folder) or DEFAULT_MODEL, DEFAULT_MODEL]


@dataclass(frozen=True)
class Started:
    """What a person wants to know of a daemon that has just started."""

    address: str
    model: str
    paired: int


def create_app(daemon: Daemon, *model_ids: str) -> web.Application:
    """The application around a daemon, which it starts and closes."""
    app = web.Application(
        middlewares=[count_requests, log_requests, answer_errors, guard, check_api, authenticate]
    )
    app[DAEMON] = daemon
    app[KEYS] = daemon.keys
    app[METRICS] = daemon.metrics
    app.add_routes(ROUTES)
    app.on_response_prepare.append(secure)

    async def life(_: web.Application) -> AsyncIterator[None]:
        daemon.start(*(model_ids or [DEFAULT_MODEL]))
        yield
        await daemon.close()

    async def stop(_: web.Application) -> None:
        daemon.stop()

    app.cleanup_ctx.append(life)
    app.on_shutdown.append(stop)
    return app


def create_runner(app: web.Application) -> web.AppRunner:
    """The server around the application.

    Bodies are taken as they are (a compressed one would pass the limit of their size), a client
    that goes away cancels its request, and a stop waits for all requests.
    """
    return web.AppRunner(
        app,
        handler_cancellation=True,
        auto_decompress=False,
        access_log=None,
        keepalive_timeout=75,
        lingering_time=2,
        shutdown_timeout=DEADLINE + 5,
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on loopback.

    Raises:
        StartError: the address is not loopback, or taken.
    """
    host = HOST if host == "localhost" else host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise StartError(f"Tellsign listens on this machine only: {HOST} or ::1, not {host}.")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    ports = range(port, port + PORT_COUNT) if port == DEFAULT_PORT else [port]
    for candidate in ports:
        try:
            listener = socket.create_server((host, candidate), family=family, backlog=1024)
        except OSError as error:
            last = error
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED)
            return listener
    what = f"All ports from {ports[0]} to {ports[-1]} are" if len(ports) > 1 else f"Port {port} is"
    raise StartError(f"{what} taken ({last.strerror}). Choose another with --port.")


async def finish(daemon: Daemon, runner: web.AppRunner) -> None:
    """Take no more connections, let running work end, then close everything.

    aiohttp's own clean-up would pass over bodies that are still arriving.
    """
    for site in runner.sites:
        await site.stop()
    daemon.stop()
    await daemon.idle()
    await runner.cleanup()


@asynccontextmanager
async def running(options: Options, folder: Path) -> AsyncIterator[Started]:
    """A daemon that serves inside the `with` and finishes its work at the end of it.

    Raises:
        StartError: with the reason.
    """
    other = await asyncio.to_thread(local.find, folder)
    if other:
        raise StartError(f"Tellsign is already running at {other.address}.")
    keys = Keys(Clients(folder))
    listener = listen(options.host, options.port)
    host, port = listener.getsockname()[:2]
    state = Running(os.getpid(), host, port, __version__, int(time.time()), keys.control)
    daemon = Daemon(
        keys,
        Shelf(options.device),
        verdicts=verdicts_file(),
        idle=options.idle,
        remember=partial(choices.set_model, folder),
    )
    models = options.models(folder)
    runner = create_runner(create_app(daemon, *models))
    try:
        await runner.setup()
        await web.SockSite(runner, listener).start()
        local.write(folder, state)
        event("start", address=state.address, pid=state.pid, version=__version__)
        yield Started(state.address, models[0], len(keys.clients))
    finally:
        await finish(daemon, runner)
        listener.close()
        local.remove(folder, state)
        event("stop", address=state.address)


async def serve(options: Options, announce: Callable[[Started], None]) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(name, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(name, lambda *_: loop.call_soon_threadsafe(stop.set))
    async with running(options, state_dir()) as started:
        announce(started)
        await stop.wait()


def run(options: Options, announce: Callable[[Started], None]) -> None:
    """`serve` in an event loop of its own.

    Raises:
        StartError: with the reason.
    """
    asyncio.run(serve(options, announce))
