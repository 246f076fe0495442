"""What the daemon counts, as Prometheus reads it, and what must not be in it."""

import asyncio
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tellsign.detector import Detector
from tellsign.picture import digest
from tellsign.server.job import Priority

from .conftest import LoadedShelf, Served, picture, serve, until
from .test_cache import PROMPT, with_prompt
from .test_queue import Gated

Values = dict[tuple[str, ...], float]


async def scrape(served: Served) -> tuple[str, Values]:
    """The text, and its values by name and labels, these in the order of their names."""
    url = served.address + "/v1/metrics"
    async with served.session.get(url, headers=served.paired) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        text = await answer.text()
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples]
    return text, {(s.name, *(s.labels[k] for k in sorted(s.labels))): s.value for s in samples}


async def test_counts(served: Served, detector: Detector) -> None:
    verdicts = [await served.ask("POST", "/v1/check", picture(1)) for _ in range(3)]
    await served.ask("POST", "/v1/check?private=1", picture(1))
    await served.ask("POST", "/v1/check", b"no picture")
    await served.ask("GET", "/v1/nothing")
    await served.ask("DELETE", "/v1/check")
    await served.ask("GET", "/v1/health", headers={"Host": "evil.com"})
    _, values = await scrape(served)
    assert values["tellsign_requests_total", "POST /v1/check", "200"] == 4
    assert values["tellsign_requests_total", "POST /v1/check", "415"] == 1
    assert values["tellsign_requests_total", "GET /v1/health", "403"] == 1
    assert values["tellsign_requests_total", "unknown", "404"] == 1
    assert values["tellsign_requests_total", "unknown", "405"] == 1
    assert values["tellsign_verdicts_total", verdicts[0][1]["verdict"]] == 4
    assert values["tellsign_cache_lookups_total", "hit"] == 2
    assert values["tellsign_cache_lookups_total", "miss"] == 2
    assert values["tellsign_body_bytes",] == 0
    assert values["tellsign_cache_entries",] == 1
    assert values["tellsign_cache_bytes",] == served.daemon.cache.bytes
    for stage in ("decode", "provenance", "views", "queue", "network", "total"):
        assert values["tellsign_stage_seconds_count", stage] == 2
    assert values["tellsign_stage_seconds_sum", "total"] > 0
    assert values["tellsign_ready",] == 1
    info, engine = detector.info, detector.engine
    labels = (info.calibration, engine.device, info.digest, engine.engine, info.id)
    assert values["tellsign_model_info", *labels, engine.precision] == 1


async def test_queue_by_priority(tmp_path: Path, detector: Detector) -> None:
    gated = Gated(detector)
    async with serve(tmp_path, LoadedShelf(gated)) as served:  # type: ignore[arg-type]
        gated.scoring.clear()
        asked = [(1, "background"), (2, "background"), (3, "user"), (1, "visible")]
        checks = [
            asyncio.create_task(served.ask("POST", f"/v1/check?priority={name}", picture(seed)))
            for seed, name in asked
        ]
        load = served.daemon.queue.load
        await until(lambda: [load()[priority].pictures for priority in Priority] == [1, 1, 1])
        _, values = await scrape(served)
        for seed, name in [(1, "visible"), (2, "background"), (3, "user")]:
            assert values["tellsign_queue_pictures", name] == 1
            assert values["tellsign_queue_bytes", name] == len(picture(seed))
        gated.open()
        await asyncio.gather(*checks)
        _, values = await scrape(served)
        assert values["tellsign_queue_pictures", "user"] == 0


async def test_no_content_and_no_secrets(
    served: Served, tmp_path: Path, detector: Detector
) -> None:
    await served.ask("POST", "/v1/check?x=secret-query", with_prompt())
    await served.ask("GET", "/v1/secret-path")
    await served.ask("GET", "/v1/model", headers={"Authorization": "Bearer secret-token"})
    text, _ = await scrape(served)
    tokens = [served.token, served.daemon.keys.control, served.daemon.keys.clients._clients[0].id]
    for secret in [
        *tokens,
        PROMPT,
        digest(with_prompt()),
        "secret",
        str(tmp_path),
        str(Path.home()),
    ]:
        assert secret not in text
    async with serve(tmp_path / "other", LoadedShelf(detector)) as other:
        assert ("tellsign_verdicts_total", "none") not in (await scrape(other))[1]
