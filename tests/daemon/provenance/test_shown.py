"""Evidence in `tellsign check`, in the API and beside the verdict, in which it changes nothing."""

import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tellsign.detector import Detector
from tests.conftest import saved, scene
from tests.server.conftest import LoadedShelf, serve

from . import making
from .signing import Signer

PLAIN = saved(scene(), "JPEG", quality=90)
PACKET = making.xmp(Iptc4xmpExt_DigitalSourceType=making.AI)
DECLARES = making.with_xmp(PLAIN, PACKET)
DOCUMENT = json.loads((resources.files("tellsign.server") / "openapi.json").read_text("utf-8"))
CAMERA = making.with_exif(PLAIN, making.exif({0x010F: "Canon", 0x0110: "Canon EOS"}, {0x829D: 8.0}))


def test_metadata_neither_raises_nor_lowers_the_verdict(detector: Detector) -> None:
    plain, declares, camera = map(detector.check, (PLAIN, DECLARES, CAMERA))
    for told in (declares, camera):
        for key in ("verdict", "probability", "logit", "thresholds", "reason"):
            assert told[key] == plain[key]
    assert plain["evidence"] == []
    assert [entry["declares_ai"] for entry in declares["evidence"]] == [True]
    assert [entry["kind"] for entry in camera["evidence"]] == ["capture"]
    assert plain["timings"]["provenance"] >= 0


def test_the_table(tmp_path: Path) -> None:
    names = {"plain.jpg": PLAIN, "declares.jpg": DECLARES, "camera.jpg": CAMERA}
    for name, data in names.items():
        (tmp_path / name).write_bytes(data)
    command = [sys.executable, "-m", "tellsign", "check", *sorted(names)]
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    marked = [line for line in done.stdout.splitlines() if "Declares AI" in line]
    assert ["declares.jpg" in line for line in marked] == [True]
    assert "which is not signed, says that AI made the picture." in done.stdout
    assert "names the camera Canon EOS" in done.stdout
    assert "A file that says nothing of itself means nothing" in done.stdout


@pytest.mark.parametrize("explains", [False, True])
async def test_the_api(tmp_path: Path, detector: Detector, signer: Signer, explains: bool) -> None:
    data = making.with_texts(parameters=making.INFOTEXT, prompt=making.comfyui())
    files = [(signer.sign(PLAIN), "JPEG"), (DECLARES, "JPEG"), (CAMERA, "JPEG"), (data, "PNG")]
    schema = {"$ref": "#/components/schemas/Verdict", "components": DOCUMENT["components"]}
    async with serve(tmp_path, LoadedShelf(detector)) as served:
        for file, _ in files:
            path = "/v1/explain" if explains else "/v1/check"
            status, answer = await served.ask("POST", path, file)
            assert status == 200, answer
            answer = answer["verdict"] if explains else answer
            Draft202012Validator(schema).validate(answer)
            assert answer["evidence"] == detector.check(file)["evidence"]
            assert answer["evidence"]
            assert answer["timings"]["provenance"] > 0
