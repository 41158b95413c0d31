"""
Header fields as octets.
"""

from __future__ import annotations

import tracemalloc

from trekd.mime.header import (
    field_values,
    fields,
    has_field,
    named_fields,
    raw_fields,
    remove_fields,
    split_header,
)

OCTETS = b"Bcc: x@y,\r\n z@y\r\nSubject: a\r\n b\r\nno field\r\nBCC : w@y\r\nTo: t@y\r\n\r\nBcc: body\r\n"


def test_removal_takes_folded_lines_and_nothing_of_the_body() -> None:
    """RFC 5322 §3.6.3: no recipient sees the others of a Bcc."""
    assert remove_fields(OCTETS, [b"bcc"]) == (
        b"Subject: a\r\n b\r\nno field\r\nTo: t@y\r\n\r\nBcc: body\r\n"
    )
    assert remove_fields(b"Bcc: a\nTo: b\n\nx", [b"BCC"]) == b"To: b\n\nx"
    assert remove_fields(b"Bcc: a\rTo: b\r\rx", [b"Bcc"]) == b"To: b\r\rx"
    assert remove_fields(b"Bcc: a", [b"Bcc"]) == b""


def test_values_are_unfolded_and_in_order() -> None:
    """RFC 5322 §2.2.3."""
    assert field_values(OCTETS, b"Bcc") == (b"x@y, z@y", b"w@y")
    assert field_values(OCTETS, b"subject") == (b"a b",)
    assert field_values(OCTETS, b"absent") == ()


def test_presence() -> None:
    """In the header only."""
    assert has_field(OCTETS, b"SUBJECT")
    assert not has_field(b"A: b\r\n\r\nSubject: x", b"Subject")
    assert not has_field(OCTETS, b"no field")


def test_where_a_header_ends() -> None:
    """At the first empty line, whichever kind it is."""
    for octets, length in (
        (b"A: b\r\n\r\nx", 8),
        (b"A: b\n\nx", 6),
        (b"A: b\r\n\nx\r\n\r\ny", 7),
        (b"A: b\n\r\nx\n\ny", 7),
        (b"A: b\r\rx", 6),
        (b"A: b\r\n \r\nB: c", 13),
        (b"\r\nx", 2),
        (b"", 0),
    ):
        assert split_header(octets) == length, octets


def test_lines_of_one_field_cost_no_memory() -> None:
    """A field may have millions of continuation lines; a regular expression that could go back would note each."""
    header = b"From: a\r\nSubject: a" + b"\r\n a" * 250_000 + b"\r\n\r\n"
    tracemalloc.start()
    assert len(named_fields(header, (b"subject",))) == 1
    assert len(list(raw_fields(header))) == 3
    assert len(list(fields(header, 0, len(header)))) == 2
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * len(header)
