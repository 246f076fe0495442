"""Finds an installed browser and drives it: Chromium over CDP, Firefox over WebDriver BiDi.

Just enough for a demo: start with the extension loaded, open a page, take a screenshot.
"""

import asyncio
import base64
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FIREFOX = ("firefox", "firefox-esr")
ELSEWHERE = {
    "darwin": {
        "chromium": ["/Applications/Chromium.app/Contents/MacOS/Chromium"],
        "firefox": ["/Applications/Firefox.app/Contents/MacOS/firefox"],
    },
    "win32": {
        "chromium": [r"C:\Program Files\Chromium\Application\chrome.exe"],
        "firefox": [r"C:\Program Files\Mozilla Firefox\firefox.exe"],
    },
}
CHROMIUM_FLAGS = (
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
FIREFOX_PREFERENCES = {
    "browser.shell.checkDefaultBrowser": False,
    "browser.aboutwelcome.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "browser.startup.page": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}
START_TIMEOUT = 60.0
"""Seconds in which a browser must answer after its start."""
CALL_TIMEOUT = 60.0


class BrowserError(RuntimeError):
    """No browser, or one that does not do what it is told; the message says what to do."""


@dataclass(frozen=True)
class Installed:
    """A browser on this machine."""

    kind: str
    path: str


def find(wanted: str = "") -> Installed:
    """An installed browser: `chromium` or `firefox` if wanted so, or the path of one.

    Branded Chrome 137 and newer does not load unpacked extensions by a flag, so it comes last.

    Raises:
        BrowserError: there is none.
    """
    if wanted and Path(wanted).exists():
        return Installed("firefox" if "firefox" in Path(wanted).name else "chromium", wanted)
    elsewhere = ELSEWHERE.get(sys.platform, {})
    branded = CHROMIUM[2:]
    order = (("chromium", CHROMIUM[:2]), ("firefox", FIREFOX), ("chromium", branded))
    for kind, names in order:
        if wanted not in ("", kind):
            continue
        for name in (*names, *([] if names is branded else elsewhere.get(kind, []))):
            if path := shutil.which(name):
                return Installed(kind, path)
    which = wanted or "Chromium or Firefox"
    raise BrowserError(f"No {which} was found. Install Chromium or Firefox, or give its path.")


class Page:
    """The one page of a running browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, context: str | None) -> None:
        self._socket = socket
        self._context = context
        self._ids = count(1)

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of CDP or BiDi, and its result."""
        number = next(self._ids)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(CALL_TIMEOUT):
            async for message in self._socket:
                answer = json.loads(message.data)
                if answer.get("id") != number:
                    continue
                if "error" in answer:
                    raise BrowserError(f"The browser refused {method}: {answer['error']}.")
                result: dict[str, Any] = answer["result"]
                return result
        raise BrowserError("The browser was closed.")

    async def open(self, url: str, width: int, height: int) -> None:
        if self._context is None:
            size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            await self.call("Emulation.setDeviceMetricsOverride", **size)
            await self.call("Page.navigate", url=url)
        else:
            viewport = {"width": width, "height": height}
            context = self._context
            await self.call("browsingContext.setViewport", context=context, viewport=viewport)
            await self.call("browsingContext.navigate", context=context, url=url, wait="complete")

    async def screenshot(self) -> bytes:
        """The viewport as PNG."""
        if self._context is None:
            result = await self.call("Page.captureScreenshot", format="png")
        else:
            result = await self.call("browsingContext.captureScreenshot", context=self._context)
        return base64.b64decode(result["data"])


@asynccontextmanager
async def running(
    browser: Installed, extension: Path, profile: Path, url: str, headless: bool
) -> AsyncIterator[tuple[Page, asyncio.subprocess.Process]]:
    """The browser with the extension loaded, on a fresh profile; it is closed at the end."""
    chromium = browser.kind == "chromium"
    command = [browser.path]
    if chromium:
        command += [*CHROMIUM_FLAGS, f"--user-data-dir={profile}", f"--load-extension={extension}"]
        command += [f"--disable-extensions-except={extension}", "--remote-debugging-port=0"]
        command += ["--headless=new", "--disable-gpu"] if headless else []
        # Chromium's sandbox does not work for root, as in containers.
        command += ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        command += ["about:blank" if headless else url]
    else:
        _write_preferences(profile)
        command += ["--profile", str(profile), "--no-remote", "--remote-debugging-port=0"]
        command += ["--headless"] if headless else []
    silent = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=silent, stderr=silent)
    try:
        async with aiohttp.ClientSession() as session:
            connect = _chromium_page if chromium else _firefox_page
            async with asyncio.timeout(START_TIMEOUT):
                page = await connect(session, profile, extension, process)
            yield page, process
    except TimeoutError:
        raise BrowserError(f"{browser.path} does not answer.") from None
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(10):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


def _write_preferences(profile: Path) -> None:
    lines = [
        f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in FIREFOX_PREFERENCES.items()
    ]
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "user.js").write_text("\n".join(lines) + "\n", "utf-8")


async def _written(path: Path, process: asyncio.subprocess.Process) -> str:
    """The content of a file that the browser writes when it is ready."""
    while not (path.exists() and path.read_text("utf-8").strip()):
        if process.returncode is not None:
            raise BrowserError("The browser stopped at its start.")
        await asyncio.sleep(0.1)
    return path.read_text("utf-8")


async def _chromium_page(
    session: aiohttp.ClientSession, profile: Path, _: Path, process: asyncio.subprocess.Process
) -> Page:
    port = (await _written(profile / "DevToolsActivePort", process)).split()[0]
    while True:
        async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            pages = [t for t in await answer.json() if t["type"] == "page"]
        if pages:
            break
        await asyncio.sleep(0.1)
    url = pages[0]["webSocketDebuggerUrl"]
    return Page(await session.ws_connect(url, max_msg_size=0), None)


async def _firefox_page(
    session: aiohttp.ClientSession,
    profile: Path,
    extension: Path,
    process: asyncio.subprocess.Process,
) -> Page:
    server = json.loads(await _written(profile / "WebDriverBiDiServer.json", process))
    url = f"ws://{server['ws_host']}:{server['ws_port']}/session"
    page = Page(await session.ws_connect(url, max_msg_size=0), "")
    await page.call("session.new", capabilities={})
    extension_data = {"type": "path", "path": str(extension)}
    await page.call("webExtension.install", extensionData=extension_data)
    tree = await page.call("browsingContext.getTree")
    page._context = tree["contexts"][0]["context"]
    return page
