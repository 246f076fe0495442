"""The pace by a clock that stands still until it is told to go on."""

import pytest

from tellsign.server.pace import FIRST, OVER, Pace


def test_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("tellsign.server.pace.time.perf_counter", lambda: now)
    pace = Pace()
    assert pace.seconds(3, now) == 3 * FIRST
    start = now
    for _ in range(2 * OVER):  # batches of two
        now += 0.5
        pace.answered(start)
        pace.answered(start)
    usual = pace.seconds(1, now)
    assert usual == pytest.approx(0.25, rel=0.1)
    now += 1000  # with nothing to do
    assert pace.seconds(4, now) == 4 * usual
    start = now
    now += 5  # with something, of which no answer comes
    overdue = pace.seconds(1, start)
    assert overdue == pytest.approx(usual + (5 - usual) / OVER)
    pace.answered(start)
    assert pace.seconds(1, now) == pytest.approx(overdue)
