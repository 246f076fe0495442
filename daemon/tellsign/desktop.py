"""What the desktop around us offers."""

import logging
import os
import queue
import select
import sys
import sysconfig
import time
import webbrowser
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Work = Callable[[], object]

TRAY_NEEDS = (
    "The tray icon has no menu, which needs GTK: install PyGObject and AppIndicator "
    "(Debian: python3-gi gir1.2-ayatanaappindicator3-0.1)."
)


class TrayError(RuntimeError):
    """There can be no tray icon; the message says why."""


def has_display() -> bool:
    """Whether windows can be opened here."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def browse(url: str) -> bool:
    """Open a page, where there is a window for it; whether that was done.

    Without a display, `webbrowser` would start a text browser in this very terminal.
    """
    return has_display() and webbrowser.open(url)


def tray_library() -> Any:
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


def icon_title(pystray: Any, text: str) -> str:
    """A text as an icon can have it: Xlib's titles are in Latin-1."""
    if not _is_xlib(pystray.Icon):
        return text
    return text.replace("…", "...").encode("latin-1", "replace").decode("latin-1")


def between_events(icon: Any) -> Callable[[Work], None]:
    """What takes the work of other threads on an icon that is not yet run, and does it.

    Most desktops' libraries see to it themselves. python-xlib now and then waits for itself for
    ever where two threads talk to the display: there the work is done by the icon's own thread,
    some time after the call.
    """
    return _Between(icon) if _is_xlib(type(icon)) else _now


def _now(work: Work) -> None:
    work()


class _Between:
    """An icon's events as pystray's Xlib way reads them, with work done between them."""

    def __init__(self, icon: Any) -> None:
        self._display = icon._display
        self._work: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._wakes, self._wake = os.pipe()
        icon._events = self._events

    def __call__(self, work: Work) -> None:
        self._work.put(work)
        os.write(self._wake, b"\0")

    def _events(self) -> Iterator[Any]:
        display = self._display
        while True:
            while display.pending_events():
                yield display.next_event()
            display.sync()  # flush() can leave something unsent
            if display.pending_events():
                continue
            ready, _, _ = select.select([display, self._wakes], [], [])
            if self._wakes in ready:
                os.read(self._wakes, 1)
                self._work.get()()


def _is_xlib(kind: type) -> bool:
    return kind.__module__.endswith("_xorg")


def wait_for_tray(pystray: Any, seconds: float) -> None:
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
