"""Where generators leave their parameters, and the entry that is made of them."""

import json
from dataclasses import dataclass, field
from typing import Any

from tellsign.provenance import exif
from tellsign.provenance.containers import Block
from tellsign.provenance.evidence import MAX_TEXT, Evidence, Kind, filled, shown
from tellsign.provenance.exif import Exif
from tellsign.provenance.xmp import Properties

MAX_JSON = 2**20
"""Characters of a JSON text that is parsed."""
MAX_SETTINGS = 40


@dataclass(frozen=True)
class Sources:
    """The texts of one file: each keyword's first text block, EXIF and XMP."""

    texts: dict[str, Block] = field(default_factory=dict)
    exif: Exif = field(default_factory=Exif)
    xmp: Properties = field(default_factory=dict)

    def text(self, keyword: str) -> str:
        block = self.texts.get(keyword)
        return block.text if block else ""

    def xmp_value(self, name: str) -> str:
        return self.xmp.get(name, [""])[0]

    def infotexts(self) -> list[tuple[str, str]]:
        """Place and text of all that may hold the parameters of A1111 and its kin."""
        places = [(block.where, block.text) for key, block in self.texts.items() if key in OPEN]
        places.append(("EXIF UserComment", self.exif.user_comment))
        places.append(("XMP exif:UserComment", self.xmp_value("exif:UserComment")))
        return [(where, text) for where, text in places if text]

    def descriptions(self) -> list[tuple[str, str]]:
        """Place and text of what describes a picture for people."""
        keys = ("Description", "Title", "Comment", "comment", "Author")
        places = [(self.texts[key].where, self.text(key)) for key in keys if key in self.texts]
        places += [
            ("EXIF ImageDescription", self.exif.text(exif.DESCRIPTION)),
            ("EXIF UserComment", self.exif.user_comment),
            ("EXIF XPComment", self.exif.windows(exif.XP_COMMENT)),
            ("EXIF XPTitle", self.exif.windows(exif.XP_TITLE)),
            ("XMP dc:description", self.xmp_value("dc:description")),
            ("XMP dc:title", self.xmp_value("dc:title")),
        ]
        return [(where, text[:MAX_TEXT]) for where, text in places if text]

    def programs(self) -> list[tuple[str, str]]:
        """Place and name of the programs that say to have made the file."""
        keys = ("Software", "Source")
        places = [(self.texts[key].where, self.text(key)) for key in keys if key in self.texts]
        places += [
            ("EXIF Software", self.exif.text(exif.SOFTWARE)),
            ("EXIF Make", self.exif.text(exif.MAKE)),
            ("EXIF Model", self.exif.text(exif.MODEL)),
            ("XMP xmp:CreatorTool", self.xmp_value("xmp:CreatorTool")),
            ("XMP tiff:Software", self.xmp_value("tiff:Software")),
        ]
        return [(where, shown(name)) for where, name in places if name]


OPEN = ("parameters", "comment", "Comment", "Description")


def parsed(text: str) -> dict[str, Any]:
    """The JSON object in a text; anything else is an empty one."""
    if text.lstrip()[:1] != "{" or len(text) > MAX_JSON:
        return {}
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def found(
    tool: str,
    where: str,
    *,
    prompt: Any = "",
    negative: Any = "",
    model: Any = "",
    settings: dict[str, Any] | None = None,
    **main: Any,
) -> Evidence:
    """The entry of a generator's parameters; all its values are texts. `main` are the sampler, the
    seed and so on, `settings` the rest."""
    details = filled(
        tool=shown(tool),
        where=where,
        prompt=shown(prompt, MAX_TEXT),
        negative_prompt=shown(negative, MAX_TEXT),
        model=shown(model),
        **{name: shown(value) for name, value in main.items()},
        settings=_settings(settings or {}),
    )
    maker = f"of the model {details['model']} " if "model" in details else ""
    summary = f"The file holds the parameters {maker}that {details['tool']} generated it with."
    return Evidence(Kind.GENERATOR_PARAMETERS, True, None, None, summary, details)


def _settings(settings: dict[str, Any]) -> dict[str, str]:
    rest = {shown(name, 60): shown(value) for name, value in settings.items()}
    return dict(list(filled(**rest).items())[:MAX_SETTINGS])
