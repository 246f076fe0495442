"""Codes, tokens and the file that remembers who is paired."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tellsign.server.errors import ApiError
from tellsign.server.pairing import CODE_SECONDS, CODE_TRIES, Clients, Codes

from .conftest import Served


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def refusal(codes: Codes, code: str) -> ApiError:
    with pytest.raises(ApiError) as caught:
        codes.redeem(code, "name")
    return caught.value


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def test_code_works_once() -> None:
    codes = Codes()
    assert refusal(codes, "000000").code == "no_code"
    code = codes.issue()
    assert len(code) == 6
    assert code.isdecimal()
    codes.redeem(code, "Firefox")
    assert (codes.state, codes.paired) == ("used", "Firefox")
    assert refusal(codes, code).code == "no_code"


def test_code_expires() -> None:
    clock = Clock()
    codes = Codes(clock)
    code = codes.issue()
    clock.now = CODE_SECONDS - 0.01
    assert refusal(codes, wrong(code)).code == "wrong_code"
    clock.now = CODE_SECONDS
    assert refusal(codes, code).code == "no_code"
    assert codes.state == "expired"


def test_five_wrong_tries_void_the_code() -> None:
    codes = Codes()
    code = codes.issue()
    refusals = [refusal(codes, wrong(code)) for _ in range(CODE_TRIES)]
    assert [error.code for error in refusals] == ["wrong_code"] * CODE_TRIES
    assert [error.more["tries_left"] for error in refusals] == [4, 3, 2, 1, 0]
    assert refusal(codes, code).code == "no_code"


def test_new_code_voids_the_older_one_and_its_tries() -> None:
    codes = Codes()
    old = codes.issue()
    refusal(codes, wrong(old))
    new = codes.issue()
    if old != new:
        assert refusal(codes, old).more["tries_left"] == CODE_TRIES - 1
    codes.redeem(new, "Firefox")


def test_tokens_are_not_stored(tmp_path: Path) -> None:
    token, client = Clients(tmp_path / "new").add("  Fire\nfox\x00 " + "x" * 100)
    file = tmp_path / "new" / "clients.json"
    assert token not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    again = Clients(tmp_path / "new")
    found = again.find(token)
    assert found == client
    assert found.name == "Firefox " + "x" * 56
    assert again.find(token[:-1]) is None
    assert again.find("") is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"clients": [{}]}', '{"clients": 1}'])
def test_damaged_file_is_put_aside(tmp_path: Path, content: str) -> None:
    (tmp_path / "clients.json").write_text(content)
    clients = Clients(tmp_path)
    assert len(clients) == 0
    assert (tmp_path / "clients.damaged").read_text() == content
    token, _ = clients.add("new")
    assert Clients(tmp_path).find(token)


ADD_FOREVER = """
import sys
from pathlib import Path
from tellsign.server.pairing import Clients
clients = Clients(Path(sys.argv[1]))
while True:
    print(clients.add("one more")[0], flush=True)
"""


def test_kill_at_any_moment_loses_no_client(tmp_path: Path) -> None:
    told: list[str] = []
    for lines in (1, 3, 7):
        child = subprocess.Popen(
            [sys.executable, "-c", ADD_FOREVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout
        told += [child.stdout.readline().strip() for _ in range(lines)]
        os.kill(child.pid, signal.SIGKILL)
        told += child.stdout.read().split("\n")[:-1]
        child.stdout.close()
        child.wait()
        clients = Clients(tmp_path)
        assert all(clients.find(token) for token in told)
    assert not (tmp_path / "clients.damaged").exists()


async def test_over_http(served: Served) -> None:
    status, answer = await served.ask("POST", "/v1/pair/code", headers=served.control)
    code = answer["code"]
    assert (status, answer["expires_in"]) == (200, CODE_SECONDS)
    status, answer = await served.ask("GET", "/v1/pair/code", headers=served.control)
    assert answer["state"] == "pending"

    body = {"code": wrong(code), "name": "Firefox"}
    status, answer = await served.ask("POST", "/v1/pair", json.dumps(body), headers={})
    assert (status, answer["error"]["code"]) == (403, "wrong_code")
    assert answer["error"]["tries_left"] == CODE_TRIES - 1

    body["code"] = code
    status, paired = await served.ask("POST", "/v1/pair", json.dumps(body), headers={})
    assert status == 200
    headers = {"Authorization": f"Bearer {paired['token']}"}
    assert (await served.ask("GET", "/v1/model", headers=headers))[0] == 200
    status, answer = await served.ask("GET", "/v1/pair/code", headers=served.control)
    assert answer == {"state": "used", "expires_in": 0, "name": "Firefox"}

    status, answer = await served.ask("POST", "/v1/pair", json.dumps(body), headers={})
    assert (status, answer["error"]["code"]) == (410, "no_code")


async def test_token_for_a_script(served: Served) -> None:
    status, made = await served.ask(
        "POST", "/v1/clients", json.dumps({"name": "cron"}), headers=served.control
    )
    assert status == 200
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert (await served.ask("GET", "/v1/model", headers=headers))[0] == 200


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"null", b"[]", b"1", b'{"code": 123456, "name": "x"}', b'{"code": "1"}']
)
async def test_bad_json(served: Served, body: bytes) -> None:
    status, answer = await served.ask("POST", "/v1/pair", body, headers={})
    assert (status, answer["error"]["code"]) == (400, "bad_request")


async def test_odd_text_is_only_wrong(served: Served) -> None:
    await served.ask("POST", "/v1/pair/code", headers=served.control)
    for code in ("\\ud800", "１２３４５６", "", "x" * 1000):
        body = f'{{"code": "{code}", "name": "\\ud800"}}'.encode()
        status, answer = await served.ask("POST", "/v1/pair", body, headers={})
        assert (status, answer["error"]["code"]) == (403, "wrong_code")
