"""The check page's pass: what it opens, for how long, for whom, and that it can't be had twice."""

import json
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from tellsign.server.errors import ApiError
from tellsign.server.guard import PASS_MAY
from tellsign.server.pairing import Clients, Keys
from tellsign.server.passes import MOST, PASS_CODE_SECONDS, PASS_HOURS, Passes
from tellsign.server.routes import CHECK_PARTS, ROUTES

from .conftest import Served, picture
from .test_pairing import Clock


def refused(passes: Passes, code: str) -> bool:
    try:
        passes.redeem(code)
    except ApiError as error:
        return error.code == "no_page_code"
    return False


def test_a_code_works_once_and_for_a_minute() -> None:
    clock = Clock()
    passes = Passes(clock)
    for odd in ("", "x", "\ud800"):
        assert refused(passes, odd)
        assert not passes.good(odd)
    first, second = passes.issue(), passes.issue()
    clock.now = PASS_CODE_SECONDS - 1
    token = passes.redeem(first)
    assert refused(passes, first)
    assert not passes.good(first)
    assert passes.good(token)
    clock.now = PASS_CODE_SECONDS
    assert refused(passes, second)
    clock.now += PASS_HOURS * 3600 - 2
    assert passes.good(token)
    clock.now += 1
    assert not passes.good(token)


def test_there_are_few_at_a_time() -> None:
    passes = Passes()
    tokens = [passes.redeem(passes.issue()) for _ in range(MOST + 2)]
    assert [passes.good(token) for token in tokens] == [False] * 2 + [True] * MOST
    codes = [passes.issue() for _ in range(MOST + 2)]
    assert [refused(passes, code) for code in codes] == [True] * 2 + [False] * MOST


async def new_pass(served: Served) -> dict[str, str]:
    """The headers of a page that came by its pass as pages do."""
    status, made = await served.ask("POST", "/v1/page/code", headers=served.control)
    assert (status, made["expires_in"]) == (200, PASS_CODE_SECONDS)
    body = json.dumps({"code": made["code"]})
    own = {"Origin": served.address, "Sec-Fetch-Site": "same-origin"}
    status, answer = await served.ask("POST", "/v1/page", body, headers=own)
    assert (status, answer["expires_in"]) == (200, PASS_HOURS * 3600)
    status, again = await served.ask("POST", "/v1/page", body, headers=own)
    assert (status, again["error"]["code"]) == (410, "no_page_code")
    return {**own, "Authorization": f"Bearer {answer['token']}"}


async def test_a_pass_checks_pictures_and_nothing_else(served: Served) -> None:
    page = await new_pass(served)
    assert (await served.ask("POST", "/v1/check?priority=user", picture(1), headers=page))[0] == 200
    assert (await served.ask("POST", "/v1/explain", picture(1), headers=page))[0] == 200
    assert (await served.ask("GET", "/v1/model", headers=page))[0] == 200
    for route in ROUTES:
        if route.path.startswith("/v1/") and (route.method, route.path) not in PASS_MAY:
            status, answer = await served.ask(route.method, route.path, headers=page)
            open_to_all = {"/v1/health": 200, "/v1/openapi.json": 200, "/v1/pair": 400}
            expected = {**open_to_all, "/v1/page": 400}.get(route.path, 403)
            assert status == expected, route
            if status == 403:
                assert answer["error"]["code"] in ("not_for_pages", "control_only")


async def test_a_pass_is_nobody_who_is_paired(served: Served, tmp_path: Path) -> None:
    before = (tmp_path / "clients.json").read_bytes()
    page = await new_pass(served)
    assert (tmp_path / "clients.json").read_bytes() == before
    assert len(served.daemon.keys.clients) == 1
    restarted = Keys(Clients(tmp_path))
    assert restarted.client(page["Authorization"].removeprefix("Bearer ")) is None


@pytest.mark.parametrize("who", ["nobody", "client", "page"])
async def test_only_the_command_line_makes_codes(served: Served, who: str) -> None:
    page = await new_pass(served)
    headers: dict[str, Any] = {"nobody": {}, "client": served.paired, "page": page}
    status, _ = await served.ask("POST", "/v1/page/code", headers=headers[who])
    assert status == (401 if who == "nobody" else 403)


async def test_the_page_and_its_parts(served: Served) -> None:
    """What is served is what lies there; nothing runs or loads but the page's own."""
    from importlib import resources

    folder = resources.files("tellsign.server") / "pages" / "check"
    there = {part.name for part in folder.iterdir()}
    assert there == {*CHECK_PARTS, "check.html"}
    for path, name in {"/check": "check.html", **{f"/check/{p}": p for p in CHECK_PARTS}}.items():
        async with served.session.get(served.address + path) as answer:
            assert answer.status == 200
            assert await answer.text() == (folder / name).read_text("utf-8")
            policy = answer.headers["Content-Security-Policy"].split("; ")
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "trusted-types 'none'" in policy
            assert ("connect-src 'self'" in policy) == (path == "/check")
    for part in ("", "check.html", "..%2Fpair.html", "%2e%2e", "x", "main.js/"):
        url = URL(f"{served.address}/check/{part}", encoded=True)
        async with served.session.get(url) as answer:
            assert answer.status == 404
