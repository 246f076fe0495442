"""The tray icon: a program of its own that follows the daemon's events, as a browser does.

Desktops differ in their trays, and some of them crash; here that costs an icon and never a picture.
Everything that is shown comes from the daemon, and everything that is clicked is asked of it.
"""

import http.client
import json
import logging
import os
import signal
import subprocess
import sys
import sysconfig
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from PIL import Image

from tellsign import autostart
from tellsign.autostart import AutostartError
from tellsign.desktop import has_display
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
"""That an icon has to go by itself when its daemon ends."""
WORDS = {
    "off": "Tellsign is not running",
    "starting": "Tellsign is starting …",
    "ready": "Tellsign is ready",
    "failed": "Tellsign has no model",
    "stopping": "Tellsign is stopping …",
}
MENU_NEEDS = (
    "The tray icon has no menu, which needs GTK: install PyGObject and AppIndicator "
    "(Debian: python3-gi gir1.2-ayatanaappindicator3-0.1)."
)


class TrayError(RuntimeError):
    """There can be no tray icon; the message says why."""


@dataclass(frozen=True)
class View:
    """What is known of the daemon: all that the icon shows."""

    running: Running | None = None
    state: str = "off"
    model: dict[str, Any] = field(default_factory=dict)
    models: tuple[dict[str, Any], ...] = ()

    @property
    def current(self) -> dict[str, Any]:
        """The model in use; empty while there is none."""
        return self.model.get("current") or {}

    @property
    def status(self) -> str:
        title = self.current.get("title", "")
        return f"{WORDS[self.state]}{': ' if title else ''}{title}"

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
        for name, data in events(running):
            if name == "hello":
                view = View(running, data["state"], data["model"])
            elif name == "state":
                view = replace(self.view, state=data["state"])
            elif name == "model":
                view = replace(self.view, model=data)
            else:
                continue
            if name != "state":
                _, answer = running.call("GET", "/v1/model")
                view = replace(view, models=tuple(answer.get("models", ())))
            self._show(view)

    def _show(self, view: View) -> None:
        if view != self.view:
            self.view = view
            self._changed(view)


def events(running: Running) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and data of the daemon's events, until it ends the stream.

    Raises:
        OSError: it has gone.
        ValueError, http.client.HTTPException: this is not Tellsign.
    """
    connection = http.client.HTTPConnection(running.host, running.port, timeout=3 * PING_SECONDS)
    try:
        headers = {"Authorization": f"Bearer {running.control}"}
        connection.request("GET", "/v1/events", headers=headers)
        response = connection.getresponse()
        if response.status != 200:
            raise ValueError(f"status {response.status}")
        yield from _parsed(response)
    finally:
        connection.close()


def _parsed(lines: IO[bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    while line := lines.readline():
        key, _, value = line.decode().rstrip("\n").partition(": ")
        if key == "event":
            name = value
        elif key == "data":
            yield name, json.loads(value)


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
        self._icon = pystray.Icon("tellsign", self._pale, self._follower.view.status, menu)

    def run(self) -> None:
        """Until Quit or `stop`; on the main thread, which macOS asks for."""
        try:
            self._icon.run(self._started)
        except Exception:
            if not self._stopped:  # taking notifications back fails where nothing shows any
                raise

    def stop(self) -> None:
        self._stopped = True
        self._icon.stop()

    def _started(self, icon: Any) -> None:
        icon.visible = True
        threading.Thread(target=self._follower.run, name="follower", daemon=True).start()

    def _show(self, view: View) -> None:
        self._icon.icon = self._bright if view.state == "ready" else self._pale
        self._icon.title = view.status
        self._icon.update_menu()

    def _items(self) -> Iterator[Any]:
        item, separator = self._pystray.MenuItem, self._pystray.Menu.SEPARATOR
        view = self._follower.view
        yield item(view.status, None, enabled=False)
        for message in filter(None, (view.message, self._refusal)):
            yield item(message, None, enabled=False)
        yield separator
        if view.running:
            models = self._pystray.Menu(*map(self._model_item, view.models))
            yield item("Model", models, enabled=bool(view.models))
            # Where there is no menu, this is what a click does.
            yield item("Pair a browser …", _apart(self._pair), default=not self._icon.HAS_MENU)
        else:
            yield item("Start Tellsign", _apart(_start), default=not self._icon.HAS_MENU)
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

    def _pair(self) -> None:
        answer = self._call("POST", "/v1/pair/code")
        running = self._follower.view.running
        if running and "code" in answer:
            webbrowser.open(f"{running.address}/pair#{answer['code']}")

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
        self._icon.update_menu()


def run(attached: bool = False) -> None:
    """Show the icon until a person quits; `attached`: or until standard input ends.

    Raises:
        TrayError: there is no tray.
    """
    pystray = library()
    tray = Tray(pystray, state_dir())
    if attached:
        threading.Thread(target=_stop_at_end, args=[tray], daemon=True).start()
    wait_for_host(pystray, HOST_SECONDS)
    if not pystray.Icon.HAS_MENU:
        print(MENU_NEEDS, file=sys.stderr, flush=True)
    try:
        tray.run()
    except Exception as error:  # there are more desktops than anybody has tried
        print(f"The tray icon has broken: {error}.", file=sys.stderr, flush=True)
        os._exit(1)  # threads of pystray would wait for ever


def library() -> Any:
    """pystray, with the best way to a tray that there is here.

    Raises:
        TrayError: there is none.
    """
    if not has_display():
        raise TrayError("There is no tray icon, because there is no display.")
    if sys.platform not in ("win32", "darwin"):
        _use_the_systems_gi()
        if not _bus():
            os.environ["PYSTRAY_BACKEND"] = "xorg"  # the others end without one
    logging.getLogger("pystray").setLevel(logging.CRITICAL)
    try:
        import pystray
    except Exception as error:  # it connects to the display, and each way has errors of its own
        raise TrayError(
            f"There is no tray icon, because the display can't be used: {error}."
        ) from None
    return pystray


def wait_for_host(pystray: Any, seconds: float) -> None:
    """Until something shows tray icons.

    Raises:
        TrayError: nothing does.
    """
    end = time.monotonic() + seconds
    while not _has_host(pystray):
        if time.monotonic() >= end:
            raise TrayError(
                "There is no tray icon, because nothing here shows any. GNOME needs its extension "
                "AppIndicator (Debian: gnome-shell-extension-appindicator)."
            )
        time.sleep(1)


def _has_host(pystray: Any) -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    indicator = pystray.Icon.__module__.endswith("_appindicator")
    return (indicator and _has_watcher()) or _has_x_tray()


def _bus() -> Any:
    """The session's D-Bus; None without it or without GLib's bindings."""
    try:
        from gi.repository import Gio, GLib
    except ImportError:
        return None
    try:
        return Gio.bus_get_sync(Gio.BusType.SESSION)
    except GLib.Error:
        return None


def _has_watcher() -> bool:
    """Whether the desktop shows icons that are told to it over D-Bus."""
    from gi.repository import Gio, GLib

    place = ("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "NameHasOwner")
    name = GLib.Variant("(s)", ("org.kde.StatusNotifierWatcher",))
    try:
        answer = _bus().call_sync(*place, name, None, Gio.DBusCallFlags.NONE, 5000)
    except GLib.Error:
        return False
    return bool(answer.unpack()[0])


def _has_x_tray() -> bool:
    """Whether a window takes in icons (freedesktop.org's System Tray Protocol 0.3)."""
    if not os.environ.get("DISPLAY"):
        return False
    import Xlib.display

    display = Xlib.display.Display()
    try:
        name = f"_NET_SYSTEM_TRAY_S{display.get_default_screen()}"
        return bool(display.get_selection_owner(display.intern_atom(name)) != Xlib.X.NONE)
    finally:
        display.close()


def _use_the_systems_gi() -> None:
    """GTK's bindings are the distribution's, which a virtual environment does not look at.

    They are good for the same version of Python only.
    """
    if find_spec("gi"):
        return
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    built = f"gi/_gi{sysconfig.get_config_var('EXT_SUFFIX')}"
    for folder in ("lib/python3/dist-packages", f"lib64/{version}/site-packages"):
        if Path("/usr", folder, built).exists():
            sys.path.append(f"/usr/{folder}")
            return


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
    time.sleep(STOP_SECONDS)
    os._exit(0)
