"""Who is let in: the tables of Host, Origin and Sec-Fetch-Site, tokens and sizes."""

import asyncio
import gzip
from typing import Any

import pytest

from tellsign.server.guard import ANYONE, CONTROL_ONLY
from tellsign.server.routes import ROUTES
from tellsign.settings import MAX_BODY

from .conftest import Served, picture

CALLS = [(route.method, route.path) for route in ROUTES]
NAVIGATE = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


def code(answer: dict[str, Any]) -> str:
    return str(answer["error"]["code"])


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:PORT", 200),
        ("localhost:PORT", 200),
        ("127.0.0.1", 403),
        ("localhost", 403),
        ("127.0.0.1:80", 403),
        ("localhost.:PORT", 403),
        ("localhost.evil.com:PORT", 403),
        ("evil.com", 403),
        ("evil.com:PORT", 403),
        ("127.0.0.2:PORT", 403),
        ("0.0.0.0:PORT", 403),
        ("[::1]:PORT", 403),
        ("2130706433:PORT", 403),
        ("127.0.0.1:PORT@evil.com", 403),
        ("", 403),
    ],
)
async def test_host(served: Served, host: str, status: int) -> None:
    got, answer = await served.raw(f"GET /v1/health HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert got == status
    assert status == 200 or code(answer) == "bad_host"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/health HTTP/1.0",
        b"GET http://evil.com/v1/health HTTP/1.1\r\nHost: 127.0.0.1:PORT",
        b"GET http://127.0.0.1:PORT/v1/health HTTP/1.1\r\nHost: 127.0.0.1:PORT",
    ],
    ids=["no host", "absolute address of another", "absolute address"],
)
async def test_odd_request_lines(served: Served, head: bytes) -> None:
    status, answer = await served.raw(head + b"\r\n\r\n")
    assert (status, code(answer)) == (403, "bad_host")


async def test_two_hosts(served: Served) -> None:
    request = b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nHost: evil.com\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(request.replace(b"PORT", str(served.port).encode()))
    assert int((await reader.readline()).split()[1]) in (400, 403)
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("chrome-extension://abcdefghijklmnopabcdefghijklmnop", 200),
        ("moz-extension://0a1b2c3d-0000-4000-8000-0123456789ab", 200),
        ("http://127.0.0.1:{port}", 200),
        ("http://localhost:{port}", 403),
        ("https://127.0.0.1:{port}", 403),
        ("http://127.0.0.1:1", 403),
        ("http://evil.com", 403),
        ("https://evil.com", 403),
        ("null", 403),
        ("file://", 403),
        ("", 403),
        ("chrome-extension://a http://evil.com", 403),
        ("http://chrome-extension://a", 403),
    ],
)
async def test_origin(served: Served, origin: str | None, status: int) -> None:
    headers = {} if origin is None else {"Origin": origin.format(port=served.port)}
    got, answer = await served.ask("GET", "/v1/health", headers=headers)
    assert got == status
    assert status == 200 or code(answer) == "bad_origin"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v1/health", {"Sec-Fetch-Site": "none"}, 200),
        ("/v1/health", {"Sec-Fetch-Site": "same-origin"}, 200),
        ("/v1/health", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("/v1/health", {"Sec-Fetch-Site": "same-site"}, 403),
        ("/v1/health", {"Sec-Fetch-Site": "Cross-Site"}, 403),
        ("/v1/health", {"Sec-Fetch-Site": "cross-site", **NAVIGATE}, 403),
        ("/pair", {"Sec-Fetch-Site": "cross-site", **NAVIGATE}, 200),
        ("/pair", {"Sec-Fetch-Site": "same-site", **NAVIGATE}, 200),
        ("/pair", {"Sec-Fetch-Site": "cross-site", **NAVIGATE, "Sec-Fetch-Dest": "iframe"}, 403),
        ("/pair", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}, 403),
        ("/pair.js", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "script"}, 403),
        ("/check", {"Sec-Fetch-Site": "none", **NAVIGATE}, 200),
        ("/check", {"Sec-Fetch-Site": "same-origin", **NAVIGATE}, 200),
        ("/check", {"Sec-Fetch-Site": "cross-site", **NAVIGATE}, 403),
        ("/check", {"Sec-Fetch-Site": "same-site", **NAVIGATE}, 403),
        ("/check", {"Sec-Fetch-Site": "cross-site", **NAVIGATE, "Sec-Fetch-Dest": "iframe"}, 403),
        ("/check/main.js", {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "script"}, 200),
        ("/check/main.js", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "script"}, 403),
    ],
)
async def test_fetch_site(served: Served, path: str, headers: dict[str, str], status: int) -> None:
    async with served.session.get(served.address + path, headers=headers) as answer:
        assert answer.status == status


@pytest.mark.parametrize(("method", "path"), [*CALLS, ("GET", "/"), ("DELETE", "/v1/check")])
async def test_no_web_page_reaches_any_path(served: Served, method: str, path: str) -> None:
    """With a good token, in case a page ever got hold of one."""
    for name, value, why in [
        ("Host", "evil.com", "bad_host"),
        ("Origin", "https://evil.com", "bad_origin"),
        ("Sec-Fetch-Site", "cross-site", "cross_site"),
    ]:
        status, answer = await served.ask(method, path, headers={**served.paired, name: value})
        assert (status, code(answer)) == (403, why)
    status, answer = await served.ask("OPTIONS", path)
    assert (status, code(answer)) == (403, "no_preflight")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/health", 200),
        ("GET", "/pair", 200),
        ("GET", "/check", 200),
        ("GET", "/check/main.js", 200),
        ("GET", "/check/nothing", 404),
        ("GET", "/v1/pause", 401),
        ("GET", "/v1/model", 401),
        ("OPTIONS", "/v1/check", 403),
        ("GET", "/nothing", 404),
        ("DELETE", "/v1/check", 405),
        ("HEAD", "/v1/health", 405),
        ("POST", "/v1/pair", 400),
    ],
)
async def test_headers_of_every_answer(served: Served, method: str, path: str, status: int) -> None:
    async with served.session.request(method, served.address + path) as answer:
        assert answer.status == status
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert not [name for name in answer.headers if name.startswith("Access-Control")]
        if status >= 400 and method != "HEAD":
            assert set((await answer.json())["error"]) == {"code", "message"}


async def test_tokens(served: Served) -> None:
    for method, path in CALLS:
        for headers in (
            {},
            {"Authorization": served.token},
            {"Authorization": f"Basic {served.token}"},
            {"Authorization": "Bearer "},
            {"Authorization": f"Bearer {served.token}x"},
            {"Authorization": "Bearer \udcff"},
        ):
            if path in ANYONE:
                continue
            status, answer = await served.ask(method, path, headers=headers)
            assert (status, code(answer)) == (401, "not_paired")
        if path in CONTROL_ONLY:
            status, answer = await served.ask(method, path)
            assert (status, code(answer)) == (403, "control_only")


@pytest.mark.parametrize(
    ("made_for", "status", "why"),
    [
        ("1", 200, ""),
        ("0", 409, "client_too_old"),
        ("2", 409, "daemon_too_old"),
        ("999999", 409, "daemon_too_old"),
        ("", 400, "bad_request"),
        ("-1", 400, "bad_request"),
        ("1.0", 400, "bad_request"),
        ("١", 400, "bad_request"),
        ("1, 2", 400, "bad_request"),
        ("9" * 5000, 400, "bad_request"),
    ],
)
async def test_versions(served: Served, made_for: str, status: int, why: str) -> None:
    """Whoever is too old or too new hears which of the two to update, paired or not."""
    header = {"X-Tellsign-Api": made_for}
    got, answer = await served.ask("GET", "/v1/model", headers={**served.paired, **header})
    assert got == status
    assert status == 200 or code(answer) == why
    got, answer = await served.ask("GET", "/v1/model", headers=header)
    assert (got, code(answer)) == ((401, "not_paired") if status == 200 else (status, why))
    assert why != "client_too_old" or "Update the extension." in answer["error"]["message"]
    assert why != "daemon_too_old" or "Update Tellsign" in answer["error"]["message"]
    got, answer = await served.ask("GET", "/v1/health", headers=header)
    assert (got, answer["api"]) == (200, 1)


async def test_announced_size_is_refused_unread(served: Served) -> None:
    head = f"POST /v1/check HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: {MAX_BODY + 1}\r\n"
    status, answer = await served.raw(
        f"{head}Authorization: Bearer {served.token}\r\n\r\n".encode()
    )
    assert (status, code(answer)) == (413, "too_large")


async def test_endless_body_is_refused_while_it_streams(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(
        f"POST /v1/check HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
        f"Authorization: Bearer {served.token}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    )
    status = asyncio.create_task(reader.readline())
    chunk = b"100000\r\n" + bytes(2**20) + b"\r\n"
    sent = 0
    while not status.done():
        writer.write(chunk)
        await writer.drain()
        sent += 2**20
        assert sent < 4 * MAX_BODY
    assert b" 413 " in await status
    writer.close()


async def test_compressed_body_is_not_inflated(served: Served) -> None:
    status, answer = await served.ask(
        "POST",
        "/v1/check",
        gzip.compress(picture(1)),
        headers={**served.paired, "Content-Encoding": "gzip"},
    )
    assert (status, code(answer)) == (415, "not_an_image")


async def test_long_json_is_refused(served: Served) -> None:
    status, answer = await served.ask("POST", "/v1/pair", b"[" * 5000, headers={})
    assert (status, code(answer)) == (413, "too_large")
