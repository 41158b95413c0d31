"""
Message sinks: where a message's octets wait while they arrive, in memory or in a file.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface import implementer

from trekd.errors import StoreFull
from trekd.store.interfaces import IMessageSink, NewMessage

MEMORY_OCTETS = 256 * 1024
"""A message up to this size never becomes a file; it is also the size of a batch written to one."""

RunInThread = Callable[[Callable[[], None]], "Deferred[None]"]
"""Runs a function in one of the store's threads."""

_SUFFIX = ".incoming"


async def whole_message(message: NewMessage) -> bytes:
    """
    A message's octets, prefix included.

    @raise StoreFull: its sink could not keep them.
    """
    content = message.content
    if not isinstance(content, bytes):
        content = await content.octets()
    return message.prefix + content


@implementer(IMessageSink)
class MemorySink:
    """A sink that never leaves memory; its maker bounds what is written."""

    def __init__(self) -> None:
        self.size = 0
        self._octets: list[bytes] = []
        self._discarded = False

    def write(self, octets: bytes) -> None:
        """Keep the octets."""
        self._octets.append(octets)
        self.size += len(octets)

    async def octets(self) -> bytes:
        """
        All that was written.

        @raise StoreFull: it was discarded.
        """
        if self._discarded:
            raise StoreFull("a message in arrival was discarded")
        return b"".join(self._octets)

    async def read(self, offset: int, length: int) -> bytes:
        """
        A piece.

        @raise StoreFull: it was discarded.
        """
        return (await self.octets())[offset : offset + length]

    def discard(self) -> None:
        """Free the memory."""
        self._discarded = True
        self._octets.clear()


@implementer(IMessageSink)
class FileSink:
    """
    A sink that goes over to a file when the message becomes large.

    The file is written in batches, in the store's threads, and is open only while that happens.
    """

    def __init__(self, directory: Path, run_in_thread: RunInThread, threshold: int = MEMORY_OCTETS) -> None:
        """
        @param directory: for the file; it exists already.
        @param threshold: octets kept in memory before a batch is written.
        """
        self.size = 0
        self._path = directory / (secrets.token_hex(16) + _SUFFIX)
        self._run_in_thread = run_in_thread
        self._threshold = threshold
        self._in_memory: list[bytes] = []
        self._memory_size = 0
        self._in_file = 0
        self._failed = False
        self._discarded = False
        self._writing = False
        self._waiting: list[Deferred[None]] = []

    def write(self, octets: bytes) -> Deferred[None] | None:
        """
        Keep the octets; when a batch is full, begin to write it.

        @return: C{None}, or a Deferred that fires, always with C{None}, when the file has caught up.
        """
        self.size += len(octets)
        if self._failed or self._discarded:
            return None
        self._in_memory.append(octets)
        self._memory_size += len(octets)
        if self._memory_size <= self._threshold:
            return None
        done = self._caught_up()
        if not self._writing:
            self._write_batch()
        return done

    async def octets(self) -> bytes:
        """
        All that was written.

        @raise StoreFull: the file could not be written or read, or was discarded.
        """
        return await self.read(0, self.size)

    async def read(self, offset: int, length: int) -> bytes:
        """
        A piece.

        @raise StoreFull: the file could not be written or read, or was discarded.
        """
        while self._writing:
            await self._caught_up()
        if self._failed or self._discarded:
            raise StoreFull("a message in arrival could not be written, or was discarded")
        end, split = min(offset + length, self.size), self._in_file
        rest = tuple(self._in_memory) if end > split else ()
        read: list[bytes] = []
        if offset < split:
            wanted = min(end, split) - offset
            try:
                await self._run_in_thread(lambda: read.append(_piece(self._path, offset, wanted)))
            except OSError:
                raise StoreFull("a message in arrival could not be read") from None
        in_memory = b"".join(rest)[max(0, offset - split) : max(0, end - split)]
        return b"".join((*read, in_memory)) if read else in_memory

    def discard(self) -> None:
        """Free the memory and remove the file."""
        self._discarded = True
        self._in_memory.clear()
        self._memory_size = 0
        if self._in_file and not self._writing:
            _unlink(self._path)

    def _caught_up(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        return done

    def _write_batch(self) -> None:
        batch, size = b"".join(self._in_memory), self._memory_size
        self._in_memory, self._memory_size = [], 0
        self._writing = True
        first = self._in_file == 0
        written = maybeDeferred(self._run_in_thread, lambda: _append(self._path, batch, first))
        written.addCallbacks(lambda _: self._written(size), lambda _: self._written(0))

    def _written(self, size: int) -> None:
        self._writing = False
        self._in_file += size
        self._failed = self._failed or not size
        if self._failed or self._discarded:
            self._in_memory.clear()
            self._memory_size = 0
            _unlink(self._path)
        elif self._memory_size > self._threshold:
            self._write_batch()
            return
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done.callback(None)


def remove_leftovers(directory: Path) -> None:
    """Remove files of sinks that a crash left behind; before any sink is made there."""
    for path in directory.glob("*" + _SUFFIX):
        _unlink(path)


def _append(path: Path, batch: bytes, first: bool) -> None:
    """Add a batch to the file, which only the first batch makes."""
    making = os.O_CREAT | os.O_EXCL if first else 0
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | making, 0o600)
    with open(descriptor, "wb", buffering=0) as file:
        rest = memoryview(batch)
        while rest:
            rest = rest[file.write(rest) :]


def _piece(path: Path, offset: int, length: int) -> bytes:
    """Octets of a file; never fewer than asked for."""
    with open(path, "rb", buffering=0) as file:
        file.seek(offset)
        octets = file.read(length)
    if len(octets) != length:
        raise OSError("the file is shorter than what was written")
    return octets


def _unlink(path: Path) -> None:
    try:
        path.unlink()
    except OSError:
        pass  # not there, or the file system refuses: the next start removes it
