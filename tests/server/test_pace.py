"""The pace by a clock that stands still until it is told to go on."""

import pytest

from tellsign.server.pace import FIRST, LONGEST, OVER, Pace


def test_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("tellsign.server.pace.time.perf_counter", lambda: now)
    pace = Pace()
    assert pace.seconds(3, now) == 3 * FIRST
    start = now
    for pictures in (1, 8, 2, 5, 8):  # in batches
        now += 0.25 * pictures
        pace.answered(start, pictures)
    usual = pace.seconds(1, now)
    assert usual == pytest.approx(0.25)
    now += 1000  # with nothing to do
    assert pace.seconds(4, now) == 4 * usual
    start = now
    now += 5  # with something, of which no answer comes
    overdue = pace.seconds(1, start)
    assert overdue == pytest.approx(usual + (5 - usual) / OVER)
    pace.answered(start)
    assert pace.seconds(1, now) == pytest.approx(overdue)
    start = now
    now += 3600  # asleep
    pace.answered(start)
    assert pace.seconds(1, now) < overdue + LONGEST / OVER
