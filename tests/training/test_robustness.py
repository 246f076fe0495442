import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tellsign.engines.torch import TorchEngine
from tellsign.models import ModelFolder, folder
from tellsign.settings import DEFAULT_MODEL
from tellsign.views import views
from tellsign_training.cli import app
from tellsign_training.robustness import ATTACKS, CHANGES, STEPS, attacked
from tests.conftest import scene


@pytest.fixture(scope="module")
def engine() -> TorchEngine:
    model = ModelFolder(folder(DEFAULT_MODEL))
    return TorchEngine(model.network().requires_grad_(False), model.mean, model.std, "cpu")


@pytest.mark.parametrize("ai", [True, False])
def test_an_attack_goes_the_wrong_way_and_more_steps_go_further(
    engine: TorchEngine, ai: bool
) -> None:
    crops = views(scene(400, 300), ModelFolder(folder(DEFAULT_MODEL)).plan)
    before = float(engine.logits(crops).mean())
    worse = [attacked(engine, crops, ai, epsilon, STEPS) for epsilon in (0, 1, 2)]
    once = attacked(engine, crops, ai, 2, 1)
    towards = -1 if ai else 1
    assert worse[0] == pytest.approx(before, abs=1e-3)
    assert 0 < towards * (once - before) < towards * (worse[2] - before)
    assert towards * (worse[1] - before) < towards * (worse[2] - before)


def test_an_attack_stays_within_its_bounds(engine: TorchEngine) -> None:
    """Also where a value can't go further: black and white pixels stay values of a picture."""
    seen: list[torch.Tensor] = []
    hook = engine.network.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()))
    crops = np.zeros((1, 224, 224, 3), np.uint8)
    crops[:, :, 112:] = 255
    attacked(engine, crops, True, 2, STEPS)
    hook.remove()
    black, white = (engine.tensor(np.full_like(crops, level)) for level in (0, 255))
    off = (torch.stack(seen) - engine.tensor(crops)).abs() / (white - black) * 255
    assert len(seen) == STEPS + 1
    assert off.max() == pytest.approx(2, abs=1e-3)
    assert (torch.stack(seen) >= black - 1e-4).all()
    assert (torch.stack(seen) <= white + 1e-4).all()


def test_the_table_names_every_change_and_attack(manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    model = str(folder(DEFAULT_MODEL))
    command = ["robustness", model, "--data", str(manifest), "--split", "val", "--out", str(out)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    found = json.loads(out.read_text("utf-8"))
    assert found["pictures"] == 4
    assert list(found["figures"]) == [*CHANGES, *ATTACKS]
    assert all(name in done.output for name in found["figures"])
    figures = found["figures"]
    assert figures["PGD 2/255"]["auc"]["value"] <= figures["none"]["auc"]["value"]
