"""From a client's octets to a command's value, as a session goes, whole and one octet at a time."""

from __future__ import annotations

from collections.abc import Iterable

from tests.fakes.trickle import trickle, whole
from trekd.imap.grammar.commands import Command
from trekd.imap.grammar.fragments import CommandOctets, CommandReader, LiteralRequested, ReaderLimits
from trekd.imap.grammar.parsing import parse_command
from trekd.imap.grammar.tokens import ParseOptions


def read(octets: bytes, options: ParseOptions | None = None) -> Command:
    """
    The one command in C{octets}; its CRLF is added.

    @raise SyntaxFault: as L{parse_command}.
    """
    fragments = _fragments(whole(octets + b"\r\n"))
    assert fragments == _fragments(trickle(octets + b"\r\n"))
    return parse_command(fragments, options or ParseOptions())


def _fragments(pieces: Iterable[bytes]) -> tuple[bytes, ...]:
    reader = CommandReader(ReaderLimits())
    found: list[tuple[bytes, ...]] = []
    for piece in pieces:
        reader.feed(piece)
        while (event := reader.next_event()) is not None:
            if isinstance(event, LiteralRequested):
                reader.accept_literal()
            else:
                assert isinstance(event, CommandOctets)
                found.append(event.fragments)
    assert len(found) == 1
    return found[0]
