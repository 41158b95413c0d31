"""
The messages of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, and what makes a proof right (RFC 5802 §3, §7, RFC 7677): octets
in, values out, no I/O.

SCRAM's messages are text of one line without line ends, attributes between commas, decoded from base64 already.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass

from trekd.directory.interfaces import ScramKeys
from trekd.errors import SyntaxFault

MAX_MESSAGE = 4096
"""Longest message taken, in octets: name, nonce and channel binding with room to spare."""

# value = 1*value-char; value-char is UTF-8 but NUL and ","  (RFC 5802 §7).  UTF-8 is checked where text is made.
_EXTENSIONS = rb"(?:,[A-Za-z]=[^\0,]+)*"
_NONCE = rb"[\x21-\x2b\x2d-\x7e]+"
_SASLNAME = rb"(?:[^\0=,]|=2C|=3D)+"
_CLIENT_FIRST = re.compile(
    rb"(?P<header>(?P<flag>n|y|p=(?P<binding>[A-Za-z0-9.-]+)),(?:a=(?P<authzid>" + _SASLNAME + rb"))?,)"
    rb"(?P<bare>n=(?P<name>" + _SASLNAME + rb"),r=(?P<nonce>" + _NONCE + rb")" + _EXTENSIONS + rb")",
    re.DOTALL,
)
_CLIENT_FINAL = re.compile(
    rb"(?P<unproved>c=(?P<binding>[A-Za-z0-9+/=]+),r=(?P<nonce>" + _NONCE + rb")" + _EXTENSIONS + rb")"
    rb",p=(?P<proof>[A-Za-z0-9+/=]+)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class ClientFirst:
    """
    The client's first message.

    @ivar header: C{gs2-header} as it was sent, commas included: the client repeats it in its final message.
    @ivar flag: C{n}, C{y} or C{p} of C{gs2-cbind-flag}.
    @ivar binding: type of channel binding with C{p}, else empty.
    @ivar authzid: who to act for; empty is the user itself.
    @ivar bare: C{client-first-message-bare}, part of what is proved.
    """

    header: bytes
    flag: str
    binding: str
    authzid: str
    name: str
    nonce: bytes
    bare: bytes


def client_first(message: bytes) -> ClientFirst:
    """
    Read C{client-first-message = gs2-header client-first-message-bare}.

    @raise SyntaxFault: it is none, or has an extension that must be understood (C{reserved-mext}).
    """
    match = _CLIENT_FIRST.fullmatch(message) if len(message) <= MAX_MESSAGE else None
    if match is None:
        raise SyntaxFault("SCRAM client-first-message")
    return ClientFirst(
        match["header"],
        match["flag"][:1].decode(),
        (match["binding"] or b"").decode(),
        _saslname(match["authzid"] or b""),
        _saslname(match["name"]),
        match["nonce"],
        match["bare"],
    )


def server_first(nonce: bytes, keys: ScramKeys) -> bytes:
    """
    Write C{server-first-message = nonce "," salt "," iteration-count}.

    @param nonce: the client's, then ours.
    """
    return b"r=%b,s=%b,i=%d" % (nonce, base64.b64encode(keys.salt), keys.iterations)


@dataclass(frozen=True, slots=True)
class ClientFinal:
    """
    The client's final message.

    @ivar binding: C{gs2-header} and the channel's data, as the client has them.
    @ivar unproved: C{client-final-message-without-proof}, part of what is proved.
    @ivar proof: ClientProof, of any length.
    """

    binding: bytes
    nonce: bytes
    unproved: bytes
    proof: bytes


def client_final(message: bytes) -> ClientFinal:
    """
    Read C{client-final-message = client-final-message-without-proof "," proof}.

    @raise SyntaxFault: it is none.
    """
    match = _CLIENT_FINAL.fullmatch(message) if len(message) <= MAX_MESSAGE else None
    if match is None:
        raise SyntaxFault("SCRAM client-final-message")
    return ClientFinal(_base64(match["binding"]), match["nonce"], match["unproved"], _base64(match["proof"]))


def is_proved(keys: ScramKeys, auth_message: bytes, proof: bytes) -> bool:
    """
    Whether a proof was made with the password that the keys are of (RFC 5802 §3); compared in constant time.

    @param auth_message: the messages before the proof, joined by commas.
    """
    signature = hmac.digest(keys.stored_key, auth_message, "sha256")
    if len(proof) != len(signature):
        return False
    client_key = bytes(one ^ other for one, other in zip(proof, signature, strict=True))
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), keys.stored_key)


def server_final(keys: ScramKeys, auth_message: bytes) -> bytes:
    """Write C{server-final-message = verifier}: we prove to a client that proved itself that we know it."""
    return b"v=" + base64.b64encode(hmac.digest(keys.server_key, auth_message, "sha256"))


def _saslname(octets: bytes) -> str:
    """C{saslname}: a comma is C{=2C}, an equals sign C{=3D}."""
    try:
        return octets.decode().replace("=2C", ",").replace("=3D", "=")
    except UnicodeDecodeError:
        raise SyntaxFault("UTF-8") from None


def _base64(octets: bytes) -> bytes:
    try:
        return binascii.a2b_base64(octets, strict_mode=True)
    except binascii.Error:
        raise SyntaxFault("base64") from None
