import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tellsign.detector import Detector
from tellsign.models import folder
from tellsign.models.folder import ModelFolder
from tellsign.settings import DEFAULT_MODEL
from tellsign.views import ViewPlan, views
from tellsign_training import choose
from tellsign_training.choose import Tried, candidates, chosen
from tellsign_training.cli import app
from tellsign_training.data import read_manifest
from tellsign_training.delivery import TIERS, deliver
from tests.conftest import scene


def test_every_plan_reads_just_its_own_views() -> None:
    plans = candidates(ViewPlan())
    for image in (scene(900, 700), scene(260, 1500)):
        crops, members = choose._shared(image, plans)
        assert len(crops) < sum(map(len, members.values())) / 2  # shared, not cut again
        for plan in plans:
            assert (crops[members[plan]] == views(image, plan)).all()


def test_the_cheapest_of_the_good_ones() -> None:
    found = [
        Tried(ViewPlan(crops=9), 0.900, 0.5, 10.0),
        Tried(ViewPlan(crops=4), 0.899, 0.5, 5.0),
        Tried(ViewPlan(crops=1), 0.850, 0.6, 1.0),
    ]
    assert chosen(found).plan.crops == 4


def test_the_choice_stands_in_the_folder(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "LONG_SIDES", (512,))
    monkeypatch.setattr(choose, "CROPS", (1, 4))
    model = tmp_path / "model"
    shutil.copytree(folder(DEFAULT_MODEL), model)
    done = CliRunner().invoke(app, ["choose", str(model), "--data", str(manifest)])
    assert done.exit_code == 0, done.output
    plan = ModelFolder(model).plan
    assert plan.long_side == 512
    assert plan in candidates(plan)
    assert json.loads((model / "config.json").read_text())["views"] == plan.as_dict()

    found = {t.plan: t for t in choose.tried(Detector.load(model), _val(manifest), 2)}
    detector = Detector.load(model)
    logits = {True: [], False: []}
    for sample in _val(manifest):
        image, _ = choose.load(sample)
        crops = [views(deliver(image, tier), plan) for tier in TIERS]
        logits[sample.ai].append(detector.score(crops))
    ai, real = (np.array(logits[kind]) for kind in (True, False))
    auc = (ai[:, None] > real[None]).mean((0, 1)).mean()
    assert found[plan].auc == pytest.approx(auc)


def _val(manifest: Path) -> list[choose.Sample]:
    return read_manifest(manifest, "val")
