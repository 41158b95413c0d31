"""Command lines to requests."""

import pytest

from trekd.errors import SyntaxFault, UnknownCommand, UnknownParameter
from trekd.smtp.grammar import commands
from trekd.smtp.grammar.commands import Authenticate, Chunk, Hello, Mail, Recipient, parse
from trekd.smtp.grammar.paths import POSTMASTER
from trekd.values import Address

A = Address("a", "example.com")


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (b"EHLO client.example", Hello("client.example")),
        (b"ehlo [192.0.2.1]", Hello("[192.0.2.1]")),
        (b"EHLO my_laptop ", Hello("my_laptop")),
        (b"HELO localhost", Hello("localhost", "HELO")),
        (b"LHLO mx", Hello("mx", "LHLO")),
        (b"MAIL FROM:<a@example.com>", Mail(A)),
        (b"mail from: <a@EXAMPLE.com.>", Mail(A)),
        (b"MAIL FROM:<>", Mail(None)),
        (b"MAIL FROM:<@hop.example,@two.example:a@example.com>", Mail(A)),
        (b"MAIL FROM:<a@example.com> SIZE=1000 BODY=8BITMIME", Mail(A, size=1000, eight_bit=True)),
        (b"MAIL FROM:<a@example.com> body=7bit smtputf8", Mail(A, utf8=True)),
        (b"MAIL FROM:<a@example.com> RET=HDRS ENVID=QQ+2B1", Mail(A, ret="HDRS", envid="QQ+2B1")),
        (b"MAIL FROM:<a@example.com> AUTH=e+3Dmc2@example.com", Mail(A)),
        (b"MAIL FROM:<a@example.com> AUTH=<>", Mail(A)),
        (b"RCPT TO:<a@example.com>", Recipient(A)),
        (b"RCPT TO:<POSTMASTER>", Recipient(POSTMASTER)),
        (b"RCPT TO:<postmaster@example.com>", Recipient(Address("postmaster", "example.com"))),
        (b'RCPT TO:<"a b\\"c"@example.com>', Recipient(Address('a b"c', "example.com"))),
        (b'RCPT TO:<"user@ext"@example.com>', Recipient(Address("user@ext", "example.com"))),
        (b"RCPT TO:<user%ext@example.com>", Recipient(Address("user%ext", "example.com"))),
        (b"RCPT TO:<ext!user@example.com>", Recipient(Address("ext!user", "example.com"))),
        (b"RCPT TO:<a@[192.0.2.1]>", Recipient(Address("a", "[192.0.2.1]"))),
        (b"RCPT TO:<a@[IPv6:2001:db8::1]>", Recipient(Address("a", "[ipv6:2001:db8::1]"))),
        (
            b"RCPT TO:<a@example.com> NOTIFY=SUCCESS,delay ORCPT=rfc822;Bob+20B@x.example",
            Recipient(A, notify=("SUCCESS", "DELAY"), orcpt="rfc822;Bob+20B@x.example"),
        ),
        (b"RCPT TO:<a@example.com> NOTIFY=NEVER", Recipient(A, notify=("NEVER",))),
        ("RCPT TO:<jürgen@bücher.example>".encode(), Recipient(Address("jürgen", "bücher.example"))),
        (b"BDAT 1000", Chunk(1000)),
        (b"BDAT 0 last", Chunk(0, last=True)),
        (b"AUTH plain", Authenticate("PLAIN")),
        (b"AUTH PLAIN AGEAYg==", Authenticate("PLAIN", b"\0a\0b")),
        (b"AUTH LOGIN =", Authenticate("LOGIN", b"")),
        (b"DATA", commands.Data()),
        (b"RSET", commands.Reset()),
        (b"NOOP anything at all", commands.Noop()),
        (b"VRFY alice", commands.Verify()),
        (b"EXPN list", commands.Expand()),
        (b"HELP", commands.Help()),
        (b"QUIT ", commands.Quit()),
        (b"STARTTLS", commands.StartTLS()),
    ],
)
def test_well_formed(line: bytes, request_: object) -> None:
    assert parse(line) == request_


@pytest.mark.parametrize(
    "line",
    [
        b"EHLO",
        b"EHLO a b",
        b"EHLO a\nReceived: forged",
        b"EHLO a\rb",
        b"EHLO a\0b",
        b"EHLO \x1b[31m",
        b"EHLO (comment)",
        b"EHLO <a>",
        b"EHLO " + b"a" * 256,
        b"EHLO \xff\xfe",
        "EHLO a\u2028b".encode(),
        b"MAIL",
        b"MAIL FROM:",
        b"MAIL FROM:a@example.com",
        b"MAIL FROM:<a@example.com",
        b"MAIL FROM:<a@example.com>SIZE=1",
        b"MAIL FROM:<a>",
        b"MAIL FROM:<a@>",
        b"MAIL FROM:<@a>",
        b"MAIL FROM:<a b@example.com>",
        b"MAIL FROM:<a@example..com>",
        b"MAIL FROM:<a@-example.com>",
        b"MAIL FROM:<.a@example.com>",
        b"MAIL FROM:<a@[300.0.0.1]>",
        b"MAIL FROM:<a@[IPv6:zz]>",
        b'MAIL FROM:<""@example.com>',
        b"MAIL FROM:<" + b"a" * 250 + b"@example.com>",
        b"MAIL FROM:<a@example.com> SIZE",
        b"MAIL FROM:<a@example.com> SIZE=-1",
        b"MAIL FROM:<a@example.com> SIZE=1 SIZE=2",
        b"MAIL FROM:<a@example.com> BODY=9BIT",
        b"MAIL FROM:<a@example.com> SMTPUTF8=1",
        b"MAIL FROM:<a@example.com> RET=ALL",
        b"MAIL FROM:<a@example.com> ENVID=a+0Ab",
        b"MAIL FROM:<a@example.com> AUTH=x",
        b"RCPT TO:<>",
        b"RCPT TO:<b@x>\nRCPT TO:<c@x>",
        b"RCPT TO:<b@example.com> NOTIFY=NEVER,SUCCESS",
        b"RCPT TO:<b@example.com> NOTIFY=",
        b"RCPT TO:<b@example.com> ORCPT=rfc822",
        b"DATA now",
        b"RSET x",
        b"QUIT x",
        b"STARTTLS x",
        b"VRFY",
        b"BDAT",
        b"BDAT -1",
        b"BDAT 1 FIRST",
        b"BDAT " + b"9" * 21,
        b"AUTH",
        b"AUTH PLAIN a b",
        b"AUTH PLAIN ====",
        b"AUTH PLAIN AGEAYg",
        b"AUTH PLAIN A=GEAYg=",
        "AUTH PLAIN é".encode(),
    ],
)
def test_malformed(line: bytes) -> None:
    with pytest.raises(SyntaxFault) as caught:
        parse(line)
    assert not isinstance(caught.value, UnknownCommand | UnknownParameter)


@pytest.mark.parametrize("line", [b"", b" ", b"FOO", "ÉHLO x".encode(), b"MAILFROM:<a@x>", b"GET / HTTP/1.1"])
def test_unknown_commands(line: bytes) -> None:
    with pytest.raises(UnknownCommand):
        parse(line)


@pytest.mark.parametrize(
    "line",
    [
        b"MAIL FROM:<a@example.com> FOO=1",
        b"MAIL FROM:<a@example.com> BODY=BINARYMIME",
        b"MAIL FROM:<a@example.com> NOTIFY=NEVER",
        b"RCPT TO:<a@example.com> SIZE=1",
    ],
)
def test_unknown_parameters(line: bytes) -> None:
    """RFC 5321 §4.1.1.11."""
    with pytest.raises(UnknownParameter):
        parse(line)


def test_an_initial_response_is_not_shown() -> None:
    assert "secret" not in repr(parse(b"AUTH PLAIN c2VjcmV0"))
