"""
Messages that are under way, so that none is lost when the daemon ends in between.

What is to be sent is written down before the change that causes it is stored, with how that change is recognised.  At
the next start what was stored has its messages sent, again if need be, and what was not stored is forgotten: a message
that comes twice changes nothing (RFC 5546 §2.1.5).
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from trekd.errors import StoreFull


@dataclass(frozen=True, slots=True)
class Message:
    """
    A message to be sent.

    @ivar recipients: persons.
    @ivar octets: iCalendar with METHOD.
    """

    method: str
    recipients: tuple[str, ...]
    octets: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """
    Messages of one change.

    @ivar principal: whose calendar was changed.
    @ivar collection, name: the item.
    @ivar tag: its schedule tag once the change is stored; '' when the change removes it.
    @ivar etag: what it is before it is removed.
    """

    principal: str
    collection: str
    name: str
    messages: tuple[Message, ...]
    tag: str = ""
    etag: str = ""

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everybody, once."""
        return tuple(dict.fromkeys(who for each in self.messages for who in each.recipients))


class Journal(Protocol):
    """Where entries are kept."""

    async def add(self, entry: Entry) -> str:
        """
        Keep an entry; it is durable when this returns.

        @return: its identifier.
        @raise StoreFull: it is not.
        """

    async def remove(self, identifier: str) -> None:
        """Forget an entry; when that fails its messages are sent again at the next start."""

    async def entries(self) -> tuple[tuple[str, Entry], ...]:
        """What was under way when the daemon ended last."""


class MemoryJournal:
    """See L{Journal}: as long as the process lives."""

    def __init__(self) -> None:
        self.kept: dict[str, Entry] = {}

    async def add(self, entry: Entry) -> str:
        """See L{Journal.add}."""
        identifier = secrets.token_hex(16)
        self.kept[identifier] = entry
        return identifier

    async def remove(self, identifier: str) -> None:
        """See L{Journal.remove}."""
        self.kept.pop(identifier, None)

    async def entries(self) -> tuple[tuple[str, Entry], ...]:
        """See L{Journal.entries}."""
        return tuple(self.kept.items())


class FileJournal:
    """See L{Journal}: a file for each entry."""

    def __init__(self, directory: Path, in_thread: Callable[..., Awaitable[Any]]) -> None:
        self._directory = directory
        self._in_thread = in_thread

    async def add(self, entry: Entry) -> str:
        """See L{Journal.add}."""
        identifier = secrets.token_hex(16)
        try:
            await self._in_thread(_write, self._directory, identifier, entry)
        except OSError as error:
            raise StoreFull() from error
        return identifier

    async def remove(self, identifier: str) -> None:
        """See L{Journal.remove}."""
        try:
            await self._in_thread((self._directory / f"{identifier}.json").unlink, True)
        except OSError:
            return

    async def entries(self) -> tuple[tuple[str, Entry], ...]:
        """See L{Journal.entries}."""
        try:
            found: tuple[tuple[str, Entry], ...] = await self._in_thread(_read_all, self._directory)
        except OSError:
            return ()
        return found


def _write(directory: Path, identifier: str, entry: Entry) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / f"{identifier}.json"
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(_octets(entry))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_all(directory: Path) -> tuple[tuple[str, Entry], ...]:
    if not directory.is_dir():
        return ()
    found = []
    for path in sorted(directory.iterdir()):
        entry = _entry(path.read_bytes()) if path.suffix == ".json" else None
        if entry is None:
            # Nothing was stored before all of it was written.
            path.unlink(missing_ok=True)
        else:
            found.append((path.stem, entry))
    return tuple(found)


def _octets(entry: Entry) -> bytes:
    messages = [
        {
            "method": each.method,
            "recipients": each.recipients,
            "octets": base64.b64encode(each.octets).decode(),
        }
        for each in entry.messages
    ]
    return json.dumps(
        {
            "principal": entry.principal,
            "collection": entry.collection,
            "name": entry.name,
            "tag": entry.tag,
            "etag": entry.etag,
            "messages": messages,
        }
    ).encode()


def _entry(octets: bytes) -> Entry | None:
    """C{None}: it is no entry."""
    try:
        said = json.loads(octets)
        messages = tuple(
            Message(each["method"], tuple(each["recipients"]), base64.b64decode(each["octets"]))
            for each in said["messages"]
        )
        names = ("principal", "collection", "name", "tag", "etag")
        principal, collection, name, tag, etag = (str(said[each]) for each in names)
    except (ValueError, KeyError, TypeError):
        return None
    return Entry(principal, collection, name, messages, tag, etag)
