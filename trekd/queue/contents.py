"""
The octets of queued messages: large ones in files beside the database, synced before the commit that names them.
"""

from __future__ import annotations

import os
from pathlib import Path

INLINE = 65536
"""Octets up to which a message is kept inside the database."""

PIECE = 262144
"""Octets of a message in memory at once while it is copied."""


def create(path: Path) -> None:
    """
    Make an empty file for a message.

    @raise OSError: it cannot be made.
    """
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def append(path: Path, piece: bytes) -> None:
    """
    Add a piece to a message's file.

    @raise OSError: it cannot be written, all of it.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    with open(descriptor, "wb", buffering=0) as file:
        rest = memoryview(piece)
        while rest:
            rest = rest[file.write(rest) :]


def sync(path: Path) -> None:
    """
    Make a file's octets, or a directory's names, durable.

    @raise OSError: they are not.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def piece(path: Path, offset: int, length: int) -> bytes:
    """
    Octets of a file, fewer than asked for only at its end.

    @raise OSError: it cannot be read.
    """
    with open(path, "rb", buffering=0) as file:
        file.seek(offset)
        return file.read(length)


def remove(path: Path) -> None:
    """Remove a file, if it is there; when the file system refuses, the next start removes it."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        pass
