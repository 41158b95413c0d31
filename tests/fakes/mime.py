"""
A message reader that knows just enough for tests of the store: unencoded headers, one text part.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class PlainFacts:
    """What L{PlainReader} finds."""

    header_length: int
    envelope: bytes
    bodystructure: bytes
    body: bytes
    parts: bytes
    subject_key: str
    from_key: str
    to_key: str
    cc_key: str
    bcc_key: str
    sent: int | None
    sent_date: int | None
    preview: bytes


class PlainReader:
    """
    Provides L{MessageReader <trekd.store.interfaces.MessageReader>}.

    ENVELOPE holds the subject alone, C{parts} the header's length in decimal.
    """

    def scan_file(self, descriptor: int, size: int) -> PlainFacts:
        """Read a message in a file."""
        return self.scan(os.pread(descriptor, size, 0))

    def scan(self, octets: bytes) -> PlainFacts:
        """Read a whole message; never raises."""
        length = header_length(octets)
        fields = _fields(octets[:length])
        subject = fields.get("subject", [""])[0]

        def key(name: str) -> str:
            return self.fold(" ".join(fields.get(name, ())))

        sent = _date(fields.get("date", [""])[0])
        structure = b'"TEXT" "PLAIN" NIL NIL NIL "7BIT" %d 1' % (len(octets) - length)
        return PlainFacts(
            length,
            b'(NIL "%b" NIL NIL NIL NIL NIL NIL NIL NIL)' % subject.encode("ascii", "replace").replace(b'"', b"'"),
            b"(" + structure + b" NIL NIL NIL NIL)",
            b"(" + structure + b")",
            b"%d" % length,
            key("subject"),
            key("from"),
            key("to"),
            key("cc"),
            key("bcc"),
            None if sent is None else int(sent.timestamp()),
            None if sent is None else sent.toordinal(),
            b'"%b"' % re.sub(rb"[^ !#-\[\]-~]", b"", octets[length:])[:20],
        )

    def header_contains(self, header: bytes, field: bytes, needle: str) -> bool:
        """Whether a field of that name has the folded needle."""
        values = _fields(header).get(field.decode("latin-1").lower(), [])
        return any(needle in self.fold(value) for value in values)

    def text_contains(self, octets: bytes, parts: bytes, needle: str, with_header: bool) -> bool:
        """Whether the text, or with C{with_header} the header, has the folded needle."""
        header, text = octets[: int(parts)].decode("latin-1"), octets[int(parts) :].decode("latin-1")
        return needle in self.fold(text) or (with_header and needle in self.fold(header))

    def texts(self, octets: bytes, parts: bytes, header: bool) -> Iterator[Iterator[str]]:
        """The header, else the text, in two pieces."""
        text = self.fold((octets[: int(parts)] if header else octets[int(parts) :]).decode("latin-1"))
        middle = len(text) // 2
        return iter((iter((text[:middle], text[middle:])),))

    def fold(self, text: str) -> str:
        """Fold for comparison."""
        return text.casefold()


def header_length(octets: bytes) -> int:
    """Octets up to and with the blank line."""
    end = octets.find(b"\r\n\r\n")
    return 2 if octets.startswith(b"\r\n") else len(octets) if end < 0 else end + 4


def _fields(header: bytes) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for line in re.sub(rb"\r\n(?=[ \t])", b"", header).decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), []).append(value.strip())
    return fields


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
