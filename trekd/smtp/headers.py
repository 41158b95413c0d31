"""
What happens to a message's header on its way in: trace fields, and what submission adds, removes and refuses
(RFC 5321 §4.4, RFC 6409 §8).

The body passes untouched and unheld; the header is held back until it is complete, within a limit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from trekd.directory.interfaces import Account
from trekd.errors import BadMessage, MailLoop, SyntaxFault
from trekd.mime.addresses import from_addresses
from trekd.mime.authresults import claims_to_be
from trekd.mime.header import raw_fields
from trekd.smtp.grammar.paths import mailbox, write_path
from trekd.smtp.policy import check_authors
from trekd.values import Address

MAX_HEADER = 512 * 1024
"""Octets of a header; RFC 5321 sets no limit, and nobody's mail comes near this one."""

_PRIVATE = frozenset({b"bcc", b"resent-bcc"})
_FORGED = frozenset({b"return-path"})
_REMOVED = _PRIVATE | _FORGED


@dataclass(frozen=True, slots=True)
class Trace:
    """
    What a Received field says (RFC 5321 §4.4).

    @ivar client: C{name ([address])} of the client, C{""} to hide it.
    @ivar protocol: C{ESMTPSA}, C{LMTP} and so on (RFC 3848, RFC 6531 §4.3).
    @ivar only: the recipient when there is but one, otherwise C{None}: the list would show Bcc recipients.
    """

    hostname: str
    client: str
    protocol: str
    id: str
    only: Address | None
    now: datetime

    def field(self) -> bytes:
        """
        The Received field with its CRLF.

        Deviates from RFC 5321 §4.4: no C{from} when the submitting client's network address is hidden.
        """
        words = f"from {self.client}\r\n\t" if self.client else ""
        words += f"by {self.hostname} with {self.protocol} id {self.id}"
        if self.only is not None:
            words += f"\r\n\tfor {write_path(self.only)}"
        return f"Received: {words};\r\n\t{format_datetime(self.now)}\r\n".encode()


Rewrite = Callable[[bytes], bytes]
"""From a whole header, its blank line included, to the one that is stored."""


class HeaderFilter:
    """Passes a message through and rewrites its header."""

    def __init__(self, rewrite: Rewrite, limit: int = MAX_HEADER) -> None:
        self._rewrite: Rewrite | None = rewrite
        self._limit = limit
        self._held = bytearray()

    def feed(self, octets: bytes) -> bytes:
        """
        Take the message's next octets.

        @return: octets to store, empty while the header is not complete.
        @raise BadMessage: the header is refused; nothing may be fed after that (nor after any error of the
            rewrite).
        """
        if self._rewrite is None:
            return octets
        searched = max(0, len(self._held) - 3)
        self._held += octets
        end = 2 if self._held.startswith(b"\r\n") else self._held.find(b"\r\n\r\n", searched) + 4
        if end >= self._limit or (end == 3 and len(self._held) > self._limit):
            raise BadMessage("the header is too large")
        return b"" if end == 3 else self._complete(end)

    def finish(self) -> bytes:
        """The message is complete: what is still held is a header without body."""
        return self._complete(len(self._held)) if self._rewrite is not None else b""

    def _complete(self, end: int) -> bytes:
        rewrite, self._rewrite = self._rewrite, None
        header, body = bytes(self._held[:end]), bytes(self._held[end:])
        self._held = bytearray()
        return rewrite(header) + body if rewrite is not None else body


def check_loop(names: list[bytes], limit: int) -> None:
    """
    Refuse a message that passed through too many hosts (RFC 5321 §6.3).

    @raise MailLoop: more than C{limit} Received fields.
    """
    if names.count(b"received") > limit:
        raise MailLoop


def reception(trace: Trace, max_received: int) -> Rewrite:
    """
    The rewrite of mail from another server: our trace field in front, a Return-Path of others' taken out.

    A message that begins with no field gets the blank line it lacks.
    """

    def rewrite(header: bytes) -> bytes:
        fields = list(raw_fields(header))
        check_loop([name for name, _ in fields], max_received)
        kept = b"".join([raw for name, raw in fields if name not in _FORGED])
        has_fields = header.startswith(b"\r\n") or bool(fields and fields[0][0])
        return trace.field() + (kept if has_fields else b"\r\n" + kept)

    return rewrite


def submission(trace: Trace, account: Account, owned_only: bool, max_received: int) -> Rewrite:
    """
    The rewrite of submitted mail: checks the From field, adds Received, Date and Message-ID where missing,
    removes Bcc (RFC 6409 §6.1, §8.1 to §8.3), and Authentication-Results that claim to be ours (RFC 8601 §5).
    """

    def rewrite(header: bytes) -> bytes:
        fields = list(raw_fields(header))
        names = [name for name, _ in fields]
        check_loop(names, max_received)
        if names.count(b"from") != 1:
            raise BadMessage("it must have exactly one From field")
        if owned_only:
            check_authors(account, authors(header))
        kept = [raw for name, raw in fields if name not in _REMOVED and not claims_to_be(raw, trace.hostname)]
        return trace.field() + _missing(names, trace) + b"".join(kept)

    return rewrite


def authors(header: bytes) -> tuple[Address, ...]:
    """
    The addresses of the From field (RFC 5322 §3.6.2).

    @raise BadMessage: it names none, or something that is no address.
    """
    try:
        found = tuple(mailbox(_written(text)) for text in from_addresses(header))
    except SyntaxFault:
        raise BadMessage("its From field is not a list of addresses") from None
    if not found:
        raise BadMessage("its From field names nobody")
    return found


def _written(text: str) -> str:
    """C{local@domain} with the local part unquoted, as the grammar of paths reads it."""
    local, _, domain = text.rpartition("@")
    return write_path(Address(local, domain))[1:-1]


def _missing(names: list[bytes], trace: Trace) -> bytes:
    """Date and Message-ID, each when the message has none (RFC 6409 §8.2, §8.3)."""
    added = b""
    if b"date" not in names:
        added += f"Date: {format_datetime(trace.now)}\r\n".encode()
    if b"message-id" not in names:
        added += f"Message-ID: <{trace.id}@{trace.hostname}>\r\n".encode()
    return added
