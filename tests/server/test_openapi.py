"""The description is true: its paths are the router's, its schemas fit real answers."""

import asyncio
import json
from importlib import resources
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis import Case, GenerationMode

from tellsign.server.guard import ANYONE, CONTROL_ONLY
from tellsign.server.routes import ROUTES

from .conftest import Served, picture

DOCUMENT = json.loads((resources.files("tellsign.server") / "openapi.json").read_text("utf-8"))

SOME_BYTES = [picture(1, 64, 48), picture(1, 8, 8), picture(1)[:500], b"hello", b""]
schemathesis.openapi.media_type("application/octet-stream", st.sampled_from(SOME_BYTES))
PECULIAR = {
    # What is allowed by the schema may still be no picture, and no code waits to be used.
    "positive_data_acceptance": {"expected-statuses": ["2xx", 404, 410, 415, 422]},
    "negative_data_rejection": {"expected-statuses": ["4xx"]},
}


def schema_of(method: str, path: str, status: int) -> dict[str, Any]:
    answer = DOCUMENT["paths"][path][method.lower()]["responses"][str(status)]
    if "$ref" in answer:
        answer = DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    return {**answer["content"]["application/json"]["schema"], "components": DOCUMENT["components"]}


def test_schemas_are_schemas() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_route_is_described() -> None:
    described = {
        (method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item
    }
    assert described == {(route.method, route.path) for route in ROUTES}


def test_who_may_ask_is_described() -> None:
    for path, item in DOCUMENT["paths"].items():
        for call in item.values():
            security = call.get("security", DOCUMENT["security"])
            assert (security == []) == (path in ANYONE)
            assert (security == [{"control": []}]) == (path in CONTROL_ONLY)


@pytest.mark.parametrize(
    ("method", "path", "body", "who", "status"),
    [
        ("GET", "/v1/health", None, "nobody", 200),
        ("GET", "/v1/openapi.json", None, "nobody", 200),
        ("POST", "/v1/check", picture(1), "client", 200),
        ("POST", "/v1/check", b"hello", "client", 415),
        ("POST", "/v1/check", picture(1, 8, 8), "client", 422),
        ("POST", "/v1/check", picture(1), "nobody", 401),
        ("POST", "/v1/check?priority=x", picture(1), "client", 400),
        ("POST", "/v1/explain", picture(1), "client", 200),
        ("POST", "/v1/explain?method=x", picture(1), "client", 400),
        ("GET", "/v1/model", None, "client", 200),
        ("PUT", "/v1/model", b'{"id": "levit-128s"}', "client", 200),
        ("PUT", "/v1/model", b'{"id": "x"}', "client", 404),
        ("PUT", "/v1/model", b"x" * 5000, "client", 413),
        ("POST", "/v1/pair", b'{"code": "123456", "name": "x"}', "nobody", 410),
        ("POST", "/v1/pair/code", None, "control", 200),
        ("GET", "/v1/pair/code", None, "control", 200),
        ("GET", "/v1/pair/code", None, "client", 403),
        ("GET", "/v1/pause", None, "client", 200),
        ("PUT", "/v1/pause", b'{"paused": false}', "client", 200),
        ("PUT", "/v1/pause", b'{"paused": 0}', "client", 400),
        ("POST", "/v1/page", b'{"code": "x"}', "nobody", 410),
        ("POST", "/v1/page/code", None, "control", 200),
        ("POST", "/v1/page/code", None, "client", 403),
        ("POST", "/v1/clients", b'{"name": "x"}', "control", 200),
        ("POST", "/v1/clients", b"{}", "control", 400),
    ],
)
async def test_answers_fit(
    served: Served, method: str, path: str, body: bytes | None, who: str, status: int
) -> None:
    headers = {"nobody": {}, "client": served.paired, "control": served.control}[who]
    got, answer = await served.ask(method, path, body, headers=headers)
    assert got == status
    Draft202012Validator(schema_of(method, path.partition("?")[0], status)).validate(answer)


async def test_wrong_code_fits(served: Served) -> None:
    await served.ask("POST", "/v1/pair/code", headers=served.control)
    body = json.dumps({"code": "none", "name": "x"})
    status, answer = await served.ask("POST", "/v1/pair", body, headers={})
    Draft202012Validator(schema_of("POST", "/v1/pair", status)).validate(answer)
    assert answer["error"]["tries_left"] == 4


@pytest.mark.parametrize(
    ("method", "path"),
    [(route.method, route.path) for route in ROUTES if route.path != "/v1/events"],  # has no end
)
async def test_answers_to_whatever_is_sent(served: Served, method: str, path: str) -> None:
    """Schemathesis sends what the description allows, and what it does not."""
    config = schemathesis.Config.from_dict({"checks": PECULIAR, "request-timeout": 60})
    description = schemathesis.openapi.from_dict(DOCUMENT, config=config)
    description.config.update(base_url=served.address)
    call = description[path][method]
    allowed, forbidden = (call.as_strategy(generation_mode=mode) for mode in GenerationMode)

    @settings(
        max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(allowed | forbidden)
    def send(case: Case) -> None:
        case.call_and_validate(headers=served.control)

    await asyncio.to_thread(send)
