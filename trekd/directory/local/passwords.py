"""
Password hashes: Argon2id in PHC strings (RFC 9106), slow and hungry on purpose, so never made in the reactor's
thread.
"""

from __future__ import annotations

import secrets
import unicodedata
from threading import Lock

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHash, VerificationError

from trekd.directory.interfaces import is_possible_password
from trekd.errors import SyntaxFault

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1


class Passwords:
    """
    Hashes and verifies; may be used by several threads at once.

    A password is taken in NFC, so that it is the same from every keyboard.
    """

    def __init__(self, memory_kib: int = MEMORY_KIB, passes: int = PASSES) -> None:
        self._hasher = PasswordHasher(passes, memory_kib, LANES, type=Type.ID)
        self._lock = Lock()
        self._decoy = ""

    def hash(self, password: str) -> str:
        """
        Hash a password with a new salt.

        @raise SyntaxFault: nobody can have this password.
        """
        if not is_possible_password(password):
            raise SyntaxFault("password of 1 to 1024 octets without NUL")
        return self._hasher.hash(_octets(password))

    def verify(self, encoded: str | None, password: str) -> bool:
        """
        Compare a password with a hash, in the same time whether there is a hash or none.

        @param encoded: C{None} for an account that does not exist or has no password: never right.
        """
        try:
            return self._hasher.verify(encoded or self._decoy_hash(), _octets(password)) and bool(encoded)
        except (VerificationError, InvalidHash):
            return False

    def is_outdated(self, encoded: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(encoded)

    def _decoy_hash(self) -> str:
        with self._lock:
            self._decoy = self._decoy or self._hasher.hash(secrets.token_bytes(16))
            return self._decoy


def _octets(password: str) -> bytes:
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
