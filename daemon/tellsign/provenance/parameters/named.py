"""Generators that leave a description or their name: Midjourney, DALL·E and others."""

import re

from tellsign.provenance.evidence import Evidence, Kind, shown
from tellsign.provenance.parameters.sources import Sources, found

_JOB = re.compile(r"\bJob ID: ?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b", re.ASCII)
_DALLE = re.compile(r"DALL[·.-]?E(?: \d)? \d{4}-\d\d-\d\d\b")
_FLAG = re.compile(r" --(\w{1,12}) ([^\s-][^\s]{0,30})")

PROGRAMS = (
    "Adobe Firefly",
    "Black Forest Labs",
    "ComfyUI",
    "DALL-E",
    "DALL·E",
    "Draw Things",
    "DreamStudio",
    "Easy Diffusion",
    "Fooocus",
    "InvokeAI",
    "Midjourney",
    "NovelAI",
    "SD.Next",
    "Stable Diffusion",
    "SwarmUI",
)
"""What a program's name begins with that does nothing but generate."""


def midjourney(sources: Sources) -> list[Evidence]:
    """Midjourney: the prompt with its flags and "Job ID: …" as the description."""
    for where, text in sources.descriptions():
        job = _JOB.search(text)
        if job:
            prompt = text[: job.start()].strip()
            flags = dict(_FLAG.findall(prompt)[:20])
            version = flags.get("v", flags.get("niji", ""))
            return [
                found(
                    f"Midjourney {version}".strip(), where, prompt=prompt, seed=flags.get("seed"),
                    settings={"job": job[1], **flags},
                )
            ]  # fmt: skip
    return []


def dalle(sources: Sources) -> list[Evidence]:
    """DALL·E: a title or description like "DALL·E 2023-10-10 11.22.33 - the prompt"."""
    for where, text in sources.descriptions():
        if _DALLE.match(text):
            return [found("DALL·E", where, prompt=text)]
    return []


def program(sources: Sources) -> list[Evidence]:
    """A generator's name as the software; no parameters with it."""
    for where, name in sources.programs():
        if name.casefold().startswith(tuple(p.casefold() for p in PROGRAMS)):
            summary = f"The file names the generator {name} as the software that made it."
            details = {"tool": shown(name), "where": where}
            return [Evidence(Kind.GENERATOR_PARAMETERS, True, None, None, summary, details)]
    return []
