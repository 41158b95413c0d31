"""L{trekd.relay.sts} and L{trekd.relay.pages}: policies as text, and how they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trekd.errors import SyntaxFault
from trekd.relay.pages import body, request
from trekd.relay.sts import MAX_AGE, STSPolicy, read_policy, record_id, write_policy

POLICY = b"version: STSv1\r\nmode: enforce\r\nmx: mail.Example.com\r\nmx: *.example.net\r\nmax_age: 123456\r\n"


@pytest.mark.parametrize(
    ("texts", "identifier"),
    [
        ([b"v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        ([b"v=STSv1;id=1", b"v=spf1 -all"], "1"),
        ([b"v=STSv1; other=x; id=2"], "2"),
        ([b"v=STSv1; id=1;", b"v=STSv1; id=2;"], ""),
        ([b"v=STSv1; id=not-good"], ""),
        ([b"v=STSv1; id=" + b"1" * 33], ""),
        ([b"v=STSv2; id=1"], ""),
        ([b"v=STSv1"], ""),
        ([b"\xff"], ""),
        ([], ""),
    ],
)
def test_the_record(texts: list[bytes], identifier: str) -> None:
    """RFC 8461 §3.1."""
    assert record_id(texts) == identifier


def test_a_policy() -> None:
    """RFC 8461 §3.2, its own example."""
    policy = read_policy(POLICY)
    assert policy == STSPolicy("enforce", ("mail.example.com", "*.example.net"), 123456)
    assert policy.names("mail.example.com")
    assert policy.names("a.example.net")
    assert not policy.names("a.b.example.net")
    assert not policy.names("example.net")
    assert read_policy(write_policy(policy)) == policy


def test_lines_may_end_in_lf_and_the_first_of_a_key_counts() -> None:
    text = b"version: STSv1\nmode: none\nunknown: 1\nmode: enforce\nmax_age: 9999999999"
    assert read_policy(text) == STSPolicy("none", (), MAX_AGE)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        POLICY.replace(b"STSv1", b"STSv2"),
        POLICY.replace(b"enforce", b"force"),
        POLICY.replace(b"123456", b"-1"),
        POLICY.replace(b"max_age", b"maxage"),
        POLICY.replace(b"*.example.net", b"mx.*.net"),
        POLICY.replace(b"*.example.net", b"m x"),
        b"version: STSv1\nmode: enforce\nmax_age: 1\n",
        POLICY + b"x" * 70_000,
        POLICY + b"mx: a.example\n" * 600,
    ],
)
def test_what_is_no_policy(text: bytes) -> None:
    with pytest.raises(SyntaxFault):
        read_policy(text)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"


@pytest.mark.parametrize(
    "octets",
    [
        HEAD + b"\r\nthe text",
        HEAD + b"Content-Length: 8\r\n\r\nthe textand more",
        HEAD + b"transfer-encoding: chunked\r\n\r\n4\r\nthe \r\n4;x=y\r\ntext\r\n0\r\n\r\n",
    ],
)
def test_a_page(octets: bytes) -> None:
    """RFC 9112 §6, §7.1."""
    assert body(octets) == b"the text"
    assert b"\r\nHost: mta-sts.example.com\r\n" in request("mta-sts.example.com", "/x")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        HEAD,
        HEAD.replace(b"200", b"404") + b"\r\n",
        HEAD.replace(b"200 OK", b"302 Found") + b"Location: https://other.example/\r\n\r\n",
        HEAD.replace(b"plain", b"html") + b"\r\n<p>",
        HEAD + b"Content-Length: 9\r\n\r\nthe text",
        HEAD + b"Content-Length: x\r\n\r\nthe text",
        HEAD + b"Transfer-Encoding: gzip\r\n\r\nthe text",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nthe",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"220 mx.example.com ESMTP\r\n\r\n",
    ],
)
def test_what_is_no_page(octets: bytes) -> None:
    """RFC 8461 §3.3: nothing but 200 and plain text counts, redirects least of all."""
    with pytest.raises(SyntaxFault):
        body(octets)


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_octets(octets: bytes, cut: int) -> None:
    for read in (body, read_policy):
        for text in (octets, (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + octets), POLICY[:cut] + octets):
            try:
                read(text)
            except SyntaxFault:
                pass
    record_id([octets, b"v=STSv1;" + octets])
