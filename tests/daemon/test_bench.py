import json
import subprocess
import sys


def test_every_step_is_timed_and_a_daemon_asked() -> None:
    command = [sys.executable, "-m", "tellsign", "bench", "--seconds", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["engine"]["device"]
    assert len(result["pictures"]) == 3
    for rows in result["pictures"].values():
        timed = [row for row in rows.values() if isinstance(row, dict)]
        assert len(timed) == 8
        assert all(0 < row["p50_ms"] <= row["p95_ms"] for row in timed)
        assert rows["times_plain_torch"] > 0
    assert {"first_verdict_s", "seen_before"} <= set(result["daemon"])
