"""Lines and literals of IMAP commands, each session whole and one octet at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest

from tests.fakes.trickle import trickle, whole
from trekd.errors import LimitExceeded, MessageTooLarge
from trekd.imap.grammar.fragments import (
    AppendEnded,
    CommandOctets,
    CommandReader,
    CommandRefused,
    ContinuationLine,
    Event,
    LiteralRequested,
    MessageChunk,
    MessageEnded,
    MessageOffered,
    ReaderLimits,
    command_tag,
)

Portions = Callable[[bytes], Iterator[bytes]]
LIMITS = ReaderLimits(max_line=200, max_literal=100, max_literals=4, max_append=1000)


@pytest.fixture(params=[whole, trickle])
def portions(request: pytest.FixtureRequest) -> Portions:
    """How the octets arrive."""
    chosen: Portions = request.param
    return chosen


def events(pieces: Iterable[bytes], limits: ReaderLimits = LIMITS, accept: bool = True) -> list[Event]:
    """All events of a session that takes, or refuses, every literal; chunks joined."""
    reader = CommandReader(limits)
    seen: list[Event] = []
    for piece in pieces:
        reader.feed(piece)
        while (event := reader.next_event()) is not None:
            if isinstance(event, LiteralRequested | MessageOffered):
                (reader.accept_literal if accept else reader.refuse_literal)()
            if isinstance(event, MessageChunk) and seen and isinstance(seen[-1], MessageChunk):
                seen[-1] = MessageChunk(seen[-1].octets + event.octets)
            else:
                seen.append(event)
    return seen


def refusal(event: Event) -> tuple[bytes, type[Exception], bool]:
    """Tag, kind of fault and fatality of a refusal."""
    assert isinstance(event, CommandRefused)
    return event.tag, type(event.fault), event.fatal


def test_pipelined_commands_come_in_order(portions: Portions) -> None:
    assert events(portions(b"a NOOP\r\nb CHECK\r\n\r\nc LOGOUT\r\n")) == [
        CommandOctets((b"a NOOP",)),
        CommandOctets((b"b CHECK",)),
        CommandOctets((b"",)),
        CommandOctets((b"c LOGOUT",)),
    ]


def test_lf_alone_ends_a_line(portions: Portions) -> None:
    assert events(portions(b"a NOOP\nb LOGIN {1+}\nx y\n")) == [
        CommandOctets((b"a NOOP",)),
        CommandOctets((b"b LOGIN ", b"x", b" y")),
    ]


def test_incomplete_line_is_no_event(portions: Portions) -> None:
    assert events(portions(b"a NOOP\r")) == []


def test_literals_of_rfc_3501_login(portions: Portions) -> None:
    """RFC 3501 §8."""
    octets = b"a001 LOGIN {11}\r\nFRED FOOBAR {7}\r\nfat man\r\n"
    assert events(portions(octets)) == [
        LiteralRequested(b"a001", 11),
        LiteralRequested(b"a001", 7),
        CommandOctets((b"a001 LOGIN ", b"FRED FOOBAR", b" ", b"fat man", b"")),
    ]


def test_non_synchronising_literals_need_no_request(portions: Portions) -> None:
    """RFC 7888 §3; line ends and announcements inside a literal are only octets."""
    octets = b"a LOGIN {9+}\r\nx\r\ny{3+}\n {0+}\r\n\r\nb NOOP\r\n"
    assert events(portions(octets)) == [
        CommandOctets((b"a LOGIN ", b"x\r\ny{3+}\n", b" ", b"", b"")),
        CommandOctets((b"b NOOP",)),
    ]


def test_replace_streams_its_message(portions: Portions) -> None:
    """RFC 8508 §5; a literal before is the mailbox's name."""
    for command in (b"REPLACE 1", b"uid replace 7"):
        assert events(portions(b"a " + command + b" {3+}\r\nbox {5}\r\nab\r\nc\r\n")) == [
            MessageOffered((b"a " + command + b" ", b"box", b" "), 5, True),
            MessageChunk(b"ab\r\nc"),
            MessageEnded(),
            AppendEnded(b""),
        ]


def test_literal8_keeps_its_tilde(portions: Portions) -> None:
    assert events(portions(b"a X ~{2+}\r\n\x00\x01\r\n")) == [CommandOctets((b"a X ~", b"\x00\x01", b""))]


def test_nothing_is_read_before_the_decision() -> None:
    reader = CommandReader(LIMITS)
    reader.feed(b"a LOGIN {1}\r\nx y\r\n")
    assert reader.next_event() == LiteralRequested(b"a", 1)
    assert reader.next_event() is None
    reader.accept_literal()
    assert reader.next_event() == CommandOctets((b"a LOGIN ", b"x", b" y"))


def test_refused_synchronising_literal_ends_the_command(portions: Portions) -> None:
    octets = b"a LOGIN {3}\r\nb NOOP\r\n"
    assert events(portions(octets), accept=False) == [LiteralRequested(b"a", 3), CommandOctets((b"b NOOP",))]


def test_append_streams_its_message(portions: Portions) -> None:
    octets = b'a APPEND box (\\Seen) {5}\r\nab\r\nc\r\nb NOOP\r\n'
    assert events(portions(octets)) == [
        MessageOffered((b"a APPEND box (\\Seen) ",), 5, True),
        MessageChunk(b"ab\r\nc"),
        MessageEnded(),
        AppendEnded(b""),
        CommandOctets((b"b NOOP",)),
    ]


def test_append_to_a_mailbox_named_by_a_literal(portions: Portions) -> None:
    assert events(portions(b"a append {3}\r\nbox {2+}\r\nhi\r\n")) == [
        LiteralRequested(b"a", 3),
        MessageOffered((b"a append ", b"box", b" "), 2, False),
        MessageChunk(b"hi"),
        MessageEnded(),
        AppendEnded(b""),
    ]


def test_multiappend_offers_each_message(portions: Portions) -> None:
    """RFC 3502 §6.3.11."""
    octets = b'a APPEND x {2+}\r\nhi (\\Seen) " 7-Feb-1994 22:43:04 -0800" {1}\r\n! {0+}\r\n z\r\n'
    assert events(portions(octets)) == [
        MessageOffered((b"a APPEND x ",), 2, False),
        MessageChunk(b"hi"),
        MessageEnded(),
        MessageOffered((b' (\\Seen) " 7-Feb-1994 22:43:04 -0800" ',), 1, True),
        MessageChunk(b"!"),
        MessageEnded(),
        MessageOffered((b" ",), 0, False),
        MessageEnded(),
        AppendEnded(b" z"),
    ]


@pytest.mark.parametrize("plus", [b"", b"+"])
def test_append_can_be_abandoned_anywhere(plus: bytes) -> None:
    """The store may fail at any time; the client's octets never run as commands."""
    first = b"a APPEND x {12" + plus + b"}\r\n"
    octets = first + b"z1 LOGOUT\r\n. (\\Seen) {11+}\r\nz2 LOGOUT\r\n\r\nb NOOP\r\n"
    for at in range(len(first), len(octets)):
        reader = CommandReader(LIMITS)
        reader.feed(octets[:at])
        while (event := reader.next_event()) is not None:
            if isinstance(event, MessageOffered):
                reader.accept_literal()
        reader.abandon_append()
        reader.feed(octets[at:])
        assert reader.next_event() == CommandOctets((b"b NOOP",))
        assert reader.next_event() is None


def test_refused_message_is_swallowed_exactly(portions: Portions) -> None:
    """The octets of a refused message never run as commands (RFC 7888 §4)."""
    octets = b"a APPEND x {12+}\r\nz1 LOGOUT\r\n. {11+}\r\nz2 LOGOUT\r\n\r\nb NOOP\r\n"
    assert events(portions(octets), accept=False) == [
        MessageOffered((b"a APPEND x ",), 12, False),
        CommandOctets((b"b NOOP",)),
    ]


def test_swallowing_stops_at_a_synchronising_literal(portions: Portions) -> None:
    """The client waits after C{{9}}; it has its refusal and sends the next command."""
    octets = b"a APPEND x {2+}\r\nhi {9}\r\nb NOOP\r\n"
    assert events(portions(octets), accept=False) == [
        MessageOffered((b"a APPEND x ",), 2, False),
        CommandOctets((b"b NOOP",)),
    ]


def test_message_over_the_limit_is_refused_before_it_comes(portions: Portions) -> None:
    seen = events(portions(b"a APPEND x {1001}\r\nb NOOP\r\n"))
    assert refusal(seen[0]) == (b"a", MessageTooLarge, False)
    assert seen[1:] == [CommandOctets((b"b NOOP",))]


def test_pushed_message_over_the_limit_is_swallowed(portions: Portions) -> None:
    seen = events(portions(b"a APPEND x {1001+}\r\n" + b"\n" * 1001 + b"\r\nb NOOP\r\n"))
    assert refusal(seen[0]) == (b"a", MessageTooLarge, False)
    assert seen[1:] == [CommandOctets((b"b NOOP",))]


def test_second_message_over_the_limit_ends_the_append(portions: Portions) -> None:
    seen = events(portions(b"a APPEND x {1+}\r\n! {1001}\r\nb NOOP\r\n"))
    assert seen[:3] == [MessageOffered((b"a APPEND x ",), 1, False), MessageChunk(b"!"), MessageEnded()]
    assert refusal(seen[3]) == (b"a", MessageTooLarge, False)
    assert seen[4:] == [CommandOctets((b"b NOOP",))]


@pytest.mark.parametrize("number", [b"101", b"4294967295", b"99999999999999999999", b"9" * 32])
def test_too_large_literal_is_refused_while_the_client_waits(portions: Portions, number: bytes) -> None:
    seen = events(portions(b"a LOGIN {" + number + b"}\r\nb NOOP\r\n"))
    assert refusal(seen[0]) == (b"a", LimitExceeded, False)
    assert seen[1:] == [CommandOctets((b"b NOOP",))]


@pytest.mark.parametrize("number", [b"4294967296", b"999999999999999999999"])
@pytest.mark.parametrize("command", [b"LOGIN ", b"APPEND x "])
def test_pushed_literal_beyond_32_bits_is_fatal(portions: Portions, number: bytes, command: bytes) -> None:
    seen = events(portions(b"a " + command + b"{" + number + b"+}\r\nb NOOP\r\nc NOOP\r\n"))
    assert refusal(seen[0])[::2] == (b"a", True)
    assert len(seen) == 1


@pytest.mark.parametrize("marker", [b"{-100}", b"{-100+}", b"{}", b"{+}", b"{5-}", b"{0x5}", b"{ 5}", b"5}"])
def test_garbled_announcement_is_an_ordinary_line(portions: Portions, marker: bytes) -> None:
    """C{{-100}} hangs some servers (GHSA-2qrf-pqgx-qh9v); here it is a line that no rule matches."""
    assert events(portions(b"a SEARCH " + marker + b"\r\nb NOOP\r\n")) == [
        CommandOctets((b"a SEARCH " + marker,)),
        CommandOctets((b"b NOOP",)),
    ]


def test_literals_of_one_command_share_their_limit(portions: Portions) -> None:
    seen = events(portions(b"a LOGIN {60+}\r\n" + b"x" * 60 + b" {41+}\r\n" + b"\n" * 41 + b"\r\nb NOOP\r\n"))
    assert refusal(seen[0]) == (b"a", LimitExceeded, False)
    assert seen[1:] == [CommandOctets((b"b NOOP",))]


def test_number_of_literals_is_bounded(portions: Portions) -> None:
    seen = events(portions(b"a X" + b" {1+}\r\n\n" * 4 + b"\r\n"))
    assert [type(event) for event in seen] == [CommandOctets]
    seen = events(portions(b"a X" + b" {1+}\r\n\n" * 5 + b"\r\nb NOOP\r\n"))
    assert refusal(seen[0]) == (b"a", LimitExceeded, False)
    assert seen[1:] == [CommandOctets((b"b NOOP",))]


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_line_limit_is_exact(portions: Portions, end: bytes) -> None:
    line = b"a " + b"x" * 198
    assert events(portions(line + end)) == [CommandOctets((line,))]
    seen = events(portions(line + b"xx" + end + b"b NOOP\r\n"))
    assert refusal(seen[0]) == (b"a", LimitExceeded, False)
    assert seen[1:] == [CommandOctets((b"b NOOP",))]


def test_line_pieces_around_literals_share_the_limit(portions: Portions) -> None:
    octets = b"a X " + b"y" * 100 + b"{1+}\r\n!" + b"y" * 100 + b"\r\nb NOOP\r\n"
    seen = events(portions(octets))
    assert refusal(seen[0]) == (b"a", LimitExceeded, False)
    assert seen[1:] == [CommandOctets((b"b NOOP",))]


def test_long_line_takes_its_literal_along(portions: Portions) -> None:
    octets = b"a X " + b"y" * 500 + b"{8+}\r\nc NOOP\r\n tail\r\nb NOOP\r\n"
    seen = events(portions(octets))
    assert refusal(seen[0]) == (b"a", LimitExceeded, False)
    assert seen[1:] == [CommandOctets((b"b NOOP",))]


def test_long_garbage_has_no_tag(portions: Portions) -> None:
    seen = events(portions(b"(" * 500 + b"\r\n"))
    assert refusal(seen[0]) == (b"*", LimitExceeded, False)


@pytest.mark.parametrize("octets", [b"y" * 300, b"y" * 300 + b"{9+}\r\nb NOOP\r\n!"])
def test_long_line_after_a_message_ends_the_append(portions: Portions, octets: bytes) -> None:
    seen = events(portions(b"a APPEND x {1+}\r\n! " + octets + b"\r\nc NOOP\r\n"))
    assert refusal(seen[3]) == (b"a", LimitExceeded, False)
    assert seen[4] == CommandOctets((b"c NOOP",))


def test_swallowing_without_end_is_fatal(portions: Portions) -> None:
    seen = events(portions(b"a LOGIN {101+}\r\n" + b"\n" * 101 + b" {4294967296+}\r\nb NOOP\r\n"))
    assert [refusal(event) for event in seen] == [(b"a", LimitExceeded, False), (b"*", LimitExceeded, True)]


def test_limits_hold_from_the_next_command_on() -> None:
    reader = CommandReader(LIMITS)
    reader.feed(b"a NOOP\r\nb " + b"x" * 50 + b"\r\n")
    assert reader.next_event() == CommandOctets((b"a NOOP",))
    reader.limits = ReaderLimits(max_line=20)
    event = reader.next_event()
    assert event is not None
    assert refusal(event) == (b"b", LimitExceeded, False)


def test_endless_line_takes_no_memory() -> None:
    reader = CommandReader(LIMITS)
    refusals = 0
    for _ in range(1000):
        reader.feed(b"x" * 1000)
        while reader.next_event() is not None:
            refusals += 1
        assert not reader.is_full
    assert refusals == 1


def test_full_reader_always_has_an_event() -> None:
    reader = CommandReader(LIMITS)
    reader.feed(b"a NOOP\r\n" * 100)
    assert reader.is_full
    while reader.is_full:
        assert reader.next_event() is not None


def test_done_and_what_follows_in_one_packet(portions: Portions) -> None:
    """As iOS sends it: the line that ends IDLE, then the next commands."""
    reader = CommandReader(LIMITS)
    reader.feed(b"a IDLE\r\n")
    assert reader.next_event() == CommandOctets((b"a IDLE",))
    reader.expect_line()
    seen = []
    for piece in portions(b"DONE\r\nb NAMESPACE\r\nc NOOP\r\n"):
        reader.feed(piece)
        while (event := reader.next_event()) is not None:
            seen.append(event)
    assert seen == [
        ContinuationLine(b"DONE"),
        CommandOctets((b"b NAMESPACE",)),
        CommandOctets((b"c NOOP",)),
    ]


def test_continuation_line_is_no_literal() -> None:
    reader = CommandReader(LIMITS)
    reader.expect_line()
    reader.feed(b"x {5+}\r\nb NOOP\r\n")
    assert reader.next_event() == ContinuationLine(b"x {5+}")
    assert reader.next_event() == CommandOctets((b"b NOOP",))


def test_long_continuation_line_is_refused(portions: Portions) -> None:
    reader = CommandReader(LIMITS)
    reader.expect_line()
    seen: list[Event] = []
    for piece in portions(b"A" * 300 + b"\r\nb NOOP\r\n"):
        reader.feed(piece)
        while (event := reader.next_event()) is not None:
            seen.append(event)
    assert refusal(seen[0]) == (b"*", LimitExceeded, False)
    assert seen[1:] == [CommandOctets((b"b NOOP",))]


def test_octets_behind_starttls_are_dropped() -> None:
    """RFC 3501 §6.2.1: nothing sent in clear is read under TLS."""
    reader = CommandReader(LIMITS)
    reader.feed(b"a STARTTLS\r\nb LOGIN {3+}\r\nab")
    assert reader.next_event() == CommandOctets((b"a STARTTLS",))
    assert reader.take_rest() == 16
    reader.feed(b"c NOOP\r\n")
    assert reader.next_event() == CommandOctets((b"c NOOP",))


@pytest.mark.parametrize(
    ("line", "tag"),
    [
        (b"a001 NOOP", b"a001"),
        (b"A]1", b"A]1"),
        (b"", b"*"),
        (b" a NOOP", b"*"),
        (b"a+b NOOP", b"*"),
        (b"* NOOP", b"*"),
        (b"a\x00 NOOP", b"*"),
        (b"\xff NOOP", b"*"),
    ],
)
def test_tag_of_a_malformed_command(line: bytes, tag: bytes) -> None:
    assert command_tag((line,)) == tag
