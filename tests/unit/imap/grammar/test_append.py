"""What stands around the messages of APPEND and REPLACE."""

from __future__ import annotations

import datetime

import pytest

from tests.unit.imap.grammar.wire import read
from trekd.errors import SyntaxFault
from trekd.imap.grammar.append import parse_append, parse_append_end, parse_append_piece
from trekd.imap.grammar.commands import (
    Append,
    AppendMessage,
    AppendPiece,
    LiteralUse,
    MessageComplete,
    MessageURL,
    Replace,
)
from trekd.imap.grammar.sequence import SequenceSet
from trekd.imap.grammar.tokens import ParseOptions
from trekd.values import DRAFT, INBOX, SEEN, Flag, MailboxName

OPTIONS = ParseOptions()
BARE = AppendMessage((), None)
MESSAGE, TEXT, URL = LiteralUse


def test_append_prefix() -> None:
    """RFC 3501 §6.3.11."""
    bare = parse_append((b"A003 APPEND saved-messages ",), OPTIONS)
    assert bare == Append(b"A003", MailboxName("saved-messages"), AppendPiece((BARE,), MESSAGE))
    full = parse_append(
        (b"a append ", b"INBOX", b' (\\Seen \\Recent $x) " 7-Feb-1994 21:52:25 -0800" '), OPTIONS
    )
    zone = datetime.timezone(-datetime.timedelta(hours=8))
    moment = datetime.datetime(1994, 2, 7, 21, 52, 25, tzinfo=zone)
    assert full == Append(b"a", INBOX, AppendPiece((AppendMessage((SEEN, Flag("$x")), moment),), MESSAGE))


def test_replace() -> None:
    """RFC 8508 §5."""
    piece = AppendPiece((AppendMessage((DRAFT,), None),), MESSAGE)
    one = parse_append((b"a REPLACE 4 Drafts (\\Draft) ",), OPTIONS)
    assert one == Replace(b"a", MailboxName("Drafts"), piece, SequenceSet.parse(b"4"), uid=False)
    last = parse_append((b"a uid replace * ", b"Drafts", b" (\\Draft) ~"), OPTIONS)
    assert last == Replace(b"a", MailboxName("Drafts"), piece, SequenceSet.parse(b"*"), uid=True)
    for arguments in (b"REPLACE 1:2 x ", b"REPLACE 0 x ", b"REPLACE x ", b"UID APPEND x ", b"REPLACE 5000000000 x "):
        with pytest.raises(SyntaxFault):
            parse_append((b"a " + arguments,), OPTIONS)


def test_further_messages_of_one_append() -> None:
    """RFC 3502 §6.3.11."""
    assert parse_append_piece((b" ",), MESSAGE, OPTIONS) == AppendPiece((BARE,), MESSAGE)
    draft = AppendPiece((AppendMessage((DRAFT,), None),), MESSAGE)
    assert parse_append_piece((b" (\\Draft) ",), MESSAGE, OPTIONS) == draft
    assert parse_append_piece((b" ~",), MESSAGE, OPTIONS) == AppendPiece((BARE,), MESSAGE)  # RFC 3516 §7
    for piece in (b"", b"  ", b"~", b"x ", b" x ", b" ()", b' () "x" ', b' "07-Feb-1994 21:52:25 -0800" () ', b")"):
        with pytest.raises(SyntaxFault):
            parse_append_piece((piece,), MESSAGE, OPTIONS)


def test_nothing_follows_the_last_message() -> None:
    assert parse_append_end(b"", MESSAGE, OPTIONS) == AppendPiece((), None)
    assert parse_append_end(b" ", MESSAGE, OPTIONS) == AppendPiece((), None)
    for rest in (b" x", b")", b" ()", b"~"):
        with pytest.raises(SyntaxFault):
            parse_append_end(rest, MESSAGE, OPTIONS)


# --- CATENATE -------------------------------------------------------------------------------------


def test_parts_before_and_between_literals() -> None:
    """RFC 4469 §5: as in the first example of appendix A, and with a URL as a literal."""
    first = parse_append((b'a APPEND Drafts (\\Draft) CATENATE (URL "/x/;UID=1" TEXT ',), OPTIONS)
    head = AppendMessage((DRAFT,), None)
    assert first.piece == AppendPiece((head, MessageURL(b"/x/;UID=1")), TEXT)
    between = parse_append_piece((b" URL /x/;UID=2 url \"/x/;UID=3\" text ~",), TEXT, OPTIONS)
    assert between == AppendPiece((MessageURL(b"/x/;UID=2"), MessageURL(b"/x/;UID=3")), TEXT)
    assert parse_append_piece((b" URL ",), TEXT, OPTIONS) == AppendPiece((), URL)
    assert parse_append_end(b")", URL, OPTIONS) == AppendPiece((MessageComplete(),), None)
    assert parse_append_end(b" URL x) ", TEXT, OPTIONS) == AppendPiece((MessageURL(b"x"), MessageComplete()), None)


def test_several_messages_with_parts() -> None:
    """RFC 4469 §3 with RFC 3502: of parts or whole, in any order."""
    piece = parse_append_piece((b") (\\Seen) CATENATE (URL x) ",), TEXT, OPTIONS)
    seen = AppendMessage((SEEN,), None)
    assert piece == AppendPiece((MessageComplete(), seen, MessageURL(b"x"), MessageComplete(), BARE), MESSAGE)


def test_a_message_of_urls_needs_no_literal() -> None:
    """RFC 4469 §5; for REPLACE RFC 8508 §4.2."""
    steps = (BARE, MessageURL(b"x"), MessageComplete())
    assert read(b"a APPEND INBOX CATENATE (URL x)") == Append(b"a", INBOX, AppendPiece(steps, None))
    three = SequenceSet.parse(b"3")
    replaced = Replace(b"a", INBOX, AppendPiece(steps, None), three, uid=True)
    assert read(b"a UID REPLACE 3 INBOX CATENATE (URL x)") == replaced


@pytest.mark.parametrize(
    "arguments",
    [
        b"CATENATE ",
        b"CATENATE (",
        b"CATENATE ()",
        b"CATENATE (URL x",
        b"CATENATE (URL x )",
        b"CATENATE (URL x)x",
        b"CATENATE (URL x) (",
        b"CATENATE (URL xTEXT ",
        b"CATENATE (TEXT x)",
        b"CATENATE (OTHER x)",
        b"CATENATE URL x",
    ],
)
def test_malformed_parts(arguments: bytes) -> None:
    with pytest.raises(SyntaxFault):
        read(b"a APPEND INBOX " + arguments)
    with pytest.raises(SyntaxFault):
        parse_append((b"a APPEND INBOX " + arguments,), OPTIONS)


# --- What is malformed ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "date",
    [
        b"31-Feb-1994 21:52:25 -0800",
        b"7-Foo-1994 21:52:25 -0800",
        b"07-Feb-1994 24:52:25 -0800",
        b"07-Feb-1994 21:60:25 -0800",
        b"07-Feb-1994 21:52:61 -0800",
        b"07-Feb-1994 21:52:25 -9900",
        b"07-Feb-1994 21:52:25 0800",
        b"07-Feb-1994 21:52:25",
        b"07-Feb-94 21:52:25 -0800",
        b"07-Feb-0000 21:52:25 -0800",
        b"01-Jan-0001 00:00:00 +0800",
        b"31-Dec-9999 23:59:59 -0800",
        b"07-Feb-1994 21:52:25 -0800 ",
        b"",
    ],
)
def test_impossible_internal_dates(date: bytes) -> None:
    with pytest.raises(SyntaxFault):
        parse_append((b'a APPEND x "' + date + b'" ',), OPTIONS)


def test_leap_seconds_are_possible() -> None:
    append = parse_append((b'a APPEND x "30-Jun-1997 23:59:60 +0000" ',), OPTIONS)
    moment = datetime.datetime(1997, 6, 30, 23, 59, 59, tzinfo=datetime.UTC)
    assert append.piece.steps == (AppendMessage((), moment),)


@pytest.mark.parametrize("fragments", [(b"a APPEND ",), (b"a APPEND x ~~",), (b"a APPEND x~",), (b"APPEND x ",)])
def test_malformed_append(fragments: tuple[bytes, ...]) -> None:
    with pytest.raises(SyntaxFault):
        parse_append(fragments, OPTIONS)


def test_append_without_literal_is_malformed() -> None:
    """The reader found no announcement, as in C{{{-100}}}."""
    appends = (b"APPEND x", b"APPEND x {-100}", b'APPEND x (\\Seen) "message"')
    for octets in (*appends, b"REPLACE 1 x", b"UID REPLACE 1 x", b"REPLACE 1 x ()"):
        with pytest.raises(SyntaxFault):
            read(b"a " + octets)
