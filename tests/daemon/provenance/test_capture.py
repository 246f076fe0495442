"""Cameras are shown as what a file names, never as a proof."""

import pytest

from . import making
from .conftest import Read


def test_a_camera(read: Read) -> None:
    tags = making.exif(
        {0x010F: "Canon\0\0", 0x0110: "Canon EOS 70D", 0x0131: "A program 2"},
        {0x829A: 0.004, 0x829D: 8.0, 0x8827: 100, 0x9003: "2015:05:27 13:38:06", 0x920A: 11.0},
    )
    found = read(making.with_exif(making.plain(), tags))
    assert set(found) == {"capture"}  # the program is told with the camera
    entry = found["capture"]
    assert (entry["declares_ai"], entry["valid"], entry["trusted"]) == (False, None, None)
    assert entry["details"] == {
        "camera": "Canon EOS 70D", "make": "Canon", "model": "Canon EOS 70D",
        "taken": "2015:05:27 13:38:06", "exposure_seconds": 0.004, "f_number": 8.0, "iso": 100.0,
        "focal_length_mm": 11.0, "software": "A program 2", "signed": False,
    }  # fmt: skip
    assert "doesn't show that the picture is real" in entry["summary"]


@pytest.mark.parametrize("names", [{}, {0x010F: "Canon", 0x0110: "A scanner"}])
def test_a_name_without_a_capture_is_no_camera(names: dict[int, str], read: Read) -> None:
    assert read(making.with_exif(making.plain(), making.exif(names))) == {}


def test_a_camera_beside_a_declaration(read: Read) -> None:
    """Capture evidence takes nothing from a declaration of AI."""
    tags = making.exif({0x010F: "Canon", 0x0110: "EOS"}, {0x829D: 8.0})
    packet = making.xmp(Iptc4xmpExt_DigitalSourceType=making.AI)
    found = read(making.with_xmp(making.with_exif(making.plain(), tags), packet))
    assert found["iptc"]["declares_ai"]
    assert found["capture"]["details"]["camera"] == "Canon EOS"


@pytest.mark.parametrize("value", [0.0, float(2**32 - 1)])
def test_impossible_settings_are_left_out(value: float, read: Read) -> None:
    tags = making.exif({0x010F: "Canon", 0x0110: "EOS"}, {0x829D: value, 0x8827: 100})
    assert "f_number" not in read(making.with_exif(making.plain(), tags))["capture"]["details"]
