"""
Key records: the public halves of DKIM's keys in DNS (RFC 6376 §3.6.1, RFC 8463 §4).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from trekd.errors import SyntaxFault
from trekd.mailauth.tags import base64_value, colon_list, compact, parse_tags

LEAST_BITS, MOST_BITS = 1024, 4096
"""Of RSA keys that are verified (RFC 8301 §3.2)."""

MAX_RECORD = 16384

PublicKey = rsa.RSAPublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """
    What a key record says.

    @ivar algorithm: C{rsa} or C{ed25519}.
    @ivar key: C{None} when it was revoked.
    @ivar hashes: those that may be used; empty for any.
    @ivar is_for_mail: by its service types.
    @ivar is_testing: C{t=y}.
    @ivar is_strict: C{t=s}: no subdomain may be named as the signer's identity.
    """

    algorithm: str
    key: PublicKey | None
    hashes: tuple[str, ...] = ()
    is_for_mail: bool = True
    is_testing: bool = False
    is_strict: bool = False


def parse_key_record(text: bytes) -> KeyRecord:
    """
    Read a key record.

    @raise SyntaxFault: it is none, or its key is none.
    """
    if len(text) > MAX_RECORD:
        raise SyntaxFault("key record")
    try:
        tags = parse_tags(text.decode("utf-8"))
    except UnicodeDecodeError:
        raise SyntaxFault("key record") from None
    if "v" in tags and (next(iter(tags)) != "v" or compact(tags["v"]) != "DKIM1"):
        raise SyntaxFault("v=DKIM1 first")
    if "p" not in tags:
        raise SyntaxFault("p=")
    algorithm = compact(tags.get("k", "rsa")).lower()
    octets = base64_value(tags["p"])
    flags = colon_list(tags.get("t", ""))
    return KeyRecord(
        algorithm=algorithm,
        key=_public_key(algorithm, octets) if octets else None,
        hashes=colon_list(tags["h"]) if "h" in tags else (),
        is_for_mail=not {"*", "email"}.isdisjoint(colon_list(tags.get("s", "*"))),
        is_testing="y" in flags,
        is_strict="s" in flags,
    )


def _public_key(algorithm: str, octets: bytes) -> PublicKey:
    try:
        if algorithm == "ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(octets)
        if algorithm == "rsa":
            key = serialization.load_der_public_key(octets)
            if isinstance(key, rsa.RSAPublicKey):
                return key
    except (ValueError, UnsupportedAlgorithm):
        raise SyntaxFault("public key") from None
    raise SyntaxFault("public key of a known type")


def write_key_record(key: PublicKey) -> str:
    """The record for a public key."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"


def is_signed(key: PublicKey, signature: bytes, text: bytes) -> bool:
    """
    Whether a signature of a key stands under octets (RFC 6376 §6.1.3, RFC 8463 §3).
    """
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            digest = hashes.Hash(hashes.SHA256())
            digest.update(text)
            key.verify(signature, digest.finalize())
        else:
            key.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True
