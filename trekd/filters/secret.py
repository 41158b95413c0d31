"""
The key of rewritten senders, in a file of its own.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from trekd.errors import ConfigFault

OCTETS = 32


def read_secret(path: Path) -> bytes:
    """
    The secret of a file, made with mode 0600 when it is not there.

    @raise ConfigFault: it cannot be read or made, or holds too little.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _write(path, secrets.token_hex(OCTETS).encode() + b"\n")
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ConfigFault(f"{path}: {error.strerror}") from None
    if len(secret) < OCTETS:
        raise ConfigFault(f"{path}: holds no secret; remove it to have a new one made")
    return secret


def _write(path: Path, octets: bytes) -> None:
    """Write it aside, so that a crash leaves all of it or nothing."""
    aside = path.with_name(path.name + ".new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
