"""
Messages rendered one by one: those whose octets are asked for, and those that are in files.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from trekd.errors import StoreCorrupt
from trekd.store.interfaces import Column, Extract, LineTemplate
from trekd.store.rendering import NIL, Source, absent, chosen, internal_date, line, literal, located, with_recent
from trekd.store.sqlite.templates import FROM, PLACE, UID


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """
    A message's row; what the template does not need is C{None}, or empty.

    @ivar saved: Unix time.
    @ivar in_file: 1 when its octets are in a file.
    """

    seq: int
    uid: int
    flags: str
    internal_date: str
    modseq: int
    size: int
    header_length: int
    saved: int
    in_file: int
    objectid: str
    envelope: bytes
    bodystructure: bytes
    body: bytes
    parts: bytes
    header: bytes | None
    text: bytes | None
    preview: bytes | None

    def column(self, column: Column) -> bytes:
        """A value as it goes on the wire."""
        match column:
            case Column.SEQ:
                return b"%d" % self.seq
            case Column.UID:
                return b"%d" % self.uid
            case Column.FLAGS:
                return self.flags.encode("ascii")
            case Column.INTERNALDATE:
                return self.internal_date.encode("ascii")
            case Column.SIZE:
                return b"%d" % self.size
            case Column.MODSEQ:
                return b"%d" % self.modseq
            case Column.EMAILID:
                return self.objectid.encode("ascii")
            case Column.SAVEDATE:
                return internal_date(datetime.fromtimestamp(self.saved, UTC))
            case Column.ENVELOPE:
                return self.envelope
            case Column.BODYSTRUCTURE:
                return self.bodystructure
            case Column.BODY:
                return self.body
            case Column.PREVIEW:
                return self.preview or b'""'
            case Column.PREVIEW_LAZY:
                return self.preview or NIL
            case Column.OCTETS:
                return literal(self.octets())
            case Column.HEADER:
                return literal(self.header or b"")
            case Column.TEXT:
                return literal(self.text or b"")

    def octets(self) -> bytes:
        """The message as far as it was read, from its start."""
        return (self.header or b"") + (self.text or b"")

    def source(self) -> Source:
        """What extracts are taken from."""
        return Source(self.parts, self.header_length, self.size, self.octets())


class Lines:
    """
    A template for one message at a time.

    @ivar dense: the statement whose rows are L{StoredMessage}s; parameters as in
        L{Bulk <trekd.store.sqlite.templates.Bulk>}, without constants.
    @ivar sparse: likewise.
    """

    def __init__(self, template: LineTemplate) -> None:
        self._template = template
        extracts = [item for item in template.items if isinstance(item, Extract)]
        beyond = any(item.locate is not None for item in extracts)
        self._needs_text = beyond or Column.OCTETS in template.items or Column.TEXT in template.items
        self._needs_header = bool(extracts) or Column.HEADER in template.items or Column.OCTETS in template.items
        wanted = {
            "email.envelope": Column.ENVELOPE in template.items,
            "email.bodystructure": Column.BODYSTRUCTURE in template.items,
            "email.body": Column.BODY in template.items,
            "email.parts": beyond,
            "body.header": self._needs_header,
            "body.text": self._needs_text,
            "email.preview": not {Column.PREVIEW, Column.PREVIEW_LAZY}.isdisjoint(template.items),
        }
        columns = ", ".join(name if needed else "NULL" for name, needed in wanted.items())
        self.dense, self.sparse = (
            f"SELECT {PLACE[is_dense]}, {UID}, slot.flags, slot.internal_date, slot.modseq, email.size,"
            f" email.header_length, slot.saved, email.file, email.objectid, {columns} FROM {FROM[is_dense][0]}"
            " CROSS JOIN email ON email.id = slot.email CROSS JOIN body ON body.email = slot.email"
            f" WHERE {FROM[is_dense][1]}"
            for is_dense in (True, False)
        )

    def is_in_file(self, message: StoredMessage) -> bool:
        """Whether the message's file is needed."""
        return bool(message.in_file) and (self._needs_text or (self._needs_header and message.header is None))

    def line(self, message: StoredMessage) -> bytes:
        """The response of a message whose file is not needed."""
        return line(self._template, message.uid, message.column, message.source)


def in_file(template: LineTemplate, message: StoredMessage, path: Path) -> InFile:
    """
    The response of a message in a file, to be read in parts.

    @raise FileNotFoundError: the message was expunged meanwhile.
    @raise StoreCorrupt: the file cannot be read.
    """
    source = InFile(path)
    try:
        for item in template.items:
            if isinstance(item, bytes):
                source.add(item)
            elif isinstance(item, Extract):
                _add_extract(source, item, message)
            else:
                _add_column(source, item, template, message)
    except BaseException:
        source.close()
        raise
    return source


class InFile:
    """
    Octets of which some are ranges of a file, which stays open until L{close}, also when it is unlinked.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._parts: deque[bytes | range] = deque()

    def add(self, octets: bytes) -> None:
        """Octets come next."""
        self._parts.append(octets)

    def add_literal(self, span: range) -> None:
        """A literal comes next, made of a range of the file."""
        self._parts.append(b"{%d}\r\n" % len(span))
        self._parts.append(span)

    def at(self, span: range) -> bytes:
        """
        Octets of the file.

        @raise StoreCorrupt: the file ends before, or cannot be read.
        """
        read = []
        start = span.start
        while start < span.stop:
            try:
                octets = os.pread(self._file, span.stop - start, start)
            except OSError as error:
                raise StoreCorrupt(f"{self._path}: {error.strerror}") from None
            if not octets:
                raise StoreCorrupt(f"{self._path} ends early")
            read.append(octets)
            start += len(octets)
        return b"".join(read)

    def read(self, most: int) -> bytes:
        """The next octets, C{most} at most of the file; nothing at the end."""
        while self._parts:
            part = self._parts.popleft()
            if isinstance(part, range):
                if part[most:]:
                    self._parts.appendleft(part[most:])
                part = self.at(part[:most])
            if part:
                return part
        return b""

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _add_column(source: InFile, column: Column, template: LineTemplate, message: StoredMessage) -> None:
    match column:
        case Column.OCTETS:
            source.add_literal(range(message.size))
        case Column.HEADER:
            source.add_literal(range(message.header_length))
        case Column.TEXT:
            source.add_literal(range(message.header_length, message.size))
        case Column.FLAGS if 0 < template.recent_from <= message.uid:
            source.add(with_recent(message.column(column)))
        case _:
            source.add(message.column(column))


def _add_extract(source: InFile, wanted: Extract, message: StoredMessage) -> None:
    """As L{rendering.extract <trekd.store.rendering.extract>}, reading no more than it takes."""
    found = located(wanted, message.parts, message.header_length, message.size)
    if found is None:
        source.add(absent(wanted))
        return
    span = range(message.size)[found[0] : found[1]]
    if wanted.decode is not None:
        source.add(chosen(wanted, wanted.decode(message.parts, source.at(span))))
        return
    cut = slice(None) if wanted.partial is None else slice(wanted.partial[0], sum(wanted.partial))
    if wanted.select is None:
        source.add_literal(span[cut])
    else:
        source.add(literal(wanted.select(source.at(span))[cut]))
