"""What one source says of a picture, in the form in which it is shown; and how its words are kept
readable and harmless."""

import math
import re
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from types import NoneType
from typing import Any

MAX_TEXT = 4000
"""Characters of one shown text, a prompt for example."""
MAX_NAME = 200
"""Characters of a shown name: a signer, a model, a camera."""


class Kind(StrEnum):
    CONTENT_CREDENTIALS = "content_credentials"
    IPTC = "iptc"
    GENERATOR_PARAMETERS = "generator_parameters"
    WATERMARK = "watermark"
    CAPTURE = "capture"


@dataclass(frozen=True)
class Evidence:
    """One source's word.

    `valid` is whether a signature holds and fits these bytes, `trusted` whether its signer is on
    the trust list, both None where nothing is signed; `declares_ai` whether the source says that
    AI made or edited the picture, signed or not. Nothing here ever speaks for "real".
    """

    kind: Kind
    declares_ai: bool
    valid: bool | None
    trusted: bool | None
    summary: str
    details: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The entry of `evidence` in a verdict's JSON."""
        return {**asdict(self), "kind": self.kind.value}

    @classmethod
    def from_dict(cls, told: Any) -> "Evidence":
        """The entry that `as_dict` has told of, out of hands that are not trusted.

        Raises:
            ValueError: it tells of none, or has texts that are not to be shown.
        """
        if not isinstance(told, dict) or told.keys() != {entry.name for entry in fields(cls)}:
            raise ValueError("other fields")
        summary, details = told["summary"], told["details"]
        signs = (told["valid"], told["trusted"])
        plain = type(told["declares_ai"]) is bool and all(
            type(s) in (bool, NoneType) for s in signs
        )
        if not (plain and type(summary) is str and type(details) is dict and harmless(told)):
            raise ValueError("other values")
        return cls(Kind(told["kind"]), told["declares_ai"], *signs, summary, details)


def marks_ai(entry: dict[str, Any]) -> bool:
    """Whether an entry of the JSON earns a picture the mark "Declares AI".

    All that declare AI do, but for Content Credentials that were made for other bytes or whose
    signature is broken: they may have been copied from another picture.
    """
    return bool(entry["declares_ai"]) and entry["details"].get("intact") is not False


AI_SOURCES = frozenset(
    {"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicMedia"}
)
"""Digital source types that say "made or edited by AI", of the IPTC NewsCodes vocabulary
http://cv.iptc.org/newscodes/digitalsourcetype/."""
CAPTURE_SOURCES = frozenset({"digitalCapture", "computationalCapture"})
"""Digital source types of that vocabulary for what a camera took."""

_SOURCE = re.compile(
    r"(?:https?://(?:cv\.iptc\.org/newscodes|c2pa\.org)/digitalsourcetype/)?([A-Za-z]{1,60})/?"
)
_KNOWN = {term.casefold(): term for term in AI_SOURCES | CAPTURE_SOURCES}


def source_type(value: Any) -> str:
    """The term of a digital source type that is written as an address or bare; else empty."""
    match = _SOURCE.fullmatch(value.strip()) if isinstance(value, str) else None
    return _KNOWN.get(match[1].casefold(), match[1]) if match else ""


# Control characters could steer a terminal, bidirectional ones show a text as another; lone
# surrogates can't be written as UTF-8.
_UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def shown(value: Any, limit: int = MAX_NAME) -> str:
    """A hostile value as a text that can be shown: of bounded length, without steering characters.

    Numbers become texts too: a seed of 64 bits is no number in JavaScript, and NaN none in JSON.
    """
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value).lower()
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.10g}"
    if not isinstance(value, str | int | float):
        return ""
    text = str(value)
    text = _SURROGATES.sub("\ufffd", text[: 2 * limit + 1000].replace("\r\n", "\n"))
    text = _UNSHOWN.sub("", text).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def harmless(value: Any, depth: int = 8) -> bool:
    """Whether a JSON value, so deep at most, is made of numbers that JSON has and of texts as
    `shown` leaves them."""
    if isinstance(value, str):
        return value == shown(value, MAX_TEXT)
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        return depth > 0 and all(harmless(part, depth - 1) for part in value)
    return not isinstance(value, float) or math.isfinite(value)


def filled(**values: Any) -> dict[str, Any]:
    """Details without those that say nothing."""
    return {name: value for name, value in values.items() if value not in ("", None, [], {}, ())}
