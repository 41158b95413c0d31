"""
Address lists as a client sees them in ENVELOPE, and as a sender check sees them.
"""

from __future__ import annotations

import pytest

from trekd.mime.addresses import EnvelopeAddress, addresses, from_addresses, wire_addresses

Four = tuple[bytes | None, bytes | None, bytes | None, bytes | None]


def four(entry: EnvelopeAddress) -> Four:
    """An entry as ENVELOPE orders it."""
    return entry.name, entry.route, entry.local, entry.domain


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a@b", [(None, None, b"a", b"b")]),
        (b"A B <a@b>", [(b"A B", None, b"a", b"b")]),
        (b'"B, A" <a@b>, c@d', [(b"B, A", None, b"a", b"b"), (None, None, b"c", b"d")]),
        (b'"a \\"q\\" b" <a@b>', [(b'a "q" b', None, b"a", b"b")]),
        (b"John Q. Public <j@x>", [(b"John Q. Public", None, b"j", b"x")]),
        (b'J.R. "Bob" Dobbs <b@x>', [(b"J.R. Bob Dobbs", None, b"b", b"x")]),
        (b"a@b (Joe (the) Blow)", [(b"Joe (the) Blow", None, b"a", b"b")]),
        (b"(c1) A (c2) <a@b> (c3)", [(b"A", None, b"a", b"b")]),
        (b'"q q"@x', [(None, None, b"q q", b"x")]),
        (b"a@[192.0.2.1]", [(None, None, b"a", b"[192.0.2.1]")]),
        (b"a . b @ c . d", [(None, None, b"a . b", b"c.d")]),
        (b"<@r1,@r2:a@b>", [(None, b"@r1,@r2", b"a", b"b")]),
        (b"\xc3\xa9 <\xe9@b>", [(b"\xc3\xa9", None, b"\xe9", b"b")]),
        (
            b"team: a@b, C <c@d>;, e@f",
            [
                (None, None, b"team", None),
                (None, None, b"a", b"b"),
                (b"C", None, b"c", b"d"),
                (None, None, None, None),
                (None, None, b"e", b"f"),
            ],
        ),
        (b"undisclosed:;", [(None, None, b"undisclosed", None), (None, None, None, None)]),
        (b"open: a@b", [(None, None, b"open", None), (None, None, b"a", b"b"), (None, None, None, None)]),
        (b",, a@b ,,", [(None, None, b"a", b"b")]),
        (b"joe", [(None, None, b"joe", b"")]),
        (b"Joe Blow", [(b"Joe Blow", None, b"", b"")]),
        (b"Joe <>", [(b"Joe", None, b"", b"")]),
        (b"Joe <a@b", [(b"Joe", None, b"a", b"b")]),
        (b"Joe a@b", [(b"Joe", None, b"a", b"b")]),
        (b"<a@b> <c@d>", [(None, None, b"a", b"b"), (None, None, b"c", b"d")]),
        (b"a@b@c", [(None, None, b"a@b", b"c")]),
        (b"", []),
        (b"(only a comment)", []),
    ],
)
def test_lists(value: bytes, expected: list[Four]) -> None:
    """RFC 5322 §3.4, §4.4, RFC 3501 §7.4.2."""
    assert list(map(four, addresses(value))) == expected


@pytest.mark.parametrize("value", [b"a@b", b"A  B <a@b>, c@d", b'"A" <a@b>', b"<a@b>", b"a@b,c@d,"])
def test_the_short_way_reads_as_the_long_way(value: bytes) -> None:
    """A comment in front forces the full grammar."""
    assert addresses(value) == addresses(b"()" + value)


def test_a_missing_domain_is_no_group() -> None:
    """RFC 3501 §7.4.2: a NIL host would begin a group."""
    assert wire_addresses(b"joe") == b'((NIL NIL "joe" "MISSING_DOMAIN"))'
    assert wire_addresses(b"g:;") == b'((NIL NIL "g" NIL)(NIL NIL NIL NIL))'
    assert wire_addresses(b" ,") == b"NIL"


def test_every_from_address_is_seen() -> None:
    """Two From fields, groups, several addresses: a sender check must see all of them."""
    octets = b"From: A <a@b>, g: c@d;\r\nTo: x@y\r\nfrom : e@f\r\n <g@h>\r\n\r\nFrom: body@x\r\n"
    assert from_addresses(octets) == ("a@b", "c@d", "g@h")
    assert from_addresses(b"From: joe\r\n\r\n") == ("joe@",)
    assert from_addresses(b"To: x@y\r\n\r\n") == ()


def test_a_from_field_too_long_to_read_is_refused() -> None:
    """An address behind the limit must not pass unseen."""
    assert "@" not in from_addresses(b"From: " + b"a@b, " * 5_000 + b"evil@x\r\n\r\n")
    assert from_addresses(b"From: " + b"a@b," * 20_000 + b"evil@x\r\n\r\n")[-1] == "@"
    assert from_addresses(b"From: a@b" + b" " * 70_000 + b", evil@x\r\n\r\n") == ("a@b", "@")
