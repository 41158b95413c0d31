"""
Where an account's files lie, and how principals become names of directories.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote

from trekd.values import PrincipalId

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789@+-_.")
_LONGEST = 200
_SHORTENED = "~"


def directory_name(principal: PrincipalId) -> str:
    """
    A file name for the principal: itself when it is an ordinary address.

    Other octets, and a dot in front, become C{%XX}; a name that would be too long ends in C{~} and a digest.  No two
    principals share a name, on file systems that ignore letter case neither.
    """
    octets = principal.encode("utf-8", "surrogatepass")
    name = "".join(
        chr(octet) if octet in _PLAIN and (place or octet != 0x2E) else f"%{octet:02X}"
        for place, octet in enumerate(octets)
    )
    if len(name) <= _LONGEST:
        return name
    return f"{name[:120].rpartition('%')[0] or name[:120]}{_SHORTENED}{sha256(octets).hexdigest()}"


def principal_of(name: str) -> PrincipalId | None:
    """The principal that L{directory_name} named so; C{None} when only its database can tell."""
    return None if _SHORTENED in name else PrincipalId(unquote(name))


class AccountFiles:
    """
    One account's directory.

    @ivar removed: the account is gone; no connection to it is kept.
    """

    def __init__(self, accounts: Path, principal: PrincipalId) -> None:
        """@param accounts: the directory of all accounts."""
        self.principal = principal
        self.directory = accounts / directory_name(principal)
        self.removed = False

    @property
    def database(self) -> Path:
        """The database."""
        return self.directory / "mail.db"

    @property
    def text_index(self) -> Path:
        """The index of its text, which can be made again."""
        return self.directory / "text.db"

    @property
    def bodies(self) -> Path:
        """The directory of large messages."""
        return self.directory / "bodies"

    def body(self, objectid: str) -> Path:
        """The file of a large message."""
        return self.bodies / objectid

    def make(self) -> None:
        """Make directories and an empty database file, only for us, and make them durable."""
        for directory in (self.directory, self.bodies):
            directory.mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(self.database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        sync_directory(self.directory)
        sync_directory(self.directory.parent)


def sync_directory(path: Path) -> None:
    """Make the directory's entries durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
