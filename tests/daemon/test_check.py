import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import saved, scene


def tellsign(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "tellsign", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=300)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of good and bad files, one of them misnamed and one in a folder below."""
    root = tmp_path_factory.mktemp("pictures")
    for name, format in [
        ("a.jpg", "JPEG"), ("b.png", "PNG"), ("c.webp", "WEBP"), ("d.avif", "AVIF"),
        ("e.gif", "GIF"), ("misnamed.jpg", "PNG"),
    ]:  # fmt: skip
        (root / name).write_bytes(saved(scene(), format))
    (root / "below").mkdir()
    (root / "below" / "f [b]x[b].jpeg").write_bytes(saved(scene(), "JPEG"))
    (root / "broken.jpg").write_bytes(saved(scene(), "JPEG")[:2000])
    (root / "empty.png").write_bytes(b"")
    (root / "flat.png").write_bytes(saved(Image.new("RGB", (99, 99), "teal"), "PNG"))
    (root / "notes.txt").write_text("no picture")
    return root


def test_a_folder_as_json_lines(pictures: Path) -> None:
    done = tellsign("check", pictures, "--json")
    results = {Path(r["path"]).name: r for r in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1
    assert done.stderr == b""
    good = ["a.jpg", "b.png", "c.webp", "d.avif", "e.gif", "misnamed.jpg", "f [b]x[b].jpeg"]
    for name in good:
        assert results[name]["verdict"] in ("suspected", "unsure", "none")
        assert {"path", "probability", "logit", "model", "evidence", "timings"} <= set(
            results[name]
        )
    bad = {"broken.jpg": "truncated", "empty.png": "not_an_image", "flat.png": "nothing_in_it"}
    assert {name: results[name]["error"]["code"] for name in bad} == bad
    assert set(results) == {*good, *bad}


def test_a_readable_table_and_the_exit_status(pictures: Path) -> None:
    fine = tellsign("check", pictures / "a.jpg", pictures / "below" / "f [b]x[b].jpeg")
    assert fine.returncode == 0
    text = fine.stdout.decode()
    assert "[b]x[b]" in text
    assert "JPEG 320x240" in text
    mixed = tellsign("check", pictures / "a.jpg", pictures / "gone.jpg")
    assert mixed.returncode == 1
    assert "No such file" in mixed.stdout.decode()


def test_standard_input_and_heatmap(tmp_path: Path, jpeg: bytes) -> None:
    out = tmp_path / "heat.png"
    done = tellsign("check", "-", "--json", "--heatmap", out, stdin=jpeg)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["path"] == "-"
    with Image.open(out) as heat:
        assert heat.size == (320, 240)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["a.jpg", "--model", "nothing"], "Available: clip-vit-b16, levit-128s"),
        (["a.jpg", "b.jpg", "--heatmap", "x.png"], "exactly one picture"),
        (["a.jpg", "--device", "cuda:77"], "use auto or cpu"),
    ],
)
def test_wrong_use_says_what_to_do(arguments: list[str], says: str) -> None:
    done = tellsign("check", *arguments)
    assert done.returncode == 2
    assert says in " ".join(done.stderr.decode().split())


def test_ctrl_c_keeps_what_was_found(tmp_path: Path, write) -> None:
    done = write("done.jpg", saved(scene(), "JPEG"))
    endless = tmp_path / "endless"
    os.mkfifo(endless)
    command = [sys.executable, "-m", "tellsign", "check", done, endless]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
        endless.open("wb"),  # returns once the process has come to this file
    ):
        process.send_signal(signal.SIGINT)
        shown, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert b"done.jpg" in shown
    assert errors == b"Stopped.\n"
