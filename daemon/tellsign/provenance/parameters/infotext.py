"""The text of AUTOMATIC1111's web UI and its kin: Forge, SD.Next, Fooocus, Easy Diffusion and what
writes for Civitai.

Prompt, "Negative prompt: …", and a line of "Steps: 20, Sampler: Euler a, Seed: 1, …", as
`parse_generation_parameters` in AUTOMATIC1111/stable-diffusion-webui reads it.
"""

from tellsign.provenance.evidence import Evidence
from tellsign.provenance.parameters.sources import Sources, found

NEGATIVE = "Negative prompt:"
MAX_LINE = 16_384
SIGNS = ("Sampler", "Seed", "CFG scale", "Model", "Size", "Scheduler")
"""Beside the steps, at least two of these make a line one of parameters."""
MAIN = {
    "sampler": "Sampler",
    "scheduler": "Schedule type",
    "seed": "Seed",
    "steps": "Steps",
    "cfg_scale": "CFG scale",
    "size": "Size",
}


def read(sources: Sources) -> list[Evidence]:
    for where, text in sources.infotexts():
        prompts, _, last = ("\n" + text).rpartition("\nSteps: ")
        settings = fields("Steps: " + last.partition("\n")[0][:MAX_LINE])
        if sum(sign in settings for sign in SIGNS) < 2:
            continue
        prompt, _, negative = prompts.partition(NEGATIVE)
        main = {name: settings.pop(key, "") for name, key in MAIN.items()}
        model = settings.pop("Model", "")
        return [
            found(
                _tool(settings), where, prompt=prompt, negative=negative, model=model,
                settings=settings, **main,
            )
        ]  # fmt: skip
    return []


def fields(line: str) -> dict[str, str]:
    """The settings of a line, by name; commas inside quotes and brackets part nothing."""
    result = {}
    for part in _parts(line):
        name, colon, value = part.partition(":")
        if colon and 0 < len(name.strip()) <= 60:
            result[name.strip()] = value.strip().strip('"')
    return result


def _parts(line: str) -> list[str]:
    parts, start, quoted, depth = [], 0, False, 0
    for at, letter in enumerate(line):
        if letter == '"' and line[at - 1 : at] != "\\":
            quoted = not quoted
        elif not quoted and letter in "[{":
            depth += 1
        elif not quoted and letter in "]}":
            depth -= 1
        elif letter == "," and not quoted and depth <= 0:
            parts.append(line[start:at])
            start = at + 1
    return [*parts, line[start:]]


def _tool(settings: dict[str, str]) -> str:
    version = settings.get("Version", "")
    if settings.get("App"):
        return settings["App"]
    if version.startswith(("Fooocus", "ComfyUI", "InvokeAI", "SwarmUI")):
        return version
    if version.startswith(("f", "neo")):
        return f"Stable Diffusion WebUI Forge {version}"
    if version.startswith("v1."):
        return f"AUTOMATIC1111 {version}"
    return "AUTOMATIC1111 or a program of its kind"
