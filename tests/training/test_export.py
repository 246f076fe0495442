import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from tellsign.models.folder import ModelFolder
from tellsign_training import journal
from tellsign_training.cli import app
from tellsign_training.cost import cost
from tellsign_training.networks import build
from tellsign_training.recipe import read_recipe


def test_what_the_training_took_goes_with_the_model(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    torch.manual_seed(0)
    save_file(build(read_recipe("lenet5"), scratch=True).state_dict(), run / "best.safetensors")
    (tmp_path / "card.md").write_text("# A card\n")
    command = ["export", "lenet5", "--weights", str(run / "best.safetensors")]
    command += ["--card", str(tmp_path / "card.md"), "--out", str(tmp_path / "model")]

    assert CliRunner().invoke(app, command).exit_code == 0
    assert "training" not in ModelFolder(tmp_path / "model").config

    for epoch, hours in ((1, 0.5), (2, 1.25)):
        row = {"epoch": epoch, "val_auc": 0.6, "label": 0.7, "hours": hours, "kwh": hours / 10}
        journal.write(run, row)
    assert CliRunner().invoke(app, command).exit_code == 0
    folder = ModelFolder(tmp_path / "model")
    assert folder.config["training"] == {"hours": 1.25, "kwh": 0.125}
    assert cost(folder)["training"] == folder.config["training"]
    assert json.loads((tmp_path / "model" / "config.json").read_text())["id"] == "lenet5"

    refused = CliRunner().invoke(app, [*command[:-4], "--card", "none.md", "--out", "x"])
    assert refused.exit_code == 2
    assert "none.md" in refused.output
