"""What EXIF tells of a camera: shown as such, and never as "real": anyone can write or copy it."""

from tellsign.provenance import exif
from tellsign.provenance.evidence import Evidence, Kind, filled, shown
from tellsign.provenance.exif import Exif

SETTINGS = (exif.EXPOSURE, exif.F_NUMBER, exif.ISO, exif.FOCAL_LENGTH, exif.TAKEN)
"""A camera writes at least one of them beside its name."""


def camera(tags: Exif) -> str:
    """The make and model that the tags of a capture name, else empty."""
    if not any(tag in tags.entries for tag in SETTINGS):
        return ""
    make, model = shown(tags.text(exif.MAKE)), shown(tags.text(exif.MODEL))
    return model if model.casefold().startswith(make.casefold()) else f"{make} {model}".strip()


def read(tags: Exif) -> list[Evidence]:
    name = camera(tags)
    if not name:
        return []
    details = filled(
        camera=name,
        make=shown(tags.text(exif.MAKE)),
        model=shown(tags.text(exif.MODEL)),
        lens=shown(tags.text(exif.LENS)),
        taken=shown(tags.text(exif.TAKEN)),
        exposure_seconds=_rounded(tags.number(exif.EXPOSURE)),
        f_number=_rounded(tags.number(exif.F_NUMBER)),
        iso=_rounded(tags.number(exif.ISO)),
        focal_length_mm=_rounded(tags.number(exif.FOCAL_LENGTH)),
        software=shown(tags.text(exif.SOFTWARE)),
        signed=False,
    )
    summary = (
        f"The file's EXIF names the camera {name}; it is not signed, so anyone can have written or"
        " copied it, and it doesn't show that the picture is real."
    )
    return [Evidence(Kind.CAPTURE, False, None, None, summary, details)]


def _rounded(number: float | None) -> float | None:
    """Four digits; what is no exposure, aperture or length is left out."""
    return float(f"{number:.4g}") if number is not None and 0 < number < 1e9 else None
