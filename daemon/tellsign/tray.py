"""The tray icon: a program of its own that follows the daemon's events, as a browser does.

Desktops differ in their trays, and some of them crash; here that costs an icon and never a picture.
Everything that is shown comes from the daemon, and everything that is clicked is asked of it.
"""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from tellsign import autostart
from tellsign.autostart import AutostartError
from tellsign.desktop import TRAY_NEEDS, between_events, icon_title, tray_library, wait_for_tray
from tellsign.server import local
from tellsign.server.events import PING_SECONDS
from tellsign.server.local import Running
from tellsign.settings import state_dir

ICON = Path(__file__).with_name("tray.png")
LOOK_SECONDS = 2.0
"""Between two looks for a daemon that is not there."""
HOST_SECONDS = 30.0
"""That a desktop which is just starting has for its panel."""
STOP_SECONDS = 2.0
"""That an icon has to go by itself."""
CHECK_PAGE, PAIR_PAGE = ("/v1/page/code", "/check"), ("/v1/pair/code", "/pair")
"""Who is asked for a code, and the page that takes it."""
WORDS = {
    "off": "Tellsign is not running",
    "starting": "Tellsign is starting …",
    "ready": "Tellsign is ready",
    "failed": "Tellsign has no model",
    "stopping": "Tellsign is stopping …",
    "paused": "Tellsign is paused",
}


@dataclass(frozen=True)
class View:
    """What is known of the daemon: all that the icon shows."""

    running: Running | None = None
    state: str = "off"
    model: dict[str, Any] = field(default_factory=dict)
    models: tuple[dict[str, Any], ...] = ()
    paused: bool = False

    @property
    def looks(self) -> bool:
        """Whether the pictures of pages are checked."""
        return self.state == "ready" and not self.paused

    @property
    def current(self) -> dict[str, Any]:
        """The model in use; empty while there is none."""
        return self.model.get("current") or {}

    @property
    def status(self) -> str:
        title = self.current.get("title", "")
        words = WORDS["paused" if self.state == "ready" and self.paused else self.state]
        return f"{words}{': ' if title else ''}{title}"

    @property
    def message(self) -> str:
        loading = "Another model is being loaded …" if self.current else ""
        return loading if self.model.get("state") == "loading" else self.model.get("message", "")


class Follower:
    """Keeps a view of the daemon that runs, whichever that is by now."""

    def __init__(self, folder: Path, changed: Callable[[View], None]) -> None:
        self.view = View()
        self._folder = folder
        self._changed = changed

    def run(self) -> None:
        """For ever."""
        while True:
            running = local.find(self._folder)
            if running:
                with suppress(OSError, ValueError, http.client.HTTPException):  # it went away
                    self._follow(running)
            self._show(View())
            time.sleep(LOOK_SECONDS)

    def _follow(self, running: Running) -> None:
        for name, data in running.events(3 * PING_SECONDS):
            if name == "hello":
                view = View(running, data["state"], data["model"], paused=data.get("paused", False))
            elif name == "state":
                view = replace(self.view, state=data["state"])
            elif name == "pause":
                view = replace(self.view, paused=data["paused"])
            elif name == "model":
                view = replace(self.view, model=data)
            else:
                continue
            if name in ("hello", "model"):
                _, answer = running.call("GET", "/v1/model")
                view = replace(view, models=tuple(answer.get("models", ())))
            self._show(view)

    def _show(self, view: View) -> None:
        if view != self.view:
            self.view = view
            self._changed(view)


class Tray:
    """The icon, its menu, and what a click asks of the daemon."""

    def __init__(self, pystray: Any, folder: Path) -> None:
        self._pystray = pystray
        self._follower = Follower(folder, self._show)
        self._refusal = ""
        self._stopped = False
        self._bright = Image.open(ICON).convert("RGBA")
        self._pale = _pale(self._bright)
        menu = pystray.Menu(self._items)
        status = icon_title(pystray, self._follower.view.status)
        self._icon = pystray.Icon("tellsign", self._pale, status, menu)
        self._do = between_events(self._icon)

    def run(self) -> None:
        """Until Quit or `stop`; on the main thread, which macOS asks for."""
        try:
            self._icon.run(self._started)
        except Exception:
            if not self._stopped:  # taking notifications back fails where nothing shows any
                raise

    def stop(self) -> None:
        """End, also where the desktop's library waits for itself."""
        self._stopped = True
        last = threading.Timer(STOP_SECONDS, os._exit, [0])
        last.daemon = True
        last.start()
        self._do(self._icon.stop)

    def _started(self, icon: Any) -> None:
        self._do(partial(setattr, icon, "visible", True))
        threading.Thread(target=self._follower.run, name="follower", daemon=True).start()

    def _show(self, view: View) -> None:
        self._do(partial(self._draw, view))

    def _draw(self, view: View) -> None:
        self._icon.icon = self._bright if view.looks else self._pale
        self._icon.title = icon_title(self._pystray, view.status)
        self._icon.update_menu()

    def _items(self) -> Iterator[Any]:
        item, separator = self._pystray.MenuItem, self._pystray.Menu.SEPARATOR
        view = self._follower.view
        yield item(view.status, None, enabled=False)
        for message in filter(None, (view.message, self._refusal)):
            yield item(message, None, enabled=False)
        yield separator
        if view.running:
            # The default is what a click does, on desktops where one does not open the menu.
            check, pair = (partial(self._open, *page) for page in (CHECK_PAGE, PAIR_PAGE))
            yield item("Check a picture …", _apart(check), default=True)
            yield item("Pause", _apart(self._toggle_pause), checked=lambda _: view.paused)
            models = self._pystray.Menu(*map(self._model_item, view.models))
            yield item("Model", models, enabled=bool(view.models))
            yield item("Pair a browser …", _apart(pair))
        else:
            yield item("Start Tellsign", _apart(_start), default=True)
        yield item("Start at login", _apart(self._toggle_autostart), checked=lambda _: _starts())
        yield separator
        yield item("Quit Tellsign", _apart(self._quit))

    def _model_item(self, model: dict[str, Any]) -> Any:
        def use() -> None:
            self._call("PUT", "/v1/model", {"id": model["id"]})

        return self._pystray.MenuItem(
            f"{model['title']} ({model['bytes'] / 1e6:,.0f} MB)",
            _apart(use),
            checked=lambda _: self._follower.view.current.get("id") == model["id"],
            radio=True,
        )

    def _open(self, codes: str, page: str) -> None:
        """A page of the daemon's, with a new code in its address."""
        answer = self._call("POST", codes)
        running = self._follower.view.running
        if running and "code" in answer:
            webbrowser.open(f"{running.address}{page}#{answer['code']}")

    def _toggle_pause(self) -> None:
        self._call("PUT", "/v1/pause", {"paused": not self._follower.view.paused})

    def _toggle_autostart(self) -> None:
        try:
            system = autostart.current()
            if system.is_on():
                system.turn_off()
            else:
                system.turn_on(autostart.this_program())
            self._tell("")
        except (AutostartError, OSError) as error:
            self._tell(str(error))

    def _quit(self) -> None:
        """The daemon and the icon. `find` has made sure whose number that is."""
        running = local.find(state_dir())
        if running:
            os.kill(running.pid, signal.SIGTERM)
        self.stop()

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer; empty if there was none or a refusal, which is told."""
        running = self._follower.view.running
        try:
            if running is None:
                raise OSError
            status, answer = running.call(method, path, body)
        except (OSError, ValueError):
            self._tell("Tellsign does not answer.")
            return {}
        refused = status != 200
        self._tell(answer["error"]["message"] if refused else "")
        return {} if refused else answer

    def _tell(self, refusal: str) -> None:
        """In the menu, until something else has been asked for."""
        self._refusal = refusal
        self._do(self._icon.update_menu)


def run(attached: bool = False) -> None:
    """Show the icon until a person quits; `attached`: or until standard input ends.

    Raises:
        TrayError: there is no tray.
    """
    pystray = tray_library()
    tray = Tray(pystray, state_dir())
    if attached:
        threading.Thread(target=_stop_at_end, args=[tray], daemon=True).start()
    wait_for_tray(pystray, HOST_SECONDS)
    if not pystray.Icon.HAS_MENU:
        print(TRAY_NEEDS, file=sys.stderr, flush=True)
    try:
        tray.run()
    except Exception as error:  # there are more desktops than anybody has tried
        print(f"The tray icon has broken: {error}.", file=sys.stderr, flush=True)
        os._exit(1)  # threads of pystray would wait for ever


def _pale(image: Image.Image) -> Image.Image:
    grey = image.convert("LA").convert("RGBA")
    grey.putalpha(image.getchannel("A").point(lambda alpha: alpha // 2))
    return grey


def _apart(work: Callable[[], None]) -> Callable[[], None]:
    """What a menu item calls: the work in a thread, for the desktop waits for the call's end."""

    def start() -> None:
        threading.Thread(target=work, daemon=True).start()

    return start


def _start() -> None:
    silent = subprocess.DEVNULL
    command = [sys.executable, "-m", "tellsign", "serve"]
    subprocess.Popen(  # noqa: S603
        command, stdin=silent, stdout=silent, stderr=silent, start_new_session=True
    )


def _starts() -> bool:
    try:
        return autostart.current().is_on()
    except AutostartError:
        return False


def _stop_at_end(tray: Tray) -> None:
    sys.stdin.read()
    tray.stop()
