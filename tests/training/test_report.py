import csv
import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tellsign.models import Calibration, folder
from tellsign_training import commands_measure, cost
from tellsign_training.cli import app
from tellsign_training.data import Sample
from tellsign_training.delivery import FORMATS, TIERS
from tellsign_training.report import Measured, report, write_report
from tellsign_training.scores import Scores
from tests.conftest import saved, scene

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=y>&$\\frac$"
CALIBRATION = Calibration(-1.0, 0.0, 0.9, 0.6, "made")


class Page(HTMLParser):
    """The tags, sources and text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def made(paths: list[str], name: str, shift: float = 2.0) -> Scores:
    rng = np.random.default_rng(0)
    ai = np.arange(len(paths)) % 2 == 0
    tiers = tuple(tier.name for tier in TIERS + FORMATS)
    logits = rng.normal(shift * ai[:, None] - 1, 1, (len(paths), len(tiers)))
    return Scores(logits, tiers, ai, [name] * len(ai), [name] * len(ai), [""] * len(ai), paths)


def test_a_hostile_name_is_text_and_the_page_needs_nothing_else(tmp_path: Path) -> None:
    samples = []
    for i in range(60):
        path = tmp_path / "data" / (f"{i}{EVIL}".replace("/", "") + "\udc80")
        path.parent.mkdir(exist_ok=True)
        if i < 40:
            path.write_bytes(saved(scene(80, 70, i), "PNG"))
        samples.append(Sample(path, "test", i % 2 == 0))
    paths = [f"data/{s.path.name}" for s in samples]
    models = {
        EVIL: Measured(made(paths, EVIL), CALIBRATION),
        "_plain": Measured(made(paths, EVIL, shift=0.5), CALIBRATION),
    }
    found = report(models, EVIL, EVIL, leaks=[EVIL], shortcut_auc=0.7)
    write_report(found, models, samples, tmp_path / "out")
    page = Page(tmp_path / "out" / "report.html")
    assert "script" not in page.tags
    assert page.text.count(EVIL) > 10
    assert "Leak check: failed" in page.text
    assert "over the limit" in page.text
    assert all(link.startswith("data:image/") for link in page.links)
    assert sum(link.startswith("data:image/jpeg") for link in page.links) > 4
    assert len((tmp_path / "out" / "report.html").read_bytes()) < 1_000_000
    saved_report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert saved_report == found


@pytest.mark.parametrize(
    ("leaks", "auc", "says"),
    [(None, None, "Leak check: not run"), ([], 0.52, "Leak check: passed")],
)
def test_the_page_says_what_was_checked(tmp_path: Path, leaks, auc, says: str) -> None:
    models = {"m": Measured(made([f"a/{i}" for i in range(40)], "g"), CALIBRATION)}
    write_report(report(models, "made", "test", leaks, auc), models, [], tmp_path)
    text = Page(tmp_path / "report.html").text
    assert says in text
    assert ("Shortcut probe: not run" in text) == (auc is None)
    assert "over the limit" not in text


def test_two_models_are_measured_by_one_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands_measure, "WORKERS", 1)
    monkeypatch.setattr(cost, "SECONDS", 0.0)
    rows = []
    for i in range(12):
        (tmp_path / f"{i}.png").write_bytes(saved(scene(240, 230 + i, i), "PNG"))
        rows.append([f"{i}.png", "test", "ai" if i % 2 else "real", "made"])
    manifest = tmp_path / "data.csv"
    with manifest.open("w", newline="") as file:
        csv.writer(file).writerows([["path", "split", "label", "generator"], *rows])
    models = [str(shutil.copytree(folder("levit-128s"), tmp_path / n / "levit")) for n in "ab"]
    out = tmp_path / "out"
    command = ["evaluate", *models, "--data", str(manifest), "--out", str(out)]
    first = CliRunner().invoke(app, command)
    assert first.exit_code == 0, first.output
    assert len(list((out / "scores").iterdir())) == 2
    found = json.loads((out / "report.json").read_text("utf-8"))["models"]
    assert list(found) == ["levit", "levit (2)"]
    one, two = found.values()
    assert one["tiers"] == two["tiers"]
    assert list(one["tiers"]) == [tier.name for tier in TIERS + FORMATS]
    assert one["cost"]["parameters"] == 7011171
    # 0.305 GMACs are the paper's for one view without its classifier (Graham et al., 2021).
    assert one["cost"]["gmacs"] / one["cost"]["views"] == pytest.approx(0.305, rel=0.05)
    assert "| clean |" in first.output

    for i in range(12):  # all scores are kept: the pictures are not needed any more
        (tmp_path / f"{i}.png").unlink()
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0, again.output
    assert (
        json.loads((out / "report.json").read_text("utf-8"))["models"]["levit"]["tiers"]
        == (one["tiers"])
    )

    refused = CliRunner().invoke(app, [*command, "--scores", "x.csv"])
    assert refused.exit_code == 2
    refused = CliRunner().invoke(app, [*command[:2], "--data", "no.csv", "--out", str(out)])
    assert refused.exit_code == 2
