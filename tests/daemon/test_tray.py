"""The tray icon for real: an X server, a tray that takes it in, a mouse and a keyboard."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from PIL import Image

from tellsign.settings import DEFAULT_MODEL
from tests.conftest import until
from tests.model_folders import make, set_config
from tests.server.test_app import Process

NEEDED = ("Xvfb", "trayer", "xdotool", "import", "dbus-daemon")
MISSING = [name for name in NEEDED if not shutil.which(name)]
READY = "Tellsign is ready: "

needs_x = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@contextmanager
def running(*command: str) -> Iterator[str]:
    """A server that goes on; yields the line with which it says where."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An X server of the test's own, and no session bus."""
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
    # Without -noreset it starts anew when its last client goes, and refuses who comes meanwhile.
    server = ("Xvfb", "-displayfd", "1", "-screen", "0", "640x400x24", "-nolisten", "tcp")
    server += ("-noreset",)
    with running(*server) as number:
        monkeypatch.setenv("DISPLAY", f":{number}")
        yield


@pytest.fixture
def panel(display: None) -> Iterator[None]:
    with ExitStack() as stack:
        process = subprocess.Popen(
            ["trayer", "--edge", "top", "--align", "right", "--widthtype", "request"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        until(lambda: xdotool("search", "--class", "trayer"))
        yield


@pytest.fixture
def desktop(panel: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A panel and a session bus, which a menu needs, beside GTK's bindings."""
    gtk = [
        sys.executable,
        "-c",
        "from tellsign.desktop import tray_library; print(tray_library().Icon.HAS_MENU)",
    ]
    with running("dbus-daemon", "--session", "--nofork", "--print-address") as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        monkeypatch.setenv("NO_AT_BRIDGE", "1")
        if subprocess.run(gtk, capture_output=True, text=True).stdout.strip() != "True":
            pytest.skip("there is no GTK for this Python")
        yield


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Process]]:
    with ExitStack() as stack:

        def start() -> Process:
            daemon = Process(tmp_path / "state", "--tray")
            stack.callback(daemon.process.communicate)
            stack.callback(daemon.process.kill)
            return daemon

        yield start


def xdotool(*arguments: str) -> str:
    return subprocess.run(["xdotool", *arguments], capture_output=True, text=True).stdout.strip()


def icon(title: str) -> str:
    """The window of the icon, once it is in the tray under that title."""
    return until(lambda: xdotool("search", "--onlyvisible", "--name", f"^{title}$"))


def choose(window: str, *keys: str, shot: Path | None = None) -> None:
    """Open the icon's menu by the mouse and go to an item by the keyboard."""
    before = screen()
    xdotool("mousemove", "--window", window, "8", "8", "click", "3")
    until(lambda: screen() != before)
    for key in keys:
        xdotool("key", key)
    if shot:
        time.sleep(0.5)  # for people who look at it
        subprocess.run(["import", "-window", "root", shot], check=True)
    xdotool("key", "Return")


def screen() -> bytes:
    command = ["import", "-window", "root", "rgb:-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


@needs_x
def test_menu(
    desktop: None, start: Callable[[], Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check page, a pause and a model by the tray and by another client, a pairing, the end."""
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" >"{opened}.part"; mv "{opened}.part" "{opened}"')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(browser))
    monkeypatch.setenv("TELLSIGN_DATA", str(tmp_path / "data"))
    make(tmp_path / "data/models/second", "second")
    daemon = start()
    running = daemon.running

    def opened_by(path: str) -> str:
        return until(lambda: opened.exists() and path in (url := opened.read_text()) and url)

    window = icon(f"{READY}LeViT-128S")
    choose(window, "Down")
    address, _, code = opened_by("/check#").partition("/check#")
    assert address == running.address
    assert running.call("POST", "/v1/page", {"code": code})[0] == 200

    shot = Path(os.environ.get("TELLSIGN_SHOTS", tmp_path)) / "tray.png"
    choose(window, *["Down"] * 2)
    window = icon("Tellsign is paused: LeViT-128S")
    assert running.call("GET", "/v1/pause") == (200, {"paused": True})
    choose(window, *["Down"] * 2, shot=shot)
    icon(f"{READY}LeViT-128S")
    with Image.open(shot) as image:
        assert len(image.convert("RGB").getcolors(1 << 20) or []) > 100
    running.call("PUT", "/v1/pause", {"paused": True})
    icon("Tellsign is paused: LeViT-128S")
    running.call("PUT", "/v1/pause", {"paused": False})
    window = icon(f"{READY}LeViT-128S")

    models = [model["id"] for model in running.call("GET", "/v1/model")[1]["models"]]
    choose(window, *["Down"] * 3, "Right", *["Down"] * models.index("second"))
    icon(f"{READY}Second")
    assert running.call("GET", "/v1/model")[1]["current"]["id"] == "second"
    running.call("PUT", "/v1/model", {"id": DEFAULT_MODEL})
    window = icon(f"{READY}LeViT-128S")

    choose(window, *["Down"] * 4)
    address, _, code = opened_by("/pair#").partition("/pair#")
    assert address == running.address
    assert running.call("POST", "/v1/pair", {"code": code, "name": "x"})[0] == 200

    choose(window, "Up")
    assert daemon.process.wait(60) == 0
    assert not (daemon.folder / "daemon.json").exists()
    assert not xdotool("search", "--name", "^Tellsign")


@needs_x
def test_the_icon_goes_with_a_killed_daemon(
    panel: None, start: Callable[[], Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here without a session bus: an icon without a menu, as on the barest of desktops."""
    monkeypatch.setenv("TELLSIGN_DATA", str(tmp_path / "data"))
    set_config(make(tmp_path / "data/models/second", "second"), title="Zwölf 模")
    daemon = start()
    icon(f"{READY}LeViT-128S")
    running = daemon.running
    for _ in range(20):  # Xlib's two threads once waited for each other
        running.call("PUT", "/v1/pause", {"paused": True})
        running.call("PUT", "/v1/pause", {"paused": False})
    running.call("PUT", "/v1/model", {"id": "second"})
    icon(f"{READY}Zwölf [?]")  # its titles are in Latin-1
    daemon.process.kill()
    assert daemon.process.stderr
    log = daemon.process.stderr.read()  # to the end, which is that of the icon too
    assert log.count("The tray icon has no menu") == 1
    assert "Traceback" not in log
    assert not xdotool("search", "--name", "^Tellsign")


def test_no_display_is_said_once(
    start: Callable[[], Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    daemon = start()
    daemon.until_ready()
    status, log = daemon.stop(signal.SIGTERM)
    assert status == 0
    assert log.count("There is no tray icon, because there is no display.\n") == 1
    assert "Traceback" not in log


@needs_x
@pytest.mark.parametrize("there", [True, False])
def test_nothing_that_shows_icons(
    there: bool, display: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not there:
        monkeypatch.setenv("DISPLAY", ":9999")
    why = "nothing here shows any" if there else "the display can't be used"
    assert f"There is no tray icon, because {why}" in doctors_word()


@needs_x
def test_the_doctor_sees_the_tray(desktop: None) -> None:
    assert "ok This desktop shows tray icons." in doctors_word()


def doctors_word() -> str:
    """In a process of its own: what is imported depends on the desktop."""
    code = (
        "from tellsign import doctor; found = doctor.check_tray(); print(found.level, found.what)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
