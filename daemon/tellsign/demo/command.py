"""`tellsign demo`: daemon, feed page and a browser with the extension, started together."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tellsign.commands.check import DECLARES, STYLES, WORDS, pictures_in
from tellsign.demo.browsers import BrowserError, Installed, Page, find, running
from tellsign.demo.feed import Post, serving
from tellsign.desktop import has_display
from tellsign.provenance.evidence import marks_ai
from tellsign.server.own import OwnError, own, token

HERE = Path(__file__).parent
EXTENSION = HERE.parents[2] / "extension"
WIDTH, HEIGHT = 1160, 1500
STEADY = 4
"""Equal screenshots in a row, half a second apart, after which nothing more is expected."""
MOST_PICTURES = 200

console = Console()


class DemoError(RuntimeError):
    """Something that the demo needs is not there; the message says what to do."""


def demo(
    pictures: Annotated[
        Path | None, typer.Argument(help="A folder of your own pictures.", exists=True)
    ] = None,
    browser: Annotated[
        str, typer.Option(help="chromium, firefox, or the path of one. Default: what is there.")
    ] = "",
    headless: Annotated[
        bool, typer.Option(help="No window: save a screenshot. So it is without a display.")
    ] = False,
    screenshot: Annotated[Path, typer.Option(help="Where the screenshot goes.")] = Path(
        "tellsign-demo.png"
    ),
    extension: Annotated[Path, typer.Option(help="The folder of the extension.")] = EXTENSION,
) -> None:
    """Show Tellsign at work: a page of pictures in a real browser, marked by a local daemon."""
    try:
        posts = own_posts(pictures) if pictures else sample_posts()
        if not (extension / "manifest.json").is_file():
            raise DemoError(
                f"There is no extension in {extension}: name its folder by --extension."
            )
        chosen = find(browser)
        asyncio.run(_demo(posts, chosen, headless or not has_display(), screenshot, extension))
    except (DemoError, BrowserError, OwnError) as error:
        console.print(str(error), style="red")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def sample_posts() -> list[Post]:
    """The pictures that come with the program; samples.json says what each of them is."""
    samples = json.loads((HERE / "samples" / "samples.json").read_text("utf-8"))
    return [Post(HERE / "samples" / s["file"], s["caption"], s["truth"]) for s in samples]


def own_posts(folder: Path) -> list[Post]:
    """The pictures of a user's folder, in order."""
    files = pictures_in(folder)
    if not files:
        raise DemoError(f"There is no picture in {folder}.")
    if len(files) > MOST_PICTURES:
        console.print(f"The first {MOST_PICTURES} of {len(files)} pictures are shown.")
    return [Post(path, path.name) for path in files[:MOST_PICTURES]]


async def _demo(
    posts: Sequence[Post], browser: Installed, headless: bool, shot: Path, extension: Path
) -> None:
    with tempfile.TemporaryDirectory(prefix="tellsign-demo-") as name:
        folder = Path(name)
        console.print("Starting the daemon …", style="dim")
        with own(folder / "state") as mine:
            daemon = await asyncio.to_thread(mine.ready)
            address, key = daemon.address, token(daemon, "demo")
            async with serving(posts) as url:
                console.print(f"Daemon at {address}, feed page at {url}", style="dim")
                _copy_extension(extension, folder / "extension", address, key)
                console.print(await _table(posts, address, key))
                await _show(folder, browser, url, headless, shot)


async def _show(folder: Path, browser: Installed, url: str, headless: bool, shot: Path) -> None:
    """The page in the browser, until that is closed or, with no window, a screenshot is taken."""
    console.print(f"Opening {browser.path} …", style="dim")
    start = running(browser, folder / "extension", folder / "profile", url, headless)
    async with start as (page, process):
        if headless:
            await page.open(url, WIDTH, HEIGHT)
            shot.write_bytes(await _steady(page))
            console.print(f"Screenshot of the page: {shot.absolute()}")
            return
        await page.open(url, WIDTH, HEIGHT) if browser.kind == "firefox" else None
        console.print("Look at the browser. Close it, or press Ctrl-C here, to end the demo.")
        await process.wait()


def _copy_extension(source: Path, target: Path, address: str, token: str) -> None:
    """A copy of the extension that is paired with the demo's daemon from the start."""
    shutil.copytree(source, target)
    preset = {"address": address, "token": token}
    (target / "preset.json").write_text(json.dumps(preset), "utf-8")


async def _table(posts: Sequence[Post], address: str, token: str) -> Table:
    """What the daemon says of every picture, beside what it is."""
    table = Table(box=None, pad_edge=False)
    for column in ("verdict", "AI", "file says", "picture", "what it is"):
        table.add_column(column, justify="right" if column == "AI" else "left", overflow="fold")
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for post in posts:
            async with session.post(f"{address}/v1/check", data=post.path.read_bytes()) as answer:
                table.add_row(*_row(post, await answer.json()))
    return table


def _row(post: Post, result: dict[str, Any]) -> list[str | Text]:
    if "error" in result:
        style = STYLES["error"]
        return [f"[{style}]Error[/]", "", "", post.path.name, result["error"]["message"]]
    verdict = result["verdict"]
    words = f"[{STYLES[verdict]}]{WORDS[verdict]}[/]"
    says = DECLARES if any(map(marks_ai, result["evidence"])) else ""
    return [words, f"{result['probability']:.0%}", says, post.path.name, post.truth]


async def _steady(page: Page) -> bytes:
    """A screenshot once the page has not changed for a while, for at most a minute."""
    last, same = b"", 0
    for _ in range(120):
        await asyncio.sleep(0.5)
        shot = await page.screenshot()
        same = same + 1 if shot == last else 0
        last = shot
        if same >= STEADY:
            break
    return last
