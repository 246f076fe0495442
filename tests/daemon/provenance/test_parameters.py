"""Each generator's parameters, as it writes them."""

import json
from typing import Any

import pytest
from PIL import Image

from . import making
from .conftest import Read

UUID = "0f4e7ad2-5c1b-4c7e-9d0a-3b2c1d0e9f8a"


def details(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    entry = found["generator_parameters"]
    assert (entry["declares_ai"], entry["valid"], entry["trusted"]) == (True, None, None)
    return dict(entry["details"])


def user_comment(text: str, order: str) -> bytes:
    return making.exif({}, {0x9286: b"UNICODE\0" + text.encode(order)})


@pytest.mark.parametrize("place", ["PNG", "utf-16-le", "utf-16-be", "WebP", "AVIF", "comment"])
def test_automatic1111(place: str, read: Read) -> None:
    text, format = making.INFOTEXT, "JPEG"
    if place == "PNG":
        data, format = making.with_texts(parameters=text), "PNG"
    elif place == "comment":
        data = making.with_segments(making.plain(), making.segment(0xFE, text.encode()))
    elif place in ("WebP", "AVIF"):
        format = place.upper()
        data = making.plain(format, exif=b"Exif\0\0" + user_comment(text, "utf-16-be"))
    else:
        data = making.with_exif(making.plain(), user_comment(text, place))
    found = details(read(data, format))
    assert found["where"]
    del found["where"]
    assert found == {
        "tool": "AUTOMATIC1111 v1.9.4", "prompt": "a fox, oil", "negative_prompt": "blurry",
        "model": "fox_v1", "sampler": "Euler a", "seed": "18446744073709551615", "steps": "20",
        "cfg_scale": "7", "size": "512x768",
        "settings": {"Lora hashes": "a: 1, b: 2", "Version": "v1.9.4"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("version", "tool"),
    [
        ("Version: f2.0.1v1.10.1", "Stable Diffusion WebUI Forge f2.0.1v1.10.1"),
        ("App: SD.Next, Version: 3226acd", "SD.Next"),
        ("Version: Fooocus v2.5.0", "Fooocus v2.5.0"),
        ("Version: ComfyUI", "ComfyUI"),
        ("Hires upscale: 2", "AUTOMATIC1111 or a program of its kind"),
    ],
)
def test_kin_of_automatic1111(version: str, tool: str, read: Read) -> None:
    text = making.INFOTEXT.replace("Version: v1.9.4", version) + "\nTemplate: a {animal}"
    assert details(read(making.with_texts(parameters=text), "PNG"))["tool"] == tool


@pytest.mark.parametrize("text", ["Steps: 3", "Steps: many, Colour: red", "Size: 3x3, Seed: 2", ""])
def test_no_parameters(text: str, read: Read) -> None:
    assert read(making.with_texts(parameters=text), "PNG") == {}


def test_comfyui_prompt(read: Read) -> None:
    data = making.with_texts(prompt=making.comfyui(), workflow='{"nodes": []}')
    assert details(read(data, "PNG")) == {
        "tool": "ComfyUI", "where": "PNG tEXt “prompt”", "prompt": "a fox",
        "negative_prompt": "bad", "model": "fox.ckpt", "sampler": "euler",
        "scheduler": "normal", "seed": str(2**63), "steps": "20", "cfg_scale": "8",
        "size": "512x768", "settings": {"nodes": "7"},
    }  # fmt: skip


def test_comfyui_in_webp(read: Read) -> None:
    tags = making.exif({0x010F: "workflow:{}", 0x0110: "prompt:" + making.comfyui()})
    data = making.plain("WEBP", exif=b"Exif\0\0" + tags)
    found = read(data, "WEBP")
    assert details(found)["model"] == "fox.ckpt"
    assert "capture" not in found


def test_comfyui_workflow(read: Read) -> None:
    nodes = [
        {"type": "KSampler", "widgets_values": [5, "fixed", 20, 7.5, "euler", "normal", 1]},
        {"type": "CLIPTextEncode", "widgets_values": ["a fox"]},
        {"type": "CheckpointLoaderSimple", "widgets_values": ["fox.safetensors"]},
    ]
    found = details(read(making.with_texts(workflow=json.dumps({"nodes": nodes})), "PNG"))
    assert (found["model"], found["prompt"]) == ("fox.safetensors", "a fox")
    assert (found["seed"], found["sampler"], found["cfg_scale"]) == ("5", "euler", "7.5")


def test_novelai(read: Read) -> None:
    comment = {"uc": "bad", "sampler": "k_euler", "seed": 7, "steps": 28, "scale": 5.0,
               "width": 832, "height": 1216}  # fmt: skip
    data = making.with_texts(
        Title="AI generated image", Description="a fox", Software="NovelAI",
        Source="Stable Diffusion XL 9CC2F394", Comment=json.dumps(comment),
    )  # fmt: skip
    found = details(read(data, "PNG"))
    assert (found["tool"], found["prompt"], found["size"]) == ("NovelAI", "a fox", "832x1216")
    assert found["model"] == "Stable Diffusion XL 9CC2F394"


@pytest.mark.parametrize(
    "texts",
    [
        {"invokeai_metadata": json.dumps({
            "app_version": "4.2", "positive_prompt": "a fox", "seed": 7, "width": 8, "height": 9,
            "model": {"name": "fox"}, "scheduler": "euler"})},
        {"sd-metadata": json.dumps({
            "model_weights": "fox", "image": {"prompt": [{"prompt": "a fox", "weight": 1}],
                                              "seed": 7, "sampler": "euler"}})},
        {"Dream": '"a fox" -s 50 -S 7 -W 512 -H 512'},
    ],
)  # fmt: skip
def test_invokeai(texts: dict[str, str], read: Read) -> None:
    found = details(read(making.with_texts(**texts), "PNG"))
    assert found["tool"].startswith("InvokeAI")
    assert "a fox" in found["prompt"]


def test_fooocus_and_swarmui(read: Read) -> None:
    own = {"prompt": "a fox", "base_model": "fox", "seed": "7", "version": "Fooocus v2.5.0"}
    found = details(read(making.with_texts(parameters=json.dumps(own)), "PNG"))
    assert (found["tool"], found["model"]) == ("Fooocus v2.5.0", "fox")
    swarm = {"sui_image_params": {"prompt": "a fox", "model": "fox", "cfgscale": 7, "width": 8,
                                  "height": 8, "swarm_version": "0.9"}}  # fmt: skip
    found = details(read(making.with_texts(parameters=json.dumps(swarm)), "PNG"))
    assert (found["tool"], found["size"]) == ("SwarmUI 0.9", "8x8")


def test_draw_things(read: Read) -> None:
    values = json.dumps({"c": "a fox", "uc": "bad", "model": "fox", "seed": 7, "sampler": "DDIM"})
    escaped = values.replace('"', "&quot;")
    packet = making.xmp(
        f"<exif:UserComment><rdf:Alt><rdf:li>{escaped}</rdf:li></rdf:Alt></exif:UserComment>",
        xmp_CreatorTool="Draw Things",
    )
    found = details(read(making.with_xmp(making.plain(), packet)))
    assert (found["tool"], found["prompt"], found["model"]) == ("Draw Things", "a fox", "fox")


@pytest.mark.parametrize("place", ["PNG", "EXIF", "XMP"])
def test_midjourney(place: str, read: Read) -> None:
    text, format = f"a fox --ar 3:2 --v 6.1 --seed 9 Job ID: {UUID}", "JPEG"
    if place == "PNG":
        data, format = making.with_texts(Description=text, Author="somebody"), "PNG"
    elif place == "EXIF":
        data = making.with_exif(making.plain(), making.exif({0x010E: text}))
    else:
        data = making.with_xmp(making.plain(), making.xmp(dc_description=text))
    found = details(read(data, format))
    assert found["tool"] == "Midjourney 6.1"
    assert found["prompt"] == "a fox --ar 3:2 --v 6.1 --seed 9"
    assert found["settings"]["job"] == UUID


@pytest.mark.parametrize(
    ("description", "is_one"),
    [
        ("DALL·E 2023-10-10 11.22.33 - a fox", True), ("DALL-E 3", False),
        ("A study of DALL·E 2023-10-10", False), ("DALL-E: how it works", False),
    ],
)  # fmt: skip
def test_dalle(description: str, is_one: bool, read: Read) -> None:
    found = read(making.with_texts(Title=description), "PNG")
    assert ("generator_parameters" in found) is is_one


@pytest.mark.parametrize(
    ("program", "is_one"),
    [("Midjourney", True), ("Adobe Firefly 2", True), ("stable diffusion", True),
     ("Adobe Photoshop 25.3", False), ("A viewer for Midjourney", False)],
)  # fmt: skip
def test_a_generator_by_its_name(program: str, is_one: bool, read: Read) -> None:
    found = read(making.with_exif(making.plain(), making.exif({0x0131: program})))
    assert ("generator_parameters" in found) is is_one
    assert program in str(found)


DEEP = "[" * 100_000
HOSTILE = [
    {"prompt": DEEP}, {"prompt": '{"a":' * 50_000}, {"prompt": "[]"}, {"prompt": "{"},
    {"prompt": json.dumps({"1": {"class_type": "x", "inputs": {"positive": ["1", 0], "seed": 1}}})},
    {"prompt": json.dumps({"1": {"class_type": 3, "inputs": []}})},
    {"prompt": making.comfyui(seed=["3", 0], positive=["3", 0])},
    {"prompt": making.comfyui(seed=float("nan"), positive=[[], {}], steps=True, cfg=None)},
    {"prompt": '{"1": {"class_type": "K", "inputs": {"seed": 1' + "0" * 5000 + "}}}"},
    {"prompt": making.comfyui(negative=[10**400, 0])},
    {"parameters": "Steps: 1, " + "Seed: " * 100_000}, {"parameters": "\nSteps: " * 100_000},
    {"parameters": '{"sui_image_params": {"width": true, "height": "x"}}'},
    {"invokeai_metadata": '{"image": 3, "model": []}'},
    {"sd-metadata": '{"image": {"prompt": {}}}'},
    {"Software": "NovelAI", "Comment": DEEP}, {"parameters": '{"version": {}, "base_model": []}'},
    {"Description": "Job ID: " * 100_000}, {"Description": " --a b" * 100_000 + f"Job ID: {UUID}"},
    {"workflow": '{"nodes": [{"type": "KSampler", "widgets_values": [{}, 1, [], 2, null, "x"]}]}'},
    {"parameters": making.INFOTEXT.replace("a fox", "\ud83d".encode("utf-8", "surrogatepass")
                                           .decode("latin-1"))},
]  # fmt: skip


@pytest.mark.parametrize("texts", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts(texts: dict[str, str], read: Read) -> None:
    """Whatever is in them, an answer comes that can be written as JSON and as UTF-8."""
    found = read(making.with_texts(**texts), "PNG")
    written = json.dumps(found, ensure_ascii=False, allow_nan=False)
    assert len(written.encode()) < 30_000


def test_as_many_entries_as_generators(read: Read) -> None:
    """A program that writes its own form and another's gets an entry for each."""
    from tellsign import provenance

    data = making.with_texts(prompt=making.comfyui(), parameters=making.INFOTEXT)
    tools = [entry.details["tool"] for entry in provenance.read(data, "PNG")]
    assert tools == ["ComfyUI", "AUTOMATIC1111 v1.9.4"]


def test_pixels_without_a_watermark(read: Read) -> None:
    assert read(making.plain(), image=Image.new("RGB", (64, 64))) == {}
