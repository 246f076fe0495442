"""What a manifest store says once it has been read: c2pa's JSON made into plain, bounded facts.

All of it is hostile: any field may be missing or of another type.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tellsign.provenance.evidence import AI_SOURCES, CAPTURE_SOURCES, filled, shown, source_type
from tellsign.provenance.jumbf import MAX_MANIFESTS

MAX_LISTED = 30
"""Actions, ingredients or reasons that are shown."""
PARTS = ("parentOf", "componentOf")
"""Ingredients that are in the picture; `inputTo` was only looked at by a program (C2PA 2.2,
"Ingredient assertion")."""
METADATA = ("stds.iptc", "stds.exif", "c2pa.metadata", "cawg.metadata")
"""Labels of assertions of IPTC and EXIF fields."""

UNTRUSTED = "signingCredential.untrusted"
BINDINGS = (
    "assertion.dataHash.match",
    "assertion.bmffHash.match",
    "assertion.boxesHash.match",
    "assertion.collectionHash.match",
)
PROBLEMS = (
    ("signature", ("claimSignature.mismatch", "claimSignature.missing", "algorithm.unsupported")),
    ("altered", (".mismatch", ".missing", ".undeclared", ".inaccessible", ".unknownBox")),
    ("revoked", ("signingCredential.ocsp.revoked",)),
    ("expired", ("signingCredential.expired", "claimSignature.outsideValidity")),
)
"""The kinds of failure by the ends of their codes (C2PA 2.2, "Status codes"), the worst first."""

Json = dict[str, Any]


def json_object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def json_list(value: Any) -> list[Any]:
    return value[:1000] if isinstance(value, list) else []


@dataclass(frozen=True)
class Results:
    """The codes of a validation; `ingredients` are failures below the active manifest."""

    success: list[str] = field(default_factory=list)
    failure: list[str] = field(default_factory=list)
    ingredients: list[str] = field(default_factory=list)
    reasons: list[dict[str, str]] = field(default_factory=list)

    @property
    def signed(self) -> bool:
        """Whether the active manifest's signature is that of the certificate beside it."""
        broken = any(code.startswith("claimSignature.m") for code in self.failure)
        return "claimSignature.validated" in self.success and not broken

    @property
    def problem(self) -> str:
        """In a word why a store is not valid; empty if it is."""
        codes = [code for code in [*self.failure, *self.ingredients] if code != UNTRUSTED]
        below = [code for code in codes if code.startswith("ingredient.")] + self.ingredients
        failures = [code for code in codes if code not in below]
        for problem, ends in PROBLEMS:
            if any(code.endswith(ends) for code in failures):
                return problem
        if failures:
            return "malformed"
        return "ingredient" if codes else ""

    @property
    def intact(self) -> bool:
        """Whether what was signed is what is there, be the signer who they may."""
        bound = any(code in BINDINGS for code in self.success)
        return self.signed and bound and self.problem not in ("signature", "altered")


def results(report: Json) -> Results:
    """The codes of c2pa's `validation_results`."""
    all_ = json_object(report.get("validation_results"))
    active = json_object(all_.get("activeManifest"))
    deltas = [
        json_object(json_object(delta).get("validationDeltas"))
        for delta in json_list(all_.get("ingredientDeltas"))
    ]
    below = [entry for delta in deltas for entry in json_list(delta.get("failure"))]
    failures = json_list(active.get("failure"))
    bound = [entry for delta in deltas for entry in json_list(delta.get("success"))]
    return Results(
        [*_codes(active.get("success")), *(c for c in _codes(bound) if c in BINDINGS)],
        _codes(failures),
        _codes(below),
        [_reason(entry) for entry in [*failures, *below][:MAX_LISTED]],
    )


def _codes(entries: Any) -> list[str]:
    return [shown(json_object(entry).get("code")) for entry in json_list(entries)]


def _reason(entry: Any) -> dict[str, str]:
    entry = json_object(entry)
    return filled(code=shown(entry.get("code")), explanation=shown(entry.get("explanation")))


@dataclass(frozen=True)
class Story:
    """What the active manifest and the ingredients in the picture tell."""

    active: Json
    actions: list[dict[str, str]]
    ingredients: list[dict[str, Any]]
    sources: list[str]
    camera: str

    @property
    def declares_ai(self) -> bool:
        return not AI_SOURCES.isdisjoint(self.sources)

    @property
    def captured(self) -> str:
        """The source type of a signed capture, or empty."""
        return next((term for term in self.sources if term in CAPTURE_SOURCES), "")

    @property
    def signer(self) -> dict[str, str]:
        info = json_object(self.active.get("signature_info"))
        return filled(
            signer=shown(info.get("common_name")),
            issuer=shown(info.get("issuer")),
            time=shown(info.get("time")),
        )

    @property
    def generator(self) -> str:
        return _generator(self.active)


def story(report: Json) -> Story:
    """The facts of a store, its manifests from the active one down."""
    manifests = json_object(report.get("manifests"))
    active = json_object(manifests.get(str(report.get("active_manifest"))))
    actions: list[dict[str, str]] = []
    ingredients: list[dict[str, Any]] = []
    sources: list[str] = []
    camera = ""
    for manifest, depth in _chain(manifests, active):
        done = [_action(action) for action in _actions(manifest)]
        actions += done
        fields = _fields(manifest)
        sources += [action["source_type"] for action in done if "source_type" in action]
        sources += [source_type(fields.get("Iptc4xmpExt:DigitalSourceType"))]
        camera = camera or _camera(fields)
        ingredients += [
            _ingredient(json_object(part), manifests, depth)
            for part in json_list(manifest.get("ingredients"))
        ]
    return Story(
        active,
        actions[:MAX_LISTED],
        ingredients[:MAX_LISTED],
        list(dict.fromkeys(filter(None, sources))),
        camera,
    )


def _chain(manifests: Json, active: Json) -> Iterator[tuple[Json, int]]:
    """The manifests of what is in the picture, each once, and how deep they lie."""
    level, seen = [active], set[str]()
    for depth in range(MAX_MANIFESTS):
        below = []
        for manifest in level:
            yield manifest, depth
            for part in map(json_object, json_list(manifest.get("ingredients"))):
                label = str(part.get("active_manifest"))
                if part.get("relationship") in PARTS and label in manifests and label not in seen:
                    seen.add(label)
                    below.append(json_object(manifests[label]))
        level = below[:MAX_MANIFESTS]


def _assertions(manifest: Json) -> Iterator[tuple[str, Json]]:
    for assertion in map(json_object, json_list(manifest.get("assertions"))):
        yield str(assertion.get("label")), json_object(assertion.get("data"))


def _actions(manifest: Json) -> Iterator[Json]:
    for label, data in _assertions(manifest):
        if label.startswith("c2pa.actions"):
            yield from map(json_object, json_list(data.get("actions")))


def _action(action: Json) -> dict[str, str]:
    agent = action.get("softwareAgent")
    name = agent if isinstance(agent, str) else _named(json_object(agent))
    return filled(
        action=shown(action.get("action")),
        source_type=source_type(action.get("digitalSourceType")),
        software=shown(name),
        description=shown(action.get("description")),
        when=shown(action.get("when")),
    )


def _fields(manifest: Json) -> Json:
    """IPTC and EXIF fields that are signed, the first of each."""
    fields: Json = {}
    for label, data in _assertions(manifest):
        if label.startswith(METADATA):
            fields = {**data, **fields}
    return fields


def _camera(fields: Json) -> str:
    make, model = (
        shown(fields.get(f"tiff:{name}", fields.get(f"exif:{name}"))) for name in ("Make", "Model")
    )
    return model if model.startswith(make) else f"{make} {model}".strip()


def _ingredient(part: Json, manifests: Json, depth: int) -> dict[str, Any]:
    label = str(part.get("active_manifest"))
    manifest = json_object(manifests.get(label))
    info = json_object(manifest.get("signature_info"))
    return filled(
        depth=depth,
        title=shown(part.get("title")),
        relationship=shown(part.get("relationship")),
        issuer=shown(info.get("issuer")),
        time=shown(info.get("time")),
        generator=_generator(manifest),
    )


def _generator(manifest: Json) -> str:
    infos = json_list(manifest.get("claim_generator_info"))
    return _named(json_object(infos[0])) if infos else shown(manifest.get("claim_generator"))


def _named(info: Json) -> str:
    return f"{shown(info.get('name'))} {shown(info.get('version'))}".strip()
