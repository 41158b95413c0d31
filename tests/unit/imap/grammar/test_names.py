"""Modified UTF-7 and the patterns of LIST."""

from __future__ import annotations

import time

import pytest

from trekd.errors import SyntaxFault
from trekd.imap.grammar.names import (
    ListPattern,
    decode_name,
    decode_utf7,
    encode_name,
    encode_utf7,
    list_pattern,
)
from trekd.values import MailboxName


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (b"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
        (b"", ""),
        (b"&-", "&"),
        (b"a&-b", "a&b"),
        (b"Entw&APw-rfe", "Entwürfe"),
        (b"&2D3eAA-", "\U0001f600"),
        (b"&AAoADQ-", "\n\r"),
    ],
)
def test_modified_utf7_both_ways(wire: bytes, text: str) -> None:
    """RFC 3501 §5.1.3, with its example."""
    assert decode_utf7(wire) == text
    assert encode_utf7(text) == wire


@pytest.mark.parametrize(
    "wire",
    [
        b"&",  # no shift at all
        b"a&b",
        b"&APw",  # not ended
        b"&AP-",  # half a character
        b"&APz-",  # bits left over
        b"&A-",
        b"&AGE-",  # "a" represents itself
        b"&ACY-",  # so does "&", as "&-"
        b"&U,BTFw-&ZeVnLIqe-",  # superfluous shift, RFC 3501 §5.1.3
        b"&2D0-",  # lone surrogate
        b"&3gDYPQ-",  # surrogates the wrong way round
        b"&AP/8-",  # "/" is not in the alphabet
        b"&APw=-",
        b"\xfc",
        "ü".encode(),
        b"a\x00",
        b"a\n",
        b"\x7f",
    ],
)
def test_illegal_modified_utf7_is_refused(wire: bytes) -> None:
    with pytest.raises(SyntaxFault):
        decode_utf7(wire)


def test_utf8_names_once_enabled() -> None:
    """RFC 6855 §3; C{&} stands for itself then."""
    assert decode_name("Entwürfe & mehr".encode(), utf8=True) == "Entwürfe & mehr"
    assert encode_name(MailboxName("R&D ü"), utf8=True) == "R&D ü".encode()
    assert encode_name(MailboxName("R&D ü"), utf8=False) == b"R&-D &APw-"
    with pytest.raises(SyntaxFault):
        decode_name(b"\xfc", utf8=True)


@pytest.mark.parametrize(
    ("pattern", "names", "others"),
    [
        ("*", ["a", "a/b", "INBOX"], []),
        ("%", ["a", "INBOX"], ["a/b"]),
        ("", [], ["a"]),
        ("a/%", ["a/b"], ["a", "a/b/c", "b/b"]),
        ("a/*", ["a/b", "a/b/c"], ["a", "ab"]),
        ("a*", ["a", "a/b", "ab"], ["ba"]),
        ("%/%", ["a/b"], ["a", "a/b/c"]),
        ("*/%", ["a/b", "a/b/c"], ["a"]),
        ("%b%", ["b", "abc", "bb"], ["a/b", "ac"]),
        ("*b", ["b", "a/b", "bab"], ["ba"]),
        ("%*%", ["a", "a/b"], []),
        ("a%c*e", ["ace", "abcd/e", "acce"], ["a/ce", "abd"]),
        ("inbox", ["INBOX"], ["inbox2", "a"]),
        ("InBoX/%", ["INBOX/x"], ["INBOX"]),
        ("i%", ["INBOX"], ["Inb"]),
        ("ARCHIVE", [], ["archive", "Archive"]),
        ("a.b", ["a.b"], ["axb"]),
        ("a\u0308", ["ä"], ["a"]),
        ("[a]+(b)", ["[a]+(b)"], ["a"]),
    ],
)
def test_pattern(pattern: str, names: list[str], others: list[str]) -> None:
    """RFC 3501 §6.3.8."""
    compiled = ListPattern(pattern)
    assert [name for name in names + others if compiled.matches(MailboxName(name))] == names


def test_reference_comes_before_the_pattern() -> None:
    assert list_pattern("archive/", "%").matches(MailboxName("archive/2024"))
    assert not list_pattern("archive/", "%").matches(MailboxName("2024"))


@pytest.mark.parametrize("pattern", ["*a" * 30_000, "%a" * 400 + "b", "*" * 60_000 + "b", "*a%" * 300 + "/b"])
def test_evil_patterns_take_no_time(pattern: str) -> None:
    name = MailboxName("a" * 900)
    compiled = ListPattern(pattern)
    start = time.process_time()
    assert not any(compiled.matches(name) for _ in range(20))
    assert time.process_time() - start < 1
