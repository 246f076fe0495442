"""Pictures seen before: what is answered from memory and from disk, and what is kept nowhere."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL.PngImagePlugin import PngInfo

from tellsign.detector import Detector
from tellsign.picture import digest
from tellsign.server.cache import Cache
from tests.conftest import saved, scene

from .conftest import LoadedShelf, Served, picture, serve, until
from .test_queue import Gated

PROMPT = "a castle made of secrets"


def with_prompt() -> bytes:
    text = PngInfo()
    text.add_text("parameters", f"{PROMPT}\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 64x64")
    return saved(scene(), "PNG", pnginfo=text)


@pytest.fixture
def gated(detector: Detector) -> Gated:
    return Gated(detector)


async def read(cache: Cache) -> None:
    """Wait until its file has been read: its thread does one thing after another."""
    await asyncio.sleep(0)
    await cache._run(lambda: None)
    await asyncio.sleep(0)


@asynccontextmanager
async def serving(folder: Path, gated: Gated) -> AsyncIterator[Served]:
    """A daemon with its file of verdicts, read."""
    shelf = LoadedShelf(gated)  # type: ignore[arg-type]
    async with serve(folder, shelf, verdicts=folder / "cache" / "verdicts.sqlite") as served:
        await read(served.daemon.cache)
        yield served


async def check(served: Served, data: bytes, query: str = "") -> dict[str, Any]:
    status, report = await served.ask("POST", f"/v1/check{query}", data)
    assert status == 200
    return report


async def test_same_answer_without_the_network(tmp_path: Path, gated: Gated) -> None:
    async with serving(tmp_path, gated) as served:
        for data in (picture(1), with_prompt()):
            first, again = await check(served, data), await check(served, data)
            assert first.pop("timings")["network"] > 0
            timings = again.pop("timings")
            assert {name for name, value in timings.items() if value} <= {"total"}
            assert first == again
    assert gated.batches == [1, 1]


async def test_private_windows_neither_read_nor_write(tmp_path: Path, gated: Gated) -> None:
    async with serving(tmp_path, gated) as served:
        await check(served, picture(1))
        await check(served, picture(1), "?private=1")
        await check(served, picture(2), "?private=1")
        assert len(gated.batches) == 3
        assert len(served.daemon.cache) == 1
        for query in ("?private=yes", "?private=", "?private=0&private=1"):
            status, answer = await served.ask("POST", f"/v1/check{query}", picture(3))
            assert (status, answer["error"]["code"]) == (400, "bad_request")
        await served.ask("POST", "/v1/explain", picture(4))
        assert len(served.daemon.cache) == 1


async def test_what_is_on_disk(tmp_path: Path, gated: Gated) -> None:
    """After a restart plain pictures are known; of others and of private ones nothing was written.

    Nor is any picture's own hash, which lists of known pictures could be searched for.
    """
    async with serving(tmp_path, gated) as served:
        plain = await check(served, picture(1))
        assert (await check(served, with_prompt()))["evidence"][0]["details"]["prompt"] == PROMPT
        await check(served, picture(2), "?private=1")
    path = tmp_path / "cache" / "verdicts.sqlite"
    content = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    with closing(sqlite3.connect(path)) as connection:
        assert len(connection.execute("SELECT * FROM verdicts").fetchall()) == 1
    for data in (picture(1), picture(2), with_prompt()):
        assert digest(data).encode() not in content
        assert bytes.fromhex(digest(data)) not in content
    assert PROMPT.encode() not in content
    gated.batches.clear()
    async with serving(tmp_path, gated) as served:
        again = await check(served, picture(1))
        assert gated.batches == []
        assert {**again, "timings": {}} == {**plain, "timings": {}}
        await check(served, with_prompt())
        await check(served, picture(2))
        assert gated.batches == [1, 1]


def entry(number: int, valid: bool | None = None, evidence: bool = False) -> dict[str, Any]:
    said = [{"valid": valid, "details": {}}] if evidence else []
    return {"verdict": "none", "logit": number, "evidence": said, "picture": {"format": "PNG"}}


@pytest.mark.parametrize("valid", [True, False])
async def test_signed_evidence_is_judged_anew(detector: Detector, valid: bool) -> None:
    cache = Cache(None)
    cache.put("a", detector, entry(1, valid, evidence=True))
    assert cache.get("a", detector) is None
    await cache.close()


async def test_whatever_a_verdict_depends_on_is_in_the_key(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(None)
    cache.put("a", detector, entry(1))
    info, plan = detector.info, detector.plan
    same = SimpleNamespace(info=replace(info), plan=replace(plan))
    others = [
        SimpleNamespace(info=replace(info, digest="sha256:0"), plan=plan),
        SimpleNamespace(info=replace(info, calibration="0"), plan=plan),
        SimpleNamespace(info=replace(info, id="0"), plan=plan),
        SimpleNamespace(info=info, plan=replace(plan, crops=plan.crops + 1)),
    ]
    assert cache.get("a", same)  # type: ignore[arg-type]
    assert [cache.get("a", other) for other in others] == [None] * 4  # type: ignore[arg-type]
    assert cache.get("b", detector) is None
    monkeypatch.setattr("tellsign.server.cache.__version__", "0")
    assert cache.get("a", detector) is None
    await cache.close()


def known(cache: Cache, detector: Detector, numbers: range) -> list[int]:
    return [number for number in numbers if cache.get(str(number), detector)]


@asynccontextmanager
async def opened(path: Path, **bounds: int) -> AsyncIterator[Cache]:
    cache = Cache(path, **bounds)
    cache.start()
    await read(cache)
    yield cache
    await cache.close()


@pytest.mark.parametrize("bounds", [{"max_entries": 3}, {"max_bytes": 330}])
async def test_least_recently_used_goes_first(
    tmp_path: Path, detector: Detector, bounds: dict[str, int]
) -> None:
    """In memory and on disk, also when it was used after it was written."""
    path = tmp_path / "verdicts.sqlite"
    async with opened(path, **bounds) as cache:
        for number in (0, 1, 2):
            cache.put(str(number), detector, entry(number))
    async with opened(path, **bounds) as cache:
        assert cache.get("0", detector)
        cache.put("3", detector, entry(3))
        assert cache.get("1", detector) is None
        assert 0 < cache.bytes <= 330
    async with opened(path, **bounds) as cache:
        assert known(cache, detector, range(4)) == [0, 2, 3]
    async with opened(path, max_entries=1) as cache:  # a file that another program has filled
        assert len(cache) == 1
    with closing(sqlite3.connect(path)) as connection:
        assert len(connection.execute("SELECT * FROM verdicts").fetchall()) == 1


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:4096] + bytes(3000))


def scribbled(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = bytes([170]) * len(data[4096:])
    path.write_bytes(data)


def sql(script: str) -> Callable[[Path], None]:
    def run(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(script)

    return run


DAMAGES = {
    "text": lambda path: path.write_text("no database at all, but long enough to be looked at" * 9),
    "torn": torn,
    "scribbled": scribbled,
    "other columns": sql("DROP TABLE verdicts; CREATE TABLE verdicts (x)"),
    "no table": sql("DROP TABLE verdicts"),
    "of tomorrow": sql("PRAGMA user_version = 2"),
    "odd numbers": sql("UPDATE verdicts SET used = 'x'"),
    "odd verdicts": sql("UPDATE verdicts SET report = x'7b'"),
    "odd JSON": sql("UPDATE verdicts SET report = CAST('[]' AS BLOB)"),
    "odd types": sql("UPDATE verdicts SET report = 1"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_damaged_file_is_made_anew(
    tmp_path: Path, detector: Detector, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "verdicts.sqlite"
    async with opened(path) as cache:
        for number in range(20):
            cache.put(str(number), detector, entry(number))
    damage(path)
    async with opened(path) as cache:
        found = known(cache, detector, range(20))
        assert found in ([], list(range(20)))
        cache.put("20", detector, entry(20))
    assert path.stat().st_mode & 0o777 == 0o600
    async with opened(path) as cache:
        assert known(cache, detector, range(21)) == [*found, 20]


def locked(path: Path) -> Any:
    connection = sqlite3.connect(path)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


@pytest.mark.parametrize("hindrance", ["a folder", "no folder", "locked"])
async def test_without_its_file_it_lives_in_memory(
    tmp_path: Path,
    detector: Detector,
    hindrance: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And says so once."""
    monkeypatch.setattr("tellsign.server.cache_file.LOCK_SECONDS", 0.01)
    path = tmp_path / "verdicts.sqlite"
    if hindrance == "a folder":
        path.mkdir()
    elif hindrance == "no folder":
        (tmp_path / "file").touch()
        path = tmp_path / "file" / "verdicts.sqlite"
    with closing(locked(path) if hindrance == "locked" else sqlite3.connect(":memory:")):
        async with opened(path) as cache:
            cache.put("1", detector, entry(1))
            assert cache.get("1", detector)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_written_behind(
    tmp_path: Path, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it runs, so that little is lost if it is killed."""
    monkeypatch.setattr("tellsign.server.cache.SAVE_AFTER", 0.0)
    path = tmp_path / "verdicts.sqlite"
    async with opened(path) as cache:
        cache.put("1", detector, entry(1))

        def written() -> bool:
            with closing(sqlite3.connect(path)) as connection:
                return bool(connection.execute("SELECT * FROM verdicts").fetchall())

        await until(written)
