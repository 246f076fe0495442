"""The trust list: shipped, dated, replaceable."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tellsign.cli import app
from tellsign.provenance import trust
from tellsign.settings import data_dir

from .signing import Authority, pem


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["trust", *map(str, arguments)])
    return done.exit_code, " ".join(done.output.split())


def test_the_shipped_list_is_dated_and_says_that_it_is_empty() -> None:
    shipped = trust.current()
    assert not shipped.own
    assert shipped.anchors == ()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", shipped.date)
    status, text = run("show")
    assert status == 0
    assert f"comes with Tellsign, of {shipped.date}: 0 certificates." in text
    assert "no signer counts as trusted" in text


def test_set_show_and_reset(authority: Authority, tmp_path: Path) -> None:
    path = tmp_path / "list.pem"
    other = Authority("Another root")
    path.write_text(f"# date: 2026-08-13\nSubject CN=x\n{pem(authority.root, other.root)}\n")
    status, text = run("set", path)
    assert status == 0
    assert "Your own trust list, of 2026-08-13: 2 certificates." in text
    assert "Another root, Tellsign's tests" in text
    assert [anchor.name for anchor in trust.current().anchors] == [
        "A root of the tests, Tellsign's tests",
        "Another root, Tellsign's tests",
    ]
    assert run("show") == (0, text)
    assert "comes with Tellsign" in run("reset")[1]
    assert run("reset")[0] == 0


def test_a_list_without_a_date_is_of_the_day_it_is_set(
    authority: Authority, tmp_path: Path
) -> None:
    path = tmp_path / "list.pem"
    path.write_text(pem(authority.root))
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", trust.replace(path).date)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"nothing", "holds no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "damaged"),
        (bytes(5 * 2**20), "over the limit of 4 MiB"),
    ],
)
def test_what_is_no_list(content: bytes, says: str, tmp_path: Path, authority: Authority) -> None:
    """It is refused with a sentence, and the list in use stays."""
    path = tmp_path / "list.pem"
    path.write_text(pem(authority.root))
    trust.replace(path)
    path.write_bytes(content)
    status, text = run("set", path)
    assert status == 1
    assert says in text
    assert len(trust.current().anchors) == 1
    assert run("set", tmp_path / "gone.pem")[0] == 1


def test_a_damaged_list_trusts_nobody(authority: Authority, tmp_path: Path) -> None:
    path = tmp_path / "list.pem"
    path.write_text(pem(authority.root))
    trust.replace(path)
    (data_dir() / "trust_list.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA")
    assert trust.current().anchors == ()
    assert trust.current().own


def test_expired_certificates_are_told() -> None:
    [today] = [trust._anchor(Authority().root)]
    assert not today.expired
    assert trust.Anchor("", "", today.expires - timedelta(days=2000), "").expired
