"""Content lines (RFC 5545 §3.1, RFC 6868)."""

from __future__ import annotations

import pytest

from trekd.calendar.contentlines import (
    Component,
    Property,
    TreeLimits,
    escape,
    join_values,
    parse,
    parse_all,
    split_values,
    unescape,
    write,
)
from trekd.errors import LimitExceeded, SyntaxFault


def _one(line: str) -> Property:
    return parse(f"BEGIN:X\r\n{line}\r\nEND:X\r\n".encode()).properties[0]


def test_names_values_and_order_stay_as_sent() -> None:
    tree = parse(b"BEGIN:VEVENT\r\nx-Foo;Y=1:a\r\nSummary:b\r\nBEGIN:VALARM\r\nEND:VALARM\r\nUID:3\r\nEND:VEVENT\r\n")
    assert [(each.name, each.value) for each in tree.properties] == [("x-Foo", "a"), ("Summary", "b"), ("UID", "3")]
    assert [each.name for each in tree.components] == ["VALARM"]
    assert tree.value("SUMMARY") == "b"
    assert tree.first("X-FOO") == Property("x-Foo", "a", (("Y", ("1",)),))


def test_parameters_are_unquoted_and_may_have_many_values() -> None:
    line = _one('ATTENDEE;MEMBER="mailto:a@x","mailto:b@x";CN="Doe; John";RSVP=TRUE:mailto:c@x')
    assert line.parameter_values("MEMBER") == ("mailto:a@x", "mailto:b@x")
    assert line.parameter("CN") == "Doe; John"
    assert line.parameter("RSVP") == "TRUE"
    assert line.parameter("CUTYPE") is None
    assert line.value == "mailto:c@x"


def test_caret_escapes_of_parameters() -> None:
    """RFC 6868 §3.2, and its example."""
    line = _one("ATTENDEE;CN=George Herman ^'Babe^' Ruth^^^n^x:mailto:b@example.com")
    assert line.parameter("CN") == 'George Herman "Babe" Ruth^\n^x'
    tree = Component("X", (line,))
    assert parse(write(tree)) == tree


def test_a_fold_may_cut_a_character() -> None:
    assert parse("BEGIN:X\r\nA:ö".encode()[:-1] + b"\r\n \xb6" + b"\r\nEND:X").value("A") == "ö"


def test_bare_line_feeds_empty_lines_and_a_byte_order_mark_are_taken() -> None:
    assert parse(b"\xef\xbb\xbfBEGIN:X\nA:1\n  2\n\n\nEND:X\n").value("A") == "1 2"


def test_a_group_and_a_bare_parameter_of_vcard() -> None:
    line = _one("item1.TEL;HOME;TYPE=cell:1")
    assert (line.group, line.name, line.parameters) == ("item1", "TEL", (("HOME", ()), ("TYPE", ("cell",))))
    tree = Component("X", (line,))
    assert parse(write(tree)) == tree


def test_lines_are_folded_at_75_octets_and_never_within_a_character() -> None:
    tree = Component("X", (Property("SUMMARY", "ä" * 200), Property("A", "b" * 75)))
    octets = write(tree)
    assert octets.endswith(b"END:X\r\n")
    for line in octets.split(b"\r\n"):
        assert len(line) <= 75
        line.decode()
    assert parse(octets) == tree


def test_a_line_of_75_octets_is_not_folded() -> None:
    assert write(Component("X", (Property("A", "b" * 73),))).count(b"\r\n ") == 0


def test_no_line_can_be_slipped_in_by_a_value() -> None:
    octets = write(Component("X", (Property("A", "1\r\nB:2", (("C", ("3\nD:4",)),)),)))
    assert [each.name for each in parse(octets).properties] == ["A"]


@pytest.mark.parametrize(
    ("octets", "offset"),
    [
        (b"BEGIN:X\r\nA:1\r\nwhat\r\nEND:X\r\n", 14),
        (b"BEGIN:X\r\nA:1\r\n 2\r\n: 5\r\nEND:X\r\n", 18),
        (b"BEGIN:X\r\nBEGIN:Y\r\nEND:X\r\n", 18),
        (b"BEGIN:X\r\nA:1\r\n", 14),
        (b"A:1\r\n", 0),
        (b"BEGIN:X\r\nA:\xff\r\nEND:X\r\n", 9),
        (b'BEGIN:X\r\nA;B="c:1\r\nEND:X\r\n', 9),
        (b"BEGIN:X\r\nA:1\r2\r\nEND:X\r\n", 9),
        (b"BEGIN:X\r\nA:1\0\r\nEND:X\r\n", 9),
    ],
)
def test_a_fault_says_where(octets: bytes, offset: int) -> None:
    with pytest.raises(SyntaxFault) as fault:
        parse(octets)
    assert fault.value.offset == offset


def test_one_component_is_asked_for() -> None:
    two = b"BEGIN:X\nEND:X\nBEGIN:Y\nEND:Y\n"
    assert [each.name for each in parse_all(two)] == ["X", "Y"]
    for octets in (two, b"", b"\n"):
        with pytest.raises(SyntaxFault):
            parse(octets)


@pytest.mark.parametrize(
    "octets",
    [
        b"BEGIN:X\n" * 5 + b"END:X\n" * 5,
        b"BEGIN:X\n" + b"A:1\n" * 20 + b"END:X\n",
        b"BEGIN:X\nA:" + b"1" * 101 + b"\nEND:X\n",
        b"BEGIN:X\nA:" + b"1\n " * 101 + b"\nEND:X\n",
        b"BEGIN:X\nA:" + "ö".encode() * 51 + b"\nEND:X\n",
    ],
)
def test_limits(octets: bytes) -> None:
    with pytest.raises(LimitExceeded):
        parse(octets, TreeLimits(lines=15 if octets.count(b"A") > 9 else 1000, line=100, depth=4))


def test_text_values() -> None:
    assert unescape(r"a\, b\; c\\ d\n\N\x") == "a, b; c\\ d\n\nx"
    assert escape("a, b; c\\ d\r\ne") == r"a\, b\; c\\ d\ne"
    assert split_values(r"a\,b,c,,d\\,e") == (r"a\,b", "c", "", r"d\\", "e")
    assert split_values("a;b", ";") == ("a", "b")
    assert join_values(("a,b", "c")) == r"a\,b,c"


@pytest.mark.parametrize(
    "line", [b"\r" * 300_000, b'A;B="' + b":" * 300_000, b"A:" + b"\\," * 100_000, b"A" + b";B=1" * 60_000]
)
def test_odd_lines_take_no_longer_than_they_are(line: bytes) -> None:
    """Quadratic time would be minutes."""
    try:
        split_values(parse(b"BEGIN:X\n" + line + b"\nEND:X\n").value("A"))
    except SyntaxFault:
        pass
