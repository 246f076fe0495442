"""Which signers are trusted: a dated list of certificates that is shipped and can be replaced.

PEM, with text between the certificates; a line `# date: YYYY-MM-DD` tells of which day it is.
"""

import re
import warnings
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tellsign import files
from tellsign.settings import data_dir

SHIPPED = Path(__file__).parent / "trust_list.pem"
MAX_BYTES = 4 * 2**20
MAX_CERTIFICATES = 2000

_DATE = re.compile(r"^#\s*date:\s*(\d{4}-\d\d-\d\d)\s*$", re.MULTILINE)


class TrustError(ValueError):
    """A file that can't be a trust list; the message is for the person."""


@dataclass(frozen=True)
class Anchor:
    """One certificate of the list."""

    name: str
    issuer: str
    expires: date
    sha256: str

    @property
    def expired(self) -> bool:
        return self.expires < datetime.now(UTC).date()


@dataclass(frozen=True)
class TrustList:
    """`own` is whether it stands in the shipped one's place."""

    date: str
    own: bool
    anchors: tuple[Anchor, ...]
    pem: str

    def as_dict(self) -> dict[str, object]:
        """What a verdict tells of the list that its signers were compared with."""
        return {"date": self.date, "own": self.own, "certificates": len(self.anchors)}


def current() -> TrustList:
    """The list in use: the person's own, or the shipped one."""
    try:
        seen = _own().stat()
    except OSError:
        return _load(SHIPPED, 0, 0)
    return _load(_own(), seen.st_mtime_ns, seen.st_size)


def replace(path: Path) -> TrustList:
    """Put the certificates of a PEM file in the place of the list in use.

    Raises:
        TrustError: there is no certificate in it, or too much.
        OSError: it can't be read, or the list can't be written.
    """
    with path.open("rb") as file:
        text = _text(file.read(MAX_BYTES + 1))
    certificates = _certificates(text)
    if not certificates:
        raise TrustError(f"{path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----).")
    told = _DATE.search(text)
    day = told[1] if told else datetime.now(UTC).date().isoformat()
    pem = "".join(c.public_bytes(Encoding.PEM).decode() for c in certificates)
    _own().parent.mkdir(parents=True, exist_ok=True)
    files.write(_own(), f"# Set with `tellsign trust set`.\n# date: {day}\n{pem}")
    return current()


def reset() -> TrustList:
    """Back to the shipped list."""
    _own().unlink(missing_ok=True)
    return current()


def _own() -> Path:
    return data_dir() / "trust_list.pem"


@lru_cache(maxsize=4)
def _load(path: Path, mtime: int, size: int) -> TrustList:
    """A damaged list trusts nobody; time and size are the cache's key."""
    try:
        text = _text(path.read_bytes()[: MAX_BYTES + 1])
        certificates = _certificates(text)
    except (TrustError, OSError):
        text, certificates = "", []
    told = _DATE.search(text)
    pem = "".join(c.public_bytes(Encoding.PEM).decode() for c in certificates)
    anchors = tuple(_anchor(certificate) for certificate in certificates)
    return TrustList(told[1] if told else "", path != SHIPPED, anchors, pem)


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise TrustError(f"The file is over the limit of {MAX_BYTES // 2**20} MiB.")
    return data.decode("utf-8", "replace")


def _certificates(text: str) -> list[x509.Certificate]:
    if "-----BEGIN CERTIFICATE-----" not in text:
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd serial numbers; the list's maker chose them
            certificates = x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise TrustError("A certificate in the file is damaged.") from None
    if len(certificates) > MAX_CERTIFICATES:
        raise TrustError(f"The file holds more than {MAX_CERTIFICATES} certificates.")
    return certificates


def _anchor(certificate: x509.Certificate) -> Anchor:
    return Anchor(
        _name(certificate.subject),
        _name(certificate.issuer),
        certificate.not_valid_after_utc.date(),
        certificate.fingerprint(SHA256()).hex(),
    )


def _name(name: x509.Name) -> str:
    """Common name and organisation, as far as they are there."""
    parts = [
        str(attribute.value)
        for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
        for attribute in name.get_attributes_for_oid(oid)
    ]
    return ", ".join(dict.fromkeys(parts)) or name.rfc4514_string()
