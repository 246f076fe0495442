"""The models that can be downloaded by name, as `catalogue.json` lists them.

Each is pinned twice: to a commit of its repository and to the digest of its weights, so that
neither the hub nor who has taken it over can put another model in its place.
"""

import json
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("catalogue.json")


@dataclass(frozen=True)
class Offer:
    """A downloadable model; `digest` is that of its weights, `source` is `owner/name@commit`."""

    id: str
    title: str
    source: str
    digest: str
    bytes: int
    parameters: int


def offers() -> list[Offer]:
    """All of them, in the order of the catalogue."""
    return [Offer(**entry) for entry in json.loads(FILE.read_text("utf-8"))["models"]]
