"""The demo's feed page, served on loopback: pictures as a social network shows them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path

from aiohttp import web

PAGES = Path(__file__).parent / "pages"


@dataclass(frozen=True)
class Post:
    """A picture of the feed; `truth` is what is known of it, empty for a user's own pictures."""

    path: Path
    caption: str
    truth: str = ""


def page(posts: Sequence[Post]) -> str:
    """The feed's HTML."""
    cards = "\n".join(
        f'<article><img src="/picture/{i}" alt="{escape(post.caption)}" loading="lazy">'
        f"<p>{escape(post.caption)}</p></article>"
        for i, post in enumerate(posts)
    )
    return (PAGES / "feed.html").read_text("utf-8").replace("<!-- posts -->", cards)


@asynccontextmanager
async def serving(posts: Sequence[Post]) -> AsyncIterator[str]:
    """The feed on a free port of 127.0.0.1; yields its address."""

    async def index(_: web.Request) -> web.Response:
        return web.Response(text=page(posts), content_type="text/html")

    async def style(_: web.Request) -> web.FileResponse:
        return web.FileResponse(PAGES / "feed.css")

    async def picture(request: web.Request) -> web.FileResponse:
        number = int(request.match_info["number"])
        if number >= len(posts):
            raise web.HTTPNotFound
        return web.FileResponse(posts[number].path)

    app = web.Application()
    app.add_routes([
        web.get("/", index),
        web.get("/feed.css", style),
        web.get(r"/picture/{number:\d{1,6}}", picture),
    ])  # fmt: skip
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/"
    finally:
        await runner.cleanup()
