"""A certificate authority of the tests, and pictures that it lets sign."""

import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from tellsign.provenance import containers, native

from .making import AI

Key = ec.EllipticCurvePrivateKey
CREATED_BY_AI = {"action": "c2pa.created", "digitalSourceType": AI}


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tellsign's tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def pem(*certificates: x509.Certificate) -> str:
    return "".join(c.public_bytes(serialization.Encoding.PEM).decode() for c in certificates)


class Authority:
    """A root that issues signers."""

    def __init__(self, common: str = "A root of the tests") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(common)

    @cached_property
    def root(self) -> x509.Certificate:
        usage = x509.KeyUsage(*[False] * 5, True, True, False, False)
        return (
            self._builder(self.name, self.key, timedelta(days=-900), timedelta(days=900))
            .add_extension(x509.BasicConstraints(True, None), True)
            .add_extension(usage, True)
            .sign(self.key, hashes.SHA256())
        )

    def signer(
        self, seconds: float = 86_400, ocsp: str = "", common: str = "A signer of the tests"
    ) -> "Signer":
        """A signer whose certificate expires in so many seconds."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(True, *[False] * 8)
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = (
            self._builder(_name(common), key, timedelta(days=-1), timedelta(seconds=seconds))
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(usage, True)
            .add_extension(authority, False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
        )
        if ocsp:
            place = x509.UniformResourceIdentifier(ocsp)
            access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)
            builder = builder.add_extension(x509.AuthorityInformationAccess([access]), False)
        return Signer(builder.sign(self.key, hashes.SHA256()), key, self.root)

    def _builder(
        self, subject: x509.Name, key: Key, start: timedelta, end: timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + start)
            .not_valid_after(now + end)
            .add_extension(identifier, False)
        )


class Signer:
    def __init__(self, certificate: x509.Certificate, key: Key, root: x509.Certificate) -> None:
        self.chain = pem(certificate, root).encode()
        self.key = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def sign(
        self,
        data: bytes,
        format: str = "JPEG",
        actions: Sequence[dict[str, Any]] = (CREATED_BY_AI,),
        ingredients: Sequence[tuple[dict[str, Any], bytes]] = (),
        assertions: Sequence[dict[str, Any]] = (),
        compressed: bool = False,
    ) -> bytes:
        """The picture with a manifest that tells of actions; ingredients are JPEGs."""
        c2pa = native.c2pa()
        told = {"label": "c2pa.actions.v2", "data": {"actions": list(actions)}}
        manifest = {
            "claim_generator_info": [{"name": "Tellsign's tests", "version": "1"}],
            "title": "made",
            "assertions": [told, *assertions],
        }
        settings = {
            "verify": {"verify_after_sign": False},
            "builder": {"thumbnail": {"enabled": False}},
            "core": {"prefer_compress_manifests": compressed},
        }
        builder = c2pa.Builder(json.dumps(manifest), context=c2pa.Context.from_dict(settings))
        for described, content in ingredients:
            builder.add_ingredient(json.dumps(described), "image/jpeg", io.BytesIO(content))
        info = c2pa.C2paSignerInfo(b"es256", self.chain, self.key, None)
        signed = io.BytesIO()
        signer = c2pa.Signer.from_info(info)
        builder.sign(signer, f"image/{format.lower()}", io.BytesIO(data), signed)
        return signed.getvalue()


def store_of(data: bytes, format: str = "JPEG") -> bytes:
    """The manifest store of a signed picture."""
    [block] = [b for b in containers.walk(data, format) if b.kind == "c2pa"]
    return block.data


def states(entry: dict[str, Any]) -> tuple[Any, ...]:
    """What is told apart of an entry."""
    return entry["declares_ai"], entry["valid"], entry["trusted"], entry["details"].get("problem")
