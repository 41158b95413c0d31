"""
Sealing the passwords of profiles: AES-256-GCM under a key that is kept outside the database.

The key file has one key to a line, in base64; the first seals, any of them unseals, so that a key can be replaced
while secrets sealed with the old one still wait to be sealed anew.  A sealed secret names its key and is bound to
what it was sealed for: moved to another row, or with another host in its own, it is not unsealed.
"""

from __future__ import annotations

import binascii
import os
import secrets
import stat
from base64 import b64decode, b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from trekd.errors import SecretSealed

_FORMAT = b"\x01"
_KEY_OCTETS = 32
_ID_OCTETS = 8
_NONCE_OCTETS = 12
_MAX_FILE = 64 * 1024


def _id(key: bytes) -> bytes:
    return sha256(b"trekmail key\0" + key).digest()[:_ID_OCTETS]


class KeyFile:
    """The keys; calls read and write the file, so they block, but only for a moment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: tuple[bytes, ...] = ()

    def seal(self, secret: str, bound_to: bytes, may_make: bool) -> bytes:
        """
        Seal a secret with the first key.

        @param bound_to: what must be the same to unseal it.
        @param may_make: make the file when it is not there, because nothing was sealed before.
        @raise SecretSealed: there is no usable key file; nothing was sealed.
        """
        if may_make and not self.path.exists():
            self._write((secrets.token_bytes(_KEY_OCTETS),))
        key = self._loaded()[0]
        nonce = secrets.token_bytes(_NONCE_OCTETS)
        return _FORMAT + _id(key) + nonce + AESGCM(key).encrypt(nonce, secret.encode(), bound_to)

    def unseal(self, sealed: bytes, bound_to: bytes) -> str:
        """
        Give a secret back.

        @raise SecretSealed: its key is not there, or it was sealed for something else.
        """
        start = len(_FORMAT) + _ID_OCTETS
        wanted, nonce, rest = sealed[1:start], sealed[start : start + _NONCE_OCTETS], sealed[start + _NONCE_OCTETS :]
        key = next((each for each in self._keys or self._loaded() if _id(each) == wanted), None)
        if key is None:
            key = next((each for each in self._loaded() if _id(each) == wanted), None)
        if key is None:
            raise SecretSealed(f"it was sealed with key {wanted.hex()}, which is not in {self.path}; put that key back")
        try:
            return AESGCM(key).decrypt(nonce, rest, bound_to).decode()
        except (InvalidTag, ValueError):
            raise SecretSealed("the stored password was sealed for another profile or host, or is damaged") from None

    def add_key(self) -> None:
        """
        Make a new key that seals from now on; the others stay.

        @raise SecretSealed: the file cannot be read or written; it is as before.
        """
        keys = self._loaded() if self.path.exists() else ()
        self._write((secrets.token_bytes(_KEY_OCTETS), *keys))

    def drop_old_keys(self) -> None:
        """Keep the first key alone: all is sealed with it."""
        self._write(self._loaded()[:1])

    def _loaded(self) -> tuple[bytes, ...]:
        """
        Read the file; it is short, and may have been replaced.

        @raise SecretSealed: it cannot be used; the text says what to do.
        """
        self._keys = ()
        try:
            with open(self.path, "rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                text = file.read(_MAX_FILE)
        except FileNotFoundError:
            raise SecretSealed(
                f"{self.path} is not there; put the key back from a copy, or make a new one with trekctl smtp rekey "
                "and set the passwords again"
            ) from None
        except OSError as fault:
            raise SecretSealed(f"{self.path}: {fault.strerror}") from None
        if mode & 0o077:
            raise SecretSealed(f"{self.path}: mode {mode:04o} lets others at the key; type: chmod 600 {self.path}")
        self._keys = tuple(map(self._key, filter(None, map(bytes.strip, text.splitlines()))))
        if not self._keys:
            raise SecretSealed(f"{self.path}: has no key; put it back from a copy")
        return self._keys

    def _key(self, line: bytes) -> bytes:
        try:
            key = b64decode(line, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != _KEY_OCTETS:
            raise SecretSealed(f"{self.path}: a line is no key of {_KEY_OCTETS} octets in base64")
        return key

    def _write(self, keys: Sequence[bytes]) -> None:
        """Replace the file, whole or not at all."""
        beside = self.path.with_name(self.path.name + ".new")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside.unlink(missing_ok=True)
            with open(beside, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(b"".join(b64encode(key) + b"\n" for key in keys))
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self.path)
            _sync(self.path.parent)
        except OSError as fault:
            raise SecretSealed(f"{self.path}: {fault.strerror}") from None
        self._keys = tuple(keys)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
