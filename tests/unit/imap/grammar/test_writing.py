"""Octets of responses."""

from __future__ import annotations

import pytest

from trekd.imap.grammar import writing
from trekd.imap.grammar.sequence import uid_set
from trekd.values import MailboxName


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        ("", b'""'),
        ("a b", b'"a b"'),
        ('say "\\"', b'"say \\"\\\\\\""'),
        (b"a\tb", b'"a\tb"'),
        ("a\nb", b"{3}\r\na\nb"),
        ("ü", b"{2}\r\n\xc3\xbc"),
        (b"\xff", b"{1}\r\n\xff"),
        (b"\x00", b"{1}\r\n\x00"),
        (b"x" * 1001, b"{1001}\r\n" + b"x" * 1001),
    ],
)
def test_string(value: bytes | str, octets: bytes) -> None:
    assert writing.string(value) == octets


@pytest.mark.parametrize(
    ("value", "octets"),
    [("abc", b"abc"), ("", b'""'), ("a b", b'"a b"'), ("nil", b'"nil"'), ("a]", b'"a]"'), ("a*", b'"a*"')],
)
def test_astring(value: str, octets: bytes) -> None:
    assert writing.astring(value) == octets


def test_mailboxes_are_quoted_in_the_encoding_enabled() -> None:
    name = MailboxName('Ü "x" & y')
    assert writing.mailbox(name) == b'"&ANw- \\"x\\" &- y"'
    assert writing.mailbox(name, utf8=True) == 'Ü \\"x\\" & y'.encode().join([b'"', b'"'])


def test_lines() -> None:
    assert writing.untagged(b"3", b"EXISTS") == b"* 3 EXISTS\r\n"


def test_list_responses() -> None:
    name = MailboxName("a/b")
    assert writing.list_response(["\\Sent"], name) == b'* LIST (\\Sent) "/" "a/b"\r\n'
    assert writing.list_response(["\\Noselect"], None) == b'* LIST (\\Noselect) "/" ""\r\n'
    assert writing.list_response([], name, response="LSUB") == b'* LSUB () "/" "a/b"\r\n'
    assert (
        writing.list_response([], name, child_info=["SUBSCRIBED"])
        == b'* LIST () "/" "a/b" ("CHILDINFO" ("SUBSCRIBED"))\r\n'
    )


def test_status_and_search() -> None:
    items = {"MESSAGES": 231, "UIDNEXT": 44292}
    expected = b'* STATUS "blurdybloop" (MESSAGES 231 UIDNEXT 44292)\r\n'
    assert writing.status_response(MailboxName("blurdybloop"), items) == expected
    assert writing.search_response([]) == b"* SEARCH\r\n"
    assert writing.search_response([2, 3, 6]) == b"* SEARCH 2 3 6\r\n"
    assert (
        writing.esearch_response(b"A282", False, {"MIN": 2, "COUNT": 3, "ALL": uid_set([2, 10, 11])})
        == b'* ESEARCH (TAG "A282") MIN 2 COUNT 3 ALL 2,10:11\r\n'
    )
    assert writing.esearch_response(b"A", True, {}) == b'* ESEARCH (TAG "A") UID\r\n'


def test_response_codes() -> None:
    assert writing.appenduid(38505, [3955]) == b"APPENDUID 38505 3955"
    copied = writing.copyuid(38505, [304, 319, 320], [3956, 3957, 3958])
    assert copied == b"COPYUID 38505 304,319:320 3956:3958"
