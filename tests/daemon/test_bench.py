import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tellsign.bench.decoders import decoders, resizers
from tests.conftest import saved, scene


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


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_the_decoders_that_are_compared_give_equal_pixels(format: str) -> None:
    image = scene(640, 800)
    found = {name: way() for name, way in decoders(saved(image, format)).items()}
    for name, pixels in found.items():
        if "draft" in name:
            assert pixels.shape == (400, 320, 3)
        else:
            assert np.abs(pixels.astype(int) - found["Pillow"]).max() <= 2, name
    exact = np.asarray(image.resize((410, 512), Image.Resampling.LANCZOS)).astype(int)
    for name, way in resizers(np.asarray(image)).items():
        assert way().shape == (512, 410, 3)
        assert np.abs(way() - exact).mean() < 3, name
