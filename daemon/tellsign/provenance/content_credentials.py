"""Content Credentials (C2PA) read and verified with c2pa-python, without the network.

Three things are told apart: whether the signature is valid, whether its signer is trusted, and
whether AI is declared. Nothing is fetched: no revocation (OCSP), no manifest that is kept
elsewhere, no identity's document.
"""

import io
import json
import logging
from functools import lru_cache
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from tellsign.provenance import containers, jumbf, native
from tellsign.provenance.containers import Block
from tellsign.provenance.evidence import Evidence, Kind, filled, shown
from tellsign.provenance.manifests import Json, Story, results, story

log = logging.getLogger(__name__)

OFFLINE = (
    "Checked on this machine alone: whether a certificate was revoked was not asked, and nothing"
    " kept elsewhere was fetched."
)
MAX_DECOMPRESSED = 2
"""MiB of one compressed manifest."""

SETTINGS: Json = {
    "version": 1,
    "core": {
        "allowed_network_hosts": [],
        "allow_redirects": False,
        # An identity's document may have to be fetched, which the empty list does not hinder
        # (contentauth/c2pa-rs issue 1645).
        "decode_identity_assertions": False,
        "max_decompressed_manifest_size_in_mb": MAX_DECOMPRESSED,
    },
    "verify": {"ocsp_fetch": False, "remote_manifest_fetch": False, "verify_trust": True},
}
"""All that could reach out is off, in each of the ways that there are."""

ENDS = {
    "": "the signature is valid, but the signer is not on the trust list",
    "expired": "the signature fits this picture, but its certificate has expired",
    "revoked": "the signature fits this picture, but its certificate was revoked",
    "ingredient": "the signature fits this picture, but not that of something it was made from",
    "malformed": "the signature fits this picture, but they break the rules of their standard",
    "altered": "they don't fit this picture: it was changed, or they were copied from another one",
    "signature": "their signature is broken",
}
"""What is to be said of a signature, by its problem."""


def read(data: bytes, format: str, stores: list[Block], remote: str) -> list[Evidence]:
    """The entry of a file's manifest store, and one of a signed capture.

    `remote` is what XMP names as the place of a store that is kept elsewhere.
    """
    stores = [block for block in stores if jumbf.is_store(block.data)]
    if not stores:
        return _elsewhere(remote)
    try:
        jumbf.check(stores[0].data)
    except jumbf.Refused as refusal:
        return [_unread(str(refusal))]
    if len(stores) > 1:
        return [_unread("The file holds more than one manifest store.")]
    from tellsign.provenance import trust  # brings cryptography, which few pictures need

    anchors = trust.current()
    report, appended = _report(data, format, stores[0].data, anchors.pem)
    if not report:
        return [_unread("The manifest store is damaged.")]
    told, found = story(report), results(report)
    state = str(report.get("validation_state"))
    valid = state in ("Valid", "Trusted")
    trusted = found.signed and "signingCredential.trusted" in found.success
    details = filled(
        state=state.lower(),
        intact=valid or found.intact,
        problem="" if valid else found.problem or "signature",
        reasons=found.reasons,
        **told.signer,
        generator=told.generator,
        source_types=told.sources,
        actions=told.actions,
        ingredients=told.ingredients,
        trust_list=anchors.as_dict(),
        appended_bytes=appended,
        offline=OFFLINE,
    )
    summary = _summary(told, details, trusted)
    kind = Kind.CONTENT_CREDENTIALS
    entry = Evidence(kind, told.declares_ai, valid, trusted, summary, details)
    return [entry, *_capture(told, entry)]


def _report(data: bytes, format: str, store: bytes, anchors: str) -> tuple[Json, int | None]:
    """c2pa's report, and how many bytes behind the picture's end had to be left out for it.

    What follows a picture is not shown, so it must not turn its signature's validity; a signer
    may have signed it, though, so that the whole file is tried first.
    """
    report = _verified(data, format, store, anchors)
    end = containers.end(data, format)
    if end < len(data) and (not report or not _fits(report)):
        shorter = _verified(data[:end], format, store, anchors)
        if _fits(shorter):
            return shorter, len(data) - end
    return report or _native(data, format, store, _context(anchors, False)), None


def _fits(report: Json) -> bool:
    return report.get("validation_state") in ("Valid", "Trusted") or results(report).intact


def _verified(data: bytes, format: str, store: bytes, anchors: str) -> Json:
    return _native(data, format, store, _context(anchors, True))


def _native(data: bytes, format: str, store: bytes, context: Any) -> Json:
    """What c2pa reads; empty if it refuses. The store is the one that was looked at before, so
    that c2pa searches the file for no other."""
    c2pa = native.c2pa()
    try:
        stream = io.BytesIO(data)
        with c2pa.Reader(f"image/{format.lower()}", stream, store, context=context) as reader:
            report = json.loads(reader.json())
    except (c2pa.C2paError, ValueError, RecursionError) as error:
        log.debug("c2pa: %s", error)
        return {}
    return report if isinstance(report, dict) else {}


_making = Lock()


def _context(anchors: str, verify: bool) -> Any:
    with _making:
        return _made_context(anchors, verify)


@lru_cache(maxsize=4)
def _made_context(anchors: str, verify: bool) -> Any:
    """c2pa's settings for a trust list; without verification, a store can be read whose signature
    is too broken to be looked at."""
    settings = {**SETTINGS, "verify": {**SETTINGS["verify"], "verify_after_reading": verify}}
    if anchors:
        settings["trust"] = {"trust_anchors": anchors}
    return native.c2pa().Context.from_dict(settings)


def _summary(told: Story, details: dict[str, Any], trusted: bool) -> str:
    signer = details.get("issuer") or details.get("signer") or "an unnamed signer"
    sources = set(told.sources)
    if sources & {"trainedAlgorithmicMedia", "algorithmicMedia"}:
        says = "say that AI made this picture"
    elif told.declares_ai:
        says = "say that AI made a part of this picture"
    else:
        says = "say nothing of AI"
    end = ENDS[details.get("problem", "")]
    if trusted and "problem" not in details:
        end = "the signature is valid and the signer is on the trust list"
    return f"Content Credentials signed as {signer} {says}; {end}."


def _capture(told: Story, entry: Evidence) -> list[Evidence]:
    """A capture that a camera has signed: shown as that, and never as "real"."""
    if not told.captured:
        return []
    shared = ("intact", "signer", "issuer", "time", "problem")
    camera = told.camera or told.generator
    details = {name: entry.details[name] for name in shared if name in entry.details}
    details |= filled(signed=True, source_type=told.captured, camera=camera)
    by = f"by {camera}, " if camera else ""
    end = ENDS[details.get("problem", "")]
    if entry.trusted and "problem" not in details:
        end = "the signature is valid and the signer is on the trust list"
    summary = f"Content Credentials tell of a capture {by}but can't show what was before it; {end}."
    return [Evidence(Kind.CAPTURE, False, entry.valid, entry.trusted, summary, details)]


def _unread(reason: str) -> Evidence:
    details = {
        "intact": False,
        "problem": "unreadable",
        "reasons": [{"code": "tellsign.unreadable", "explanation": reason}],
        "offline": OFFLINE,
    }
    summary = f"The file has Content Credentials that can't be read: {reason}"
    return Evidence(Kind.CONTENT_CREDENTIALS, False, False, False, summary, details)


def _elsewhere(remote: str) -> list[Evidence]:
    """Content Credentials that the file only refers to."""
    try:
        host = urlsplit(remote).hostname if remote.startswith(("http://", "https://")) else None
    except ValueError:
        return []
    if not host:
        return []
    summary = (
        f"The file says that its Content Credentials are kept at {shown(host)}; Tellsign fetches"
        " nothing, so what they say is not known."
    )
    details = {"remote": shown(remote, 500), "offline": OFFLINE}
    return [Evidence(Kind.CONTENT_CREDENTIALS, False, None, None, summary, details)]
