"""Whatever a client sends, and however it is cut: the same answers, and never an internal error."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.submission import FakeSite
from tests.property.test_smtp_grammar import pieces
from tests.wire.runner import Wire
from trekd.smtp.session import LMTP, SUBMISSIONS, Service

FEW = settings(max_examples=150, deadline=None)

lines = st.sampled_from(
    [
        b"LHLO mx\r\n",
        b"EHLO c\r\n",
        b"AUTH PLAIN AGFsaWNlQGV4YW1wbGUuY29tAHNlY3JldA==\r\n",
        b"AUTH LOGIN\r\n",
        b"AUTH PLAIN\r\n",
        b"AGFsaWNlQGV4YW1wbGUuY29tAHNlY3JldA==\r\n",
        b"*\r\n",
        b"MAIL FROM:<alice@example.com>\r\n",
        b"MAIL FROM:<> SIZE=10 BODY=8BITMIME\r\n",
        b"RCPT TO:<bob@example.com>\r\n",
        b"RCPT TO:<carol@example.com>\r\n",
        b"RCPT TO:<nobody@example.com>\r\n",
        b"DATA\r\n",
        b"From: alice@example.com\r\n\r\nbody\r\n.\r\n",
        b"\r\n.\n.\r.\r\n.\r\n",
        b".\r\n",
        b"..\r\n",
        b"BDAT 5\r\nab\r\nc",
        b"BDAT 0 LAST\r\n",
        b"BDAT 31 LAST\r\nFrom: alice@example.com\r\n\r\na\r\n\r\n",
        b"BDAT x\r\n",
        b"STARTTLS\r\n",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"VRFY x\r\n",
        b"QUIT\r\n",
        b"\r\n",
        b"\0\r\n",
        b"\xff\xfe\r\n",
        b"x" * 3000 + b"\r\n",
        b"bare\n",
    ]
)
start = st.sampled_from([b"", b"LHLO mx\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.com>\r\n", b"EHLO c\r\n"])
logged_in = b"EHLO c\r\nAUTH PLAIN AGFsaWNlQGV4YW1wbGUuY29tAHNlY3JldA==\r\n"


def talk(service: Service, parts: list[bytes]) -> tuple[bytes, int, bool]:
    """The answers, how many messages were accepted, and whether the server closed."""
    site = FakeSite(service)
    wire = Wire(site.factory)
    for part in parts:
        wire.send(part)
    answers = re.sub(rb"queued as [0-9a-f]+", b"queued", wire.read())
    closed = wire.closed
    wire.vanish()
    assert all(sink.discarded for sink in site.flow.sinks)
    return answers, len(site.flow.accepted), closed


def check(service: Service, octets: bytes, sizes: list[int]) -> None:
    whole = talk(service, [octets])
    assert whole == talk(service, pieces(octets, sizes))
    assert b"Internal error" not in whole[0]
    assert all(re.match(rb"[2345][0-9]{2}[ -]", line) for line in whole[0].splitlines())


@FEW
@given(start, st.lists(lines, max_size=14).map(b"".join), st.lists(st.integers(1, 40), min_size=1, max_size=9))
def test_lmtp(begin: bytes, octets: bytes, sizes: list[int]) -> None:
    check(LMTP, begin + octets, sizes)


@FEW
@given(st.lists(lines, max_size=14).map(b"".join), st.lists(st.integers(1, 40), min_size=1, max_size=9))
def test_submission(octets: bytes, sizes: list[int]) -> None:
    check(SUBMISSIONS, logged_in + octets, sizes)
