"""Signing keys, and dkimpy as the judge of what is signed with them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dkim
from twisted.internet.task import Clock

from trekd.mailauth.keyring import Keyring
from trekd.mailauth.keys import KeyFiles
from trekd.mailauth.signer import Signer
from trekd.store.contents import InMemory

NOW = 1_790_000_000
DOMAIN = "example.org"


async def at_once(function: Callable[..., Any], *arguments: Any) -> Any:
    """In no thread at all."""
    return function(*arguments)


def key_files(directory: Path, domain: str = DOMAIN) -> KeyFiles:
    """Files with a key of each algorithm, C{r} and C{e}, which are made once for all tests."""
    folder = directory / domain
    folder.mkdir(parents=True)
    for name, octets in _made_keys():
        (folder / name).write_bytes(octets)
    return KeyFiles(directory)


@cache
def _made_keys() -> tuple[tuple[str, bytes], ...]:
    with TemporaryDirectory() as directory:
        files = KeyFiles(Path(directory))
        files.create(DOMAIN, "r", "rsa")
        files.create(DOMAIN, "e", "ed25519")
        return tuple((path.name, path.read_bytes()) for path in (Path(directory) / DOMAIN).iterdir())


def clock_at(seconds: float) -> Clock:
    """A clock that shows a Unix time."""
    clock = Clock()
    clock.advance(seconds)
    return clock


def signer_of(files: KeyFiles) -> Signer:
    """A signer at L{NOW}."""
    return Signer(Keyring(files, at_once), clock_at(NOW), at_once)


async def signed(files: KeyFiles, message: bytes, domain: str = DOMAIN) -> bytes:
    """A message with its signatures."""
    return await signer_of(files).sign(domain, InMemory(message)) + message


def dkimpy_verdicts(message: bytes, files: KeyFiles, domain: str = DOMAIN, count: int = 2) -> list[bool]:
    """What dkimpy says of each signature, from the top."""
    records = {name + ".": text.encode() for name, text in files.published(domain)}

    def text_of(name: bytes, timeout: int = 5) -> bytes | None:
        return records.get(name.decode())

    return [_is_good(message, index, text_of) for index in range(count)]


def _is_good(message: bytes, index: int, text_of: Callable[..., bytes | None]) -> bool:
    try:
        return bool(dkim.DKIM(message).verify(idx=index, dnsfunc=text_of))
    except dkim.ValidationError:
        return False
