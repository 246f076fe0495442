import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from tellsign.models import Calibration
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


def selected(auc: float, leaks: list[str], compared: int = 90) -> dict[str, Any]:
    """What `select` finds of the data."""
    probe = {"auc": auc, "spread": 0.1, "pictures": 90, "features": {"format": 0.5}}
    return {
        "split": "test",
        "leaks": {
            "compared": compared,
            "left_out": {"source": {"pictures": 1234, "leaks": leaks}} if leaks else {},
        },
        "shortcuts": {"as a network gets them": probe, "as stored": {"problem": EVIL}},
        "part": None,
    }


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
    found = report(models, EVIL, {**selected(0.7, [EVIL] * 300), "split": EVIL})
    write_report(found, models, samples, tmp_path / "out")
    page = Page(tmp_path / "out" / "report.html")
    assert "script" not in page.tags
    assert page.text.count(EVIL) > 10
    assert "Leak check: 1 234 pictures left out" in page.text
    assert "and 100 more, in report.json" in page.text
    assert "over the limit" in page.text
    assert all(link.startswith("data:image/") for link in page.links)
    assert sum(link.startswith("data:image/jpeg") for link in page.links) > 4
    assert len((tmp_path / "out" / "report.html").read_bytes()) < 1_000_000
    saved_report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert saved_report == found


def test_the_page_says_what_was_checked_and_what_was_measured(tmp_path: Path) -> None:
    scores = made([f"a/{i}" for i in range(40)], "g")
    models = {"m": Measured(scores, CALIBRATION)}

    def text(found: dict[str, Any]) -> str:
        write_report(report(models, "made", found), models, [], tmp_path)
        return Page(tmp_path / "report.html").text

    whole = text(selected(0.52, []))
    assert "Leak check: passed" in whole
    assert "pictures as a network gets them: AUC 0.520" in whole
    for words in ("over the limit", "A part of the data", "Not all deliveries", "takes two tiers"):
        assert words not in whole
    assert "Leak check: nothing to compare with" in text(selected(0.52, [], compared=0))

    one = scores.tiers.index("clean")
    models["m"] = Measured(
        replace(scores, logits=scores.logits[:, [one]], tiers=("clean",)),
        replace(CALIBRATION, suspected=1.0),
    )
    part = {"most": 20, "seed": 0, "of": {"ai": 1000, "real": 2000}}
    little = text({**selected(0.52, []), "part": part})
    assert "at most 20 pictures of each class, of 1 000 AI-made and 2 000 real ones" in little
    assert "Not all deliveries: clean; without web, hard, thumb, webp 70" in little
    assert little.count("no marks") == 2
    assert "takes two tiers" in little
