import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tellsign.demo.browsers import BrowserError, find
from tellsign.demo.command import WIDTH, DemoError, own_posts, sample_posts
from tests.conftest import saved, scene

SUSPECTED, DECLARED = (179, 18, 29), (11, 92, 115)
"""The colours of the two badges."""


def browsers() -> list[str]:
    found = []
    for kind in ("chromium", "firefox"):
        try:
            found.append(find(kind).kind)
        except BrowserError:
            continue
    return found


@pytest.mark.parametrize("kind", ["chromium", "firefox"])
def test_the_demo_ends_with_a_table_and_a_screenshot(kind: str, tmp_path: Path) -> None:
    if kind not in browsers():
        pytest.skip(f"{kind} is not installed")
    shot = tmp_path / "shot.png"
    command = [sys.executable, "-m", "tellsign", "demo", "--headless", "--browser", kind]
    done = subprocess.run(
        [*command, "--screenshot", shot],
        env=os.environ | {"COLUMNS": "140"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    names = [post.path.name for post in sample_posts()]
    rows = {name: next(line for line in lines if name in line) for name in names}
    assert "Suspected AI" in rows["ai-rocket.jpg"]
    assert "Declares AI" in rows["ai-coffee.jpg"]
    # Hardly unsure, here; of which no badge is shown.
    assert not rows.pop("real-astronaut.jpg").startswith("Suspected AI")
    for name, row in rows.items():
        assert name.startswith("ai-") or row.startswith("No sign found"), row
    with Image.open(shot) as image:
        assert image.width == WIDTH
        colours = image.convert("RGB").getcolors(1 << 24) or []
    assert len(colours) > 5000  # the pictures are there
    painted = {colour: count for count, colour in colours}
    assert painted.get(SUSPECTED, 0) > 300
    assert painted.get(DECLARED, 0) > 300


def test_samples_say_what_they_are() -> None:
    posts = sample_posts()
    assert len(posts) >= 6
    for post in posts:
        assert post.path.is_file()
        assert ("redrawn" in post.truth) == post.path.name.startswith("ai-")
        assert "public domain" in post.truth or "CC0" in post.truth or "restrictions" in post.truth


def test_own_pictures(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="no picture"):
        own_posts(tmp_path)
    (tmp_path / "b.PNG").write_bytes(saved(scene(), "PNG"))
    (tmp_path / "a.jpg").write_bytes(saved(scene(), "JPEG"))
    (tmp_path / "notes.json").write_text(json.dumps({}))
    assert [post.path.name for post in own_posts(tmp_path)] == ["a.jpg", "b.PNG"]


def test_no_browser_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BrowserError, match="Install Chromium or Firefox"):
        find("chromium")
