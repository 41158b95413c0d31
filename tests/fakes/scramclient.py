"""
A client's side of SCRAM-SHA-256, with what a test needs to do it wrong.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from trekd.directory.interfaces import Account, ScramKeys
from trekd.directory.local.scram import decoy_keys, make_keys

PASSWORD = "pencil"
KEYS = make_keys(PASSWORD, 4096, base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))


class FakeScramDirectory:
    """Keeps keys of one account."""

    def __init__(self, account: Account) -> None:
        self.account = account

    async def scram_keys(self, login: str) -> tuple[Account | None, ScramKeys]:
        """See C{IScramDirectory}."""
        if login == self.account.principal:
            return self.account, KEYS
        return None, decoy_keys(b"secret", login, 4096)


def first_message(name: str, nonce: str = "abc") -> bytes:
    """C{client-first-message-bare}."""
    return f"n={name},r={nonce}".encode()


def respond(challenge: bytes, bare: bytes, binding: bytes, password: str = PASSWORD) -> tuple[bytes, bytes]:
    """A client's final message, and the answer that it expects."""
    nonce, salt, count = (part[2:] for part in challenge.split(b","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(count))
    unproved = b"c=" + base64.b64encode(binding) + b",r=" + nonce
    message = b",".join((bare, challenge, unproved))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    server = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
    return unproved + b",p=" + base64.b64encode(proof), b"v=" + base64.b64encode(server)
