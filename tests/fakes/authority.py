"""A certificate authority for tests, with intermediates, wrong dates and wrong uses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, and those above it."""

    certificate: x509.Certificate
    key: Any
    issuers: tuple[Issued, ...] = ()

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        """Certificate, those above it but the last, and key."""
        chain = (self, *self.issuers[:-1])
        octets = b"".join(each.certificate.public_bytes(serialization.Encoding.PEM) for each in chain)
        return octets + self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def spki(self) -> bytes:
        """Its public key."""
        return self.certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def issue(
    issuer: Issued | None,
    *names: str,
    is_authority: bool = False,
    days: int = 30,
    uses: tuple[Any, ...] = (ExtendedKeyUsageOID.SERVER_AUTH,),
    alternative: bool = True,
) -> Issued:
    """
    Make a certificate.

    @param issuer: C{None} for one that signs itself.
    @param names: the first is the subject's.
    @param days: until it expires.
    @param alternative: whether the names stand in subjectAltName.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.utcnow()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
    )
    if uses and not is_authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    if alternative and not is_authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), False)
    certificate = builder.sign(key if issuer is None else issuer.key, hashes.SHA256())
    return Issued(certificate, key, () if issuer is None else (issuer, *issuer.issuers))
