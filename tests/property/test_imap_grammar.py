"""
IMAP's grammar over generated input: any split of the octets gives the same events, no input raises anything
but L{SyntaxFault}, and what is written reads back as it was.
"""

from __future__ import annotations

import datetime
import string
from array import array
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.trickle import split, trickle, whole
from trekd.errors import BadMailboxName, SyntaxFault
from trekd.imap.grammar import writing
from trekd.imap.grammar.append import parse_append, parse_append_end, parse_append_piece
from trekd.imap.grammar.commands import Command, LiteralUse
from trekd.imap.grammar.fragments import (
    CommandOctets,
    CommandReader,
    CommandRefused,
    Event,
    LiteralRequested,
    MessageChunk,
    MessageOffered,
    ReaderLimits,
)
from trekd.imap.grammar.names import ListPattern, decode_utf7, encode_utf7
from trekd.imap.grammar.parsing import parse_command, sasl_response
from trekd.imap.grammar.sequence import SequenceSet, uid_set
from trekd.imap.grammar.tokens import Cursor, ParseOptions
from trekd.imap.grammar.urls import parse_url
from trekd.store import rendering
from trekd.values import MAX_UID, Flag, MailboxName

FEW = settings(max_examples=100, deadline=None)
LIMITS = ReaderLimits(max_line=60, max_literal=40, max_literals=3, max_append=50)
OPTIONS = ParseOptions(max_nesting=10, max_items=20)

WORDS = (
    b"a b1 NOOP LOGIN APPEND SELECT LIST LSUB STATUS SEARCH FETCH STORE UID COPY MOVE ID ENABLE CREATE "
    b'EXPUNGE AUTHENTICATE RETURN ( ) () " "" "x" \\ \\Seen {3} {3+} {0+} {60+} {-1} {4294967296+} {41+} '
    b"~{2+} \r\n \n \x00 \xff 1 1:* * % 4294967296 INBOX &APw- FLAGS BODY[ ] <0.5> OR NOT ALL UTF-8 CHARSET "
    b"1-Feb-1994 SUBJECT KEYWORD (FLAGS) BODY.PEEK[HEADER.FIELDS (x)] +FLAGS.SILENT USE MESSAGES HEADER "
    b"SINCE LARGER NIL REPLACE CATENATE (TEXT URL /x;UIDVALIDITY=1/;UID=1/;SECTION=1"
).split(b" ")

streams = st.lists(st.sampled_from(WORDS) | st.binary(max_size=4), max_size=25).map(b" ".join) | st.lists(
    st.sampled_from(WORDS), max_size=25
).map(b"".join)


def events(pieces: Iterable[bytes], decisions: list[bool]) -> list[Event]:
    """The events of a session that accepts and refuses literals as told; chunks joined."""
    reader = CommandReader(LIMITS)
    seen: list[Event] = []
    asked = 0
    for piece in pieces:
        reader.feed(piece)
        while (event := reader.next_event()) is not None:
            if isinstance(event, LiteralRequested | MessageOffered):
                accept = decisions[asked % len(decisions)]
                asked += 1
                (reader.accept_literal if accept else reader.refuse_literal)()
            if isinstance(event, MessageChunk) and seen and isinstance(seen[-1], MessageChunk):
                seen[-1] = MessageChunk(seen[-1].octets + event.octets)
            else:
                seen.append(event)
        assert not reader.is_full
    return seen


def comparable(seen: list[Event]) -> list[object]:
    """Events, refusals by what they say."""
    return [
        (event.tag, type(event.fault), str(event.fault), event.fatal)
        if isinstance(event, CommandRefused)
        else event
        for event in seen
    ]


@FEW
@given(streams.map(lambda octets: octets + b"\r\n"), st.lists(st.booleans(), min_size=1), st.data())
def test_any_split_gives_the_same_events(octets: bytes, decisions: list[bool], data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(octets)), max_size=10))
    expected = comparable(events(whole(octets), decisions))
    assert comparable(events(split(octets, cuts), decisions)) == expected
    assert comparable(events(trickle(octets), decisions)) == expected


@settings(FEW, max_examples=300)
@given(streams)
def test_nothing_but_syntax_faults(octets: bytes) -> None:
    for event in events(whole(octets + b"\r\n"), [True]):
        try:
            if isinstance(event, CommandOctets):
                assert isinstance(parse_command(event.fragments, OPTIONS), Command)
            if isinstance(event, MessageOffered):
                parse_append(event.fragments, OPTIONS)
        except (SyntaxFault, BadMailboxName):
            pass


COMMAND_STARTS = [
    b"a LOGIN ", b"a LIST ", b"a SEARCH ", b"a UID SEARCH RETURN (", b"a FETCH 1 ", b"a FETCH 1 BODY[",
    b"a STORE 1 ", b"a STATUS ", b"a CREATE ", b"a ID ", b"a AUTHENTICATE ", b"a SEARCH CHARSET ", b"a UID ",
]  # fmt: skip


@settings(FEW, max_examples=300)
@given(st.sampled_from(COMMAND_STARTS), st.lists(st.sampled_from(WORDS) | st.binary(max_size=3), max_size=8))
def test_arguments_raise_nothing_but_syntax_faults(start: bytes, words: list[bytes]) -> None:
    for octets in (start + b" ".join(words), start + b"".join(words)):
        for fragments in ((octets,), (octets, b"x\x00", b"")):
            try:
                parse_command(fragments, OPTIONS)
            except (SyntaxFault, BadMailboxName):
                pass


@FEW
@given(st.binary(max_size=40))
def test_pieces_raise_nothing_but_syntax_faults(octets: bytes) -> None:
    for read in (
        sasl_response,
        decode_utf7,
        SequenceSet.parse,
        lambda piece: parse_append_piece((piece,), LiteralUse.MESSAGE, OPTIONS),
        lambda piece: parse_append_piece((b" CATENATE (URL x " + piece,), LiteralUse.MESSAGE, OPTIONS),
        lambda piece: parse_append_end(piece, LiteralUse.TEXT, OPTIONS),
        lambda piece: parse_url(b"/x" + piece + b"/;UID=1/;SECTION=" + piece, OPTIONS),
    ):
        try:
            read(octets)
        except SyntaxFault:
            pass


# --- What is written reads back -------------------------------------------------------------------


def cursor(octets: bytes) -> Cursor:
    """A cursor over tokens, cut into fragments as a session does."""
    reader = CommandReader(ReaderLimits())
    reader.feed(octets + b"\r\n")
    while not isinstance(event := reader.next_event(), CommandOctets):
        assert isinstance(event, LiteralRequested)
        reader.accept_literal()
    return Cursor(event.fragments, ParseOptions())


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
level_characters = st.characters(exclude_characters="/%*", exclude_categories=["Cc", "Cs", "Zl", "Zp"])
levels = st.text(level_characters, min_size=1)


@st.composite
def mailbox_names(draw: st.DrawFn) -> MailboxName:
    """Names that mailboxes can have."""
    text = "/".join(draw(st.lists(levels, min_size=1, max_size=4)))
    try:
        return MailboxName(text)
    except BadMailboxName:
        return MailboxName("x")


keywords = st.text(string.ascii_letters + string.digits + "$-_.", min_size=1, max_size=20).map(Flag)


@FEW
@given(texts, st.binary(max_size=50).map(lambda octets: octets.replace(b"\0", b"")))
def test_strings(text: str, octets: bytes) -> None:
    for value in (text.encode(), octets):
        for write, read in ((writing.string, Cursor.string), (writing.astring, Cursor.astring)):
            tokens = cursor(write(value))
            assert read(tokens) == value
            tokens.end()


@FEW
@given(mailbox_names())
def test_mailboxes(name: MailboxName) -> None:
    assert cursor(writing.mailbox(name)).mailbox() == name
    assert cursor(writing.astring(encode_utf7(name.text))).mailbox() == name
    assert ListPattern(name.text).matches(name)
    assert ListPattern("*").matches(name)
    assert ListPattern("/".join(["%"] * len(name.levels))).matches(name)


@FEW
@given(texts)
def test_modified_utf7(text: str) -> None:
    assert decode_utf7(encode_utf7(text)) == text


@FEW
@given(st.lists(keywords, unique=True, max_size=10))
def test_flags(flags: list[Flag]) -> None:
    assert frozenset(cursor(rendering.flag_list(frozenset(flags))).flag_list()) == frozenset(flags)


offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: datetime.timedelta(minutes=minutes))
zones = offsets.map(datetime.timezone)


@FEW
@given(st.datetimes(datetime.datetime(1, 1, 3), datetime.datetime(9999, 12, 29), timezones=zones))
def test_internal_dates(moment: datetime.datetime) -> None:
    read = cursor(rendering.internal_date(moment)).date_time()
    assert (read, read.utcoffset()) == (moment.replace(microsecond=0), moment.utcoffset())


# --- Sets and patterns against the obvious ----------------------------------------------------------

numbers = st.integers(1, 60) | st.just(MAX_UID)
ranges = st.tuples(numbers | st.none(), numbers | st.none())


@FEW
@given(st.lists(ranges, min_size=1, max_size=8), st.sets(st.integers(1, 60)))
def test_sequence_sets(pairs: list[tuple[int | None, int | None]], present: set[int]) -> None:
    octets = b",".join(b"%b:%b" % tuple(b"%d" % end if end else b"*" for end in pair) for pair in pairs)
    parsed = SequenceSet.parse(octets)
    uids = array("I", sorted(present))
    meant = set()
    for pair in pairs if present else ():
        low, high = sorted(end or max(present) for end in pair)
        meant |= {uid for uid in present if low <= uid <= high}
    assert list(parsed.present_in(uids)) == sorted(meant)
    assert {uid for uid in present if parsed.contains(uid, max(present))} == meant
    assert SequenceSet.parse(bytes(parsed)) == parsed
    if meant:
        assert list(SequenceSet.parse(uid_set(sorted(meant))).present_in(uids)) == sorted(meant)


def matches(pattern: str, name: str) -> bool:
    """LIST's pattern by its definition."""
    if not pattern:
        return not name
    if pattern[0] in "*%":
        if matches(pattern[1:], name):
            return True
        return bool(name) and (pattern[0] == "*" or name[0] != "/") and matches(pattern, name[1:])
    return bool(name) and pattern[0] == name[0] and matches(pattern[1:], name[1:])


@settings(FEW, max_examples=300)
@given(st.text("ab/*%", max_size=8), st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3))
def test_patterns(pattern: str, name_levels: list[str]) -> None:
    name = "/".join(name_levels)
    assert ListPattern(pattern).matches(MailboxName(name)) == matches(pattern, name)
