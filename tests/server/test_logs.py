"""Log lines: one an event, whole, and without secrets."""

import json
import logging
import sys

import pytest

from tellsign.server.lines import LineFormatter

from .conftest import Served, picture


def line(**fields: object) -> str:
    record = logging.makeLogRecord({"msg": "request", "levelname": "INFO", "fields": fields})
    return LineFormatter().format(record).partition(" info ")[2]


def test_values_stay_in_their_line() -> None:
    assert line(path="/v1/check", ms=12.345) == "request path=/v1/check ms=12.3"
    assert line(name='a b="c"\n2026 error') == r'request name="a b=\"c\"\n2026 error"'


def test_error_is_one_line() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        record = logging.makeLogRecord({"msg": "unforeseen", "exc_info": sys.exc_info()})
    text = LineFormatter().format(record)
    assert "\n" not in text
    assert "ValueError" in text


async def test_no_secrets(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    _, made = await served.ask("POST", "/v1/pair/code", headers=served.control)
    body = json.dumps({"code": made["code"], "name": "https://private.example/page"})
    _, paired = await served.ask("POST", "/v1/pair", body, headers={})
    await served.ask("POST", "/v1/check?priority=user&url=https://private.example", picture(1))
    await served.ask("POST", f"/v1/check/{served.token}", picture(1))
    await served.ask("POST", "/v1/check", b"private bytes")
    await served.ask("GET", "/v1/model", headers={"Authorization": "Bearer wrong-secret"})
    lines = [LineFormatter().format(record) for record in caplog.records]
    requests = [text for text in lines if " request " in text]
    assert len(requests) == 6
    assert "path=/v1/check status=200" in requests[2]
    assert "priority=user queue=0" in requests[2]
    assert "client=c_" in requests[2]
    assert "path=unknown status=404" in requests[3]
    secrets = [served.token, served.daemon.keys.control, made["code"], paired["token"]]
    for secret in [*secrets, "private", "wrong-secret"]:
        assert not [text for text in lines if secret in text]


async def test_unforeseen_error_is_told_and_logged(
    served: Served, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served.daemon.queue, "ask", None)
    status, answer = await served.ask("POST", "/v1/check", picture(1))
    assert (status, answer["error"]["code"]) == (500, "internal")
    assert any(record.exc_info for record in caplog.records)
