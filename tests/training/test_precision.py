import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tellsign.detector import Detector
from tellsign.engines.openvino import able
from tellsign.models import Calibration, ModelFolder, folder
from tellsign.settings import DEFAULT_MODEL
from tellsign_training.cli import app
from tellsign_training.precision import flipped
from tellsign_training.scores import Scores

CALIBRATION = Calibration(a=-1.0, b=0.0, suspected=0.9, unsure=0.5, version="v")


def test_every_other_verdict_counts() -> None:
    known = [["p"] * 3] * 4
    exact = Scores(np.array([[-1.0, 1], [1, 3], [3, -3]]), ("a", "b"), np.ones(3, bool), *known)
    lower = replace(exact, logits=np.array([[-1.1, -0.1], [2.9, 3], [3, -3]]))
    found = flipped(exact, lower, CALIBRATION)
    assert (found["flipped"], found["verdicts"]) == (2, 6)
    assert found["logits_off"]["most"] == pytest.approx(1.9)
    assert flipped(exact, exact, CALIBRATION)["flipped"] == 0
    with pytest.raises(ValueError, match="different pictures"):
        flipped(exact, replace(lower, path=["q"] * 3), CALIBRATION)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TELLSIGN_CACHE", str(tmp_path / "cache"))
    return shutil.copytree(folder(DEFAULT_MODEL), tmp_path / "model")


def test_a_lower_precision_is_used_once_it_is_measured(manifest: Path, model: Path) -> None:
    command = ["precision", str(model), "--data", str(manifest), "--split", "val"]
    refused = CliRunner().invoke(app, [*command, "--precision", "f8"])
    assert refused.exit_code == 2
    assert "f8" in refused.output
    if not able("bf16"):
        pytest.skip("this CPU has no bfloat16")
    done = CliRunner().invoke(app, command)
    flips = json.loads(done.output[done.output.index("{") : done.output.index("}\n}") + 3])
    assert flips["verdicts"] == 4 * 4
    few = flips["share"]["value"] <= 0.005
    assert done.exit_code == (0 if few else 2)
    assert ModelFolder(model).precision == ("bf16" if few else "f32")
    if few:
        detector = Detector(ModelFolder(model))
        assert detector.engine.precision == "bf16"
