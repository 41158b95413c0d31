"""L{trekd.smtp.reception}: what becomes of mail from other servers, as their clients see it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.submission import FakeSite
from tests.fakes.verifier import RESULTS, FakeScanner, FakeVerifier
from tests.unit.smtp.support import Client
from tests.wire.runner import Wire
from trekd.config.schema import ReceptionConfig
from trekd.errors import Broken, ScannerDown
from trekd.mailauth.interfaces import Disposition
from trekd.smtp.greylist import Greylist
from trekd.smtp.interfaces import Judgement, Verdict
from trekd.smtp.reception import Reception
from trekd.smtp.session import EXCHANGE, LMTP, Service

MESSAGE = b"From: x@bank.example\r\nSubject: money\r\nX-Spam: no\r\n\r\nbody\r\n"


class Server(Client):
    """Another server's connection, of which the fake transport says that it comes from 192.168.1.1."""

    def __init__(self, reception: Reception | None = None, service: Service = EXCHANGE, **config: Any) -> None:
        self.site = FakeSite(service, reception, **config)
        self.wire = Wire(self.site.factory)
        self.greeting = self.wire.read()
        self.ask(b"LHLO mx.example" if service.lmtp else b"EHLO mx.example")

    @property
    def is_junk(self) -> bool:
        return self.site.flow.accepted[-1][0].junk


def reception(verifier: FakeVerifier | None = None, *scanners: FakeScanner, **config: Any) -> Reception:
    return Reception(ReceptionConfig(greet_delay=0, **config), verifier, scanners)


def test_the_verifier_learns_where_the_message_comes_from() -> None:
    verifier = FakeVerifier(spf="pass", dmarc="pass")
    server = Server(reception(verifier))
    assert server.submit(MESSAGE).startswith(b"250")
    ((origin, octets),) = verifier.asked
    assert (origin.client, origin.hello, str(origin.reverse_path)) == ("192.168.1.1", "mx.example", "alice@example.com")
    assert octets.endswith(MESSAGE)
    stored = server.stored[0]
    assert stored.startswith(RESULTS + b"Received: from mx.example ([192.168.1.1])\r\n\tby mail.example.com with ESMTP")
    assert stored.endswith(b"\r\n" + MESSAGE)
    assert not server.is_junk


def test_forged_results_and_return_paths_are_removed() -> None:
    """RFC 8601 §5: those with our name alone."""
    forged = (
        b"Authentication-Results: mail.example.com; dmarc=pass\r\n"
        b"Authentication-Results:\r\n MAIL.example.com 1; spf=pass\r\n"
        b"Return-Path: <x@y.example>\r\n"
    )
    other = b"Authentication-Results: mx.elsewhere.example; spf=pass\r\n"
    server = Server(reception(FakeVerifier()))
    assert server.submit(forged + other + MESSAGE).startswith(b"250")
    stored = server.stored[0]
    assert b"=pass" not in stored.replace(other, b"") and other in stored
    assert b"Return-Path" not in stored
    assert stored.count(b"Authentication-Results: mail.example.com") == 1


@pytest.mark.parametrize(
    ("disposition", "dmarc", "reply", "junk"),
    [
        (Disposition.REJECT, "enforce", b"550 5.7.1 ", False),
        (Disposition.REJECT, "quarantine", b"250", True),
        (Disposition.REJECT, "off", b"250", False),
        (Disposition.QUARANTINE, "enforce", b"250", True),
        (Disposition.QUARANTINE, "off", b"250", False),
        (Disposition.NONE, "enforce", b"250", False),
    ],
)
def test_dmarc_is_obeyed_as_configured(disposition: Disposition, dmarc: str, reply: bytes, junk: bool) -> None:
    server = Server(reception(FakeVerifier(disposition, dmarc="fail"), dmarc=dmarc))
    answer = server.submit(MESSAGE)
    assert answer.startswith(reply)
    if reply.startswith(b"550"):
        assert b"bank.example" in answer and b"DMARC" in answer
        assert server.stored == []
    else:
        assert server.is_junk is junk


@pytest.mark.parametrize(
    ("spf_fail", "dmarc", "reply"),
    [("reject", "none", b"550 5.7.1"), ("reject", "pass", b"250"), ("accept", "none", b"250")],
)
def test_spf_refuses_where_configured(spf_fail: str, dmarc: str, reply: bytes) -> None:
    server = Server(reception(FakeVerifier(spf="fail", dmarc=dmarc), spf_fail=spf_fail))
    answer = server.submit(MESSAGE)
    assert answer.startswith(reply)
    assert (b"example.com asks" in answer) is reply.startswith(b"550")


def test_forwarders_are_not_stopped_but_the_results_are_written() -> None:
    verifier = FakeVerifier(Disposition.REJECT, "fail", "fail")
    server = Server(reception(verifier, spf_fail="reject", forwarders=("192.168.0.0/16",)))
    assert server.submit(MESSAGE).startswith(b"250")
    assert not server.is_junk and server.stored[0].startswith(RESULTS)


def test_a_scanner_changes_the_header_alone() -> None:
    scanner = FakeScanner(
        Judgement(
            Verdict.JUNK,
            removed=("x-spam",),
            added=(("X-Spam", "Yes,\r\nInjected: 1"), ("bad name", "x"), ("X-Long", "é" * 1000)),
            subject="*** SPAM *** money",
        )
    )
    server = Server(reception(FakeVerifier(), scanner))
    assert server.submit(MESSAGE).startswith(b"250")
    stored = server.stored[0]
    assert stored.startswith(RESULTS + b"X-Spam: Yes, Injected: 1\r\nX-Long: \xc3\xa9")
    assert stored.count(b"X-Spam") == 1 and b"bad name" not in stored
    assert b"\r\nSubject: *** SPAM *** money\r\n" in stored and stored.lower().count(b"subject:") == 1
    assert stored.endswith(b"\r\n\r\nbody\r\n")
    assert max(map(len, stored.split(b"\r\n"))) < 998
    assert server.is_junk
    assert scanner.asked[0].authenticity is not None
    assert [str(one) for one in scanner.asked[0].recipients] == ["bob@example.com"]


@pytest.mark.parametrize(
    ("judgement", "reply"),
    [
        (Judgement(Verdict.REJECT, "a virus: eicar"), b"550 5.7.1 Message refused: a virus: eicar\r\n"),
        (Judgement(Verdict.REJECT), b"550 5.7.1 Message refused as spam\r\n"),
        (Judgement(Verdict.DEFER, "Try again later"), b"451 4.7.1 Try again later\r\n"),
        (Judgement(Verdict.ACCEPT), b"250"),
    ],
)
def test_a_scanner_decides(judgement: Judgement, reply: bytes) -> None:
    server = Server(reception(None, FakeScanner(judgement)))
    assert server.submit(MESSAGE).startswith(reply)
    assert len(server.stored) == reply.startswith(b"250")


@pytest.mark.parametrize("failure", [ScannerDown("no answer"), Broken(), ValueError("ours")])
@pytest.mark.parametrize(("down", "reply"), [("accept", b"250"), ("defer", b"451 4.7.1")])
def test_a_scanner_that_is_down(failure: Exception, down: str, reply: bytes) -> None:
    server = Server(reception(None, FakeScanner(failure), filters_down=down))
    assert server.submit(MESSAGE).startswith(reply)


def test_who_speaks_before_the_greeting_is_sent_away() -> None:
    """RFC 5321 §3.1."""
    eager, patient = (FakeSite(EXCHANGE, Reception(ReceptionConfig(greet_delay=2))) for _ in range(2))
    wire = Wire(eager.factory)
    wire.send(b"EHLO spam\r\n")
    assert wire.read() == b""
    eager.clock.advance(2)
    assert wire.read().startswith(b"554 5.5.1")
    assert wire.transport.disconnecting
    wire = Wire(patient.factory)
    assert wire.read() == b""
    patient.clock.advance(2)
    assert wire.read().startswith(b"220 ")


def test_forwarders_are_greeted_at_once() -> None:
    site = FakeSite(EXCHANGE, Reception(ReceptionConfig(greet_delay=60, forwarders=("192.168.1.1/32",))))
    assert Wire(site.factory).read().startswith(b"220 ")


def test_a_new_sender_comes_back_later() -> None:
    """RFC 6647 §2.2."""
    config = ReceptionConfig(greet_delay=0, greylisting=True)
    server = Server(Reception(config, greylist=None))
    server.site.site.reception._greylist = Greylist(config, server.site.clock)  # type: ignore[arg-type]
    server.ask(b"MAIL FROM:<a@elsewhere.example>")
    assert server.ask(b"RCPT TO:<nobody@example.com>").startswith(b"550 5.1.1")
    assert server.ask(b"RCPT TO:<bob@example.com>").startswith(b"451 4.7.1")
    server.site.clock.advance(200)
    assert server.ask(b"RCPT TO:<bob@example.com>").startswith(b"451 4.7.1")
    server.site.clock.advance(99)
    assert server.ask(b"RCPT TO:<bob@example.com>").startswith(b"451 4.7.1")
    server.site.clock.advance(1)
    assert server.ask(b"RCPT TO:<bob@example.com>").startswith(b"250")
    assert server.ask(b"RCPT TO:<carol@example.com>").startswith(b"451 4.7.1")


def test_lmtp_is_checked_only_when_the_origin_is_known() -> None:
    """Postfix tells it with XFORWARD; where the check is off, the command is none."""
    verifier = FakeVerifier(Disposition.REJECT)
    off = Server(reception(verifier), LMTP)
    assert off.ask(b"XFORWARD ADDR=192.0.2.1").startswith(b"500")
    assert off.submit(MESSAGE).startswith(b"250")
    server = Server(reception(verifier, verify_lmtp=True), LMTP)
    assert b"XFORWARD ADDR HELO" in server.ask(b"LHLO mx.example")
    assert server.submit(MESSAGE).startswith(b"250")
    assert verifier.asked == []
    assert server.ask(b"XFORWARD NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::1 HELO=spam.example").startswith(b"250")
    assert server.submit(MESSAGE).startswith(b"550 5.7.1")
    assert (verifier.asked[0][0].client, verifier.asked[0][0].hello) == ("2001:db8::1", "spam.example")
    # Nothing is known of the next one.
    assert server.submit(MESSAGE).startswith(b"250")
    for bad in (b"ADDR=x", b"ADDR", b"", b"HELO=a+0Ab"):
        assert server.ask(b"XFORWARD " + bad).startswith(b"501")


def test_an_mta_in_front_may_tell_in_two_commands() -> None:
    """As Postfix does; what one leaves out stays as it was."""
    verifier = FakeVerifier(Disposition.REJECT)
    server = Server(reception(verifier, verify_lmtp=True), LMTP)
    server.ask(b"LHLO mx.example", b"XFORWARD ADDR=192.0.2.1", b"XFORWARD HELO=spam.example")
    assert server.submit(MESSAGE).startswith(b"550 5.7.1")
    assert (verifier.asked[0][0].client, verifier.asked[0][0].hello) == ("192.0.2.1", "spam.example")
    server.ask(b"XFORWARD ADDR=192.0.2.1", b"XFORWARD ADDR=[UNAVAILABLE]")
    assert server.submit(MESSAGE).startswith(b"250")


def test_other_servers_may_err_only_so_often() -> None:
    """Recipients that do not exist count: nobody reads our directory by trying names."""
    server = Server()
    server.ask(b"MAIL FROM:<a@elsewhere.example>")
    answers = server.ask(*(b"RCPT TO:<guess%d@example.com>" % number for number in range(30)))
    assert answers.count(b"550 5.1.1") == 20 and b"421 4.7.0" in answers


@pytest.mark.parametrize(
    ("spf", "dmarc", "author"),
    [
        ("none", "pass", "bank.example"),
        ("fail", "pass", "bank.example"),
        ("pass", "fail", ""),
        ("pass", "none", ""),  # alice@example.com is not of bank.example
        ("none", "none", ""),
        ("none", "temperror", ""),
    ],
)
def test_the_author_is_known_where_the_domain_vouches_for_it(spf: str, dmarc: str, author: str) -> None:
    """RFC 7489 §3.1: what is told on is aligned with From."""
    server = Server(reception(FakeVerifier(spf=spf, dmarc=dmarc)))
    assert server.submit(MESSAGE).startswith(b"250")
    assert server.site.flow.accepted[-1][0].author == author


def test_an_author_over_lmtp_is_known_where_the_configuration_says_so() -> None:
    for is_trusted, author in ((False, ""), (True, "bank.example")):
        server = Server(reception(None, lmtp_verified=is_trusted), LMTP)
        assert server.submit(MESSAGE).startswith(b"250")
        assert server.site.flow.accepted[-1][0].author == author
