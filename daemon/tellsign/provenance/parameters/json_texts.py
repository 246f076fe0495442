"""Generators that write their parameters as JSON: InvokeAI, NovelAI, Fooocus, SwarmUI, Draw
Things."""

from typing import Any

from tellsign.provenance import exif
from tellsign.provenance.evidence import Evidence
from tellsign.provenance.parameters.sources import Sources, found, parsed

Values = dict[str, Any]


def invokeai(sources: Sources) -> list[Evidence]:
    """InvokeAI 3 and later `invokeai_metadata`, 2 `sd-metadata`, 1 `Dream`; a graph alone is
    `invokeai_graph` (its docs, "Image Metadata")."""
    for key in ("invokeai_metadata", "sd-metadata", "invokeai_graph", "invokeai_workflow"):
        values = parsed(sources.text(key))
        if not values:
            continue
        image = values.get("image") if isinstance(values.get("image"), dict) else values
        assert isinstance(image, dict)
        model = values.get("model", values.get("model_weights"))
        if isinstance(model, dict):
            model = model.get("name", model.get("model_name"))
        return [
            found(
                f"InvokeAI {values.get('app_version', '')}", sources.texts[key].where,
                prompt=image.get("positive_prompt") or _prompts(image.get("prompt")),
                negative=image.get("negative_prompt"), model=model,
                sampler=image.get("scheduler", image.get("sampler")), seed=image.get("seed"),
                steps=image.get("steps"), cfg_scale=image.get("cfg_scale"), size=_size(image),
            )
        ]  # fmt: skip
    dream = sources.text("Dream")
    if " -S" in dream or " -s " in dream:
        return [found("InvokeAI", sources.texts["Dream"].where, prompt=dream)]
    return []


def _prompts(value: Any) -> Any:
    """InvokeAI 2's list of weighted prompts as one text."""
    if not isinstance(value, list):
        return value
    texts = [part.get("prompt") for part in value[:20] if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def novelai(sources: Sources) -> list[Evidence]:
    """NovelAI: PNG texts Software, Source (the model), Description (the prompt) and Comment."""
    if not sources.text("Software").startswith("NovelAI"):
        return []
    values = parsed(sources.text("Comment"))
    return [
        found(
            "NovelAI", sources.texts["Software"].where,
            prompt=sources.text("Description") or values.get("prompt"),
            negative=values.get("uc"), model=sources.text("Source"),
            sampler=values.get("sampler"), seed=values.get("seed"), steps=values.get("steps"),
            cfg_scale=values.get("scale"), size=_size(values),
        )
    ]  # fmt: skip


def fooocus(sources: Sources) -> list[Evidence]:
    """Fooocus' own scheme: JSON with the names of its interface; its other scheme is A1111's."""
    for where, text in sources.infotexts():
        values = parsed(text)
        named = str(values.get("version", "")).startswith("Fooocus")
        if named or "base_model" in values or values.get("metadata_scheme") == "fooocus":
            return [
                found(
                    values.get("version") or "Fooocus", where, prompt=values.get("prompt"),
                    negative=values.get("negative_prompt"), model=values.get("base_model"),
                    sampler=values.get("sampler"), scheduler=values.get("scheduler"),
                    seed=values.get("seed"), steps=values.get("steps"),
                    cfg_scale=values.get("guidance_scale"), size=values.get("resolution"),
                )
            ]  # fmt: skip
    if sources.exif.text(exif.SOFTWARE).startswith("Fooocus"):
        return [found(sources.exif.text(exif.SOFTWARE), "EXIF Software")]
    return []


def swarmui(sources: Sources) -> list[Evidence]:
    """SwarmUI: JSON with `sui_image_params` (its docs, "Image Metadata Format")."""
    for where, text in sources.infotexts():
        values = parsed(text).get("sui_image_params")
        if isinstance(values, dict):
            return [
                found(
                    f"SwarmUI {values.get('swarm_version', '')}", where,
                    prompt=values.get("prompt"), negative=values.get("negativeprompt"),
                    model=values.get("model"), sampler=values.get("sampler"),
                    scheduler=values.get("scheduler"), seed=values.get("seed"),
                    steps=values.get("steps"), cfg_scale=values.get("cfgscale"),
                    size=_size(values),
                )
            ]  # fmt: skip
    return []


def draw_things(sources: Sources) -> list[Evidence]:
    """Draw Things: JSON in XMP's exif:UserComment, with `c` for the prompt and `uc` for its
    negative."""
    values = parsed(sources.xmp_value("exif:UserComment"))
    named = sources.xmp_value("xmp:CreatorTool").startswith("Draw Things")
    if not named and not {"c", "sampler", "seed"} <= set(values):
        return []
    return [
        found(
            "Draw Things", "XMP exif:UserComment",
            prompt=values.get("c") or sources.xmp_value("dc:description"),
            negative=values.get("uc"), model=values.get("model"), sampler=values.get("sampler"),
            seed=values.get("seed"), steps=values.get("steps"), cfg_scale=values.get("scale"),
            size=values.get("size"),
        )
    ]  # fmt: skip


def _size(values: Values) -> str:
    width, height = values.get("width"), values.get("height")
    if not isinstance(width, int) or not isinstance(height, int) or max(width, height) > 10**6:
        return ""
    return f"{width}x{height}"
