"""
SCRAM-SHA-256 keys of a password: made, written down, and made up for names that nobody has (RFC 5802 §3, RFC 7677).

Deriving keys takes as many HMACs as there are iterations, some 20 ms at the default, so never in the reactor's thread.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
import secrets
import unicodedata

from trekd.directory.interfaces import ScramKeys
from trekd.directory.local.saslprep import saslprep
from trekd.errors import SyntaxFault

MIN_ITERATIONS = 4096
"""RFC 7677 §4: no fewer."""

_SALT_OCTETS = 16
_BASE64 = r"[A-Za-z0-9+/]+={0,2}"
_ENCODED = re.compile(rf"SCRAM-SHA-256\$([1-9][0-9]{{0,8}}):({_BASE64})\$({_BASE64}):({_BASE64})", re.ASCII)


def make_keys(password: str, iterations: int, salt: bytes | None = None) -> ScramKeys:
    """
    Derive the keys of a password.

    @param salt: C{None} is a new one.
    """
    salt = salt or secrets.token_bytes(_SALT_OCTETS)
    salted = hashlib.pbkdf2_hmac("sha256", _octets(password), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return ScramKeys(salt, iterations, hashlib.sha256(client_key).digest(), server_key)


def decoy_keys(secret: bytes, login: str, iterations: int) -> ScramKeys:
    """
    Keys that no password has, always the same for the same name, so that nobody learns from them who has an account.

    @param secret: octets that only this server has.
    """

    def octets(purpose: bytes) -> bytes:
        return hmac.digest(secret, purpose + b"\0" + login.encode("utf-8", "surrogatepass"), "sha256")

    return ScramKeys(octets(b"salt")[:_SALT_OCTETS], iterations, octets(b"stored key"), octets(b"server key"))


def write_keys(keys: ScramKeys) -> str:
    """Keys as text, C{SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey} (RFC 5803 §2)."""
    salt, stored, server = (
        binascii.b2a_base64(octets, newline=False).decode() for octets in (keys.salt, keys.stored_key, keys.server_key)
    )
    return f"SCRAM-SHA-256${keys.iterations}:{salt}${stored}:{server}"


def read_keys(text: str) -> ScramKeys | None:
    """The keys of such text; C{None} for anything else, which then is as good as no keys."""
    match = _ENCODED.fullmatch(text)
    if match is None:
        return None
    try:
        salt, stored, server = (binascii.a2b_base64(each, strict_mode=True) for each in match.groups()[1:])
    except binascii.Error:
        return None
    whole = len(stored) == len(server) == hashlib.sha256().digest_size
    return ScramKeys(salt, int(match[1]), stored, server) if whole else None


def _octets(password: str) -> bytes:
    """A password that SASLprep refuses is taken in NFC, for clients that do not prepare it."""
    try:
        prepared = saslprep(password)
    except SyntaxFault:
        prepared = unicodedata.normalize("NFC", password)
    return prepared.encode("utf-8", "surrogatepass")
