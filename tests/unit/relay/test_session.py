"""L{trekd.relay.session}, L{trekd.relay.wire} and L{trekd.relay.transfer} against a clock: silence, garbage, haste."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from tests.unit.relay.relaycase import SENDER, to
from trekd.config.relay import RelayConfig
from trekd.errors import RemoteDeferred, RemoteRefused
from trekd.queue.interfaces import MailTransaction
from trekd.relay.letters import Letter
from trekd.relay.pool import Pool
from trekd.relay.session import Session
from trekd.relay.transfer import Transfer, Verdict
from trekd.relay.wire import PAUSE_AT, Wire
from trekd.store.contents import InMemory


class _Transport(StringTransport):
    """
    One that takes socket options.

    @ivar is_full: whoever writes is told to stop.
    """

    is_full = False

    def write(self, data: bytes) -> None:
        """Keep."""
        super().write(data)
        if self.is_full and self.producer is not None:
            self.producer.pauseProducing()

    def setTcpNoDelay(self, enabled: object) -> None:
        """Nothing."""

    def setTcpKeepAlive(self, enabled: object) -> None:
        """Nothing."""


class Dialogue:
    """A session whose server is the test."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.wire = Wire(self.clock)
        self.transport = _Transport()
        self.wire.makeConnection(self.transport)
        self.config = RelayConfig(**settings)
        self.session = Session(self.wire, "mx", self.config)

    def say(self, *lines: str) -> None:
        """The server sends lines."""
        self.wire.dataReceived("".join(f"{line}\r\n" for line in lines).encode())

    def hang_up(self) -> None:
        """The server closes."""
        self.wire.connectionLost(Failure(ConnectionDone()))

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """Run a coroutine until it waits."""
        return Deferred.fromCoroutine(coroutine)

    def sent(self) -> str:
        """What the client wrote since the last look."""
        octets = self.transport.value()
        self.transport.clear()
        return str(octets, "utf-8")


def failure(started: Deferred[Any]) -> Any:
    """What a coroutine raised by now."""
    caught: list[Failure] = []
    started.addErrback(caught.append)
    assert caught, "still waiting"
    return caught[0].value


def result(started: Deferred[Any]) -> Any:
    """What a coroutine returned by now."""
    found: list[Any] = []
    started.addCallback(found.append)
    assert found, "still waiting"
    return found[0]


def transfer(dialogue: Dialogue, octets: bytes = b"x\r\n", recipients: int = 1) -> Deferred[tuple[Verdict, ...]]:
    """Start a transaction."""
    transaction = MailTransaction(SENDER, to(*(f"r{at}@remote.example" for at in range(recipients))))
    letter = Letter(InMemory(octets), len(octets), False, False)
    return dialogue.start(Transfer(dialogue.session, transaction, letter).run())


def greeted(*extensions: str, **settings: Any) -> Dialogue:
    """A dialogue after EHLO."""
    dialogue = Dialogue(**settings)
    hello = dialogue.start(dialogue.session.hello("me"))
    words = ["mx", *extensions]
    dialogue.say(*(f"250{'-' if at < len(words) - 1 else ' '}{word}" for at, word in enumerate(words)))
    result(hello)
    dialogue.sent()
    return dialogue


def failed(verdicts: tuple[Verdict, ...]) -> Any:
    """The one verdict's failure."""
    return verdicts[0].attempt.failure


def test_silence_at_every_stage_has_its_time() -> None:
    """RFC 5321 §4.5.3.2: minutes of greeting, MAIL, RCPT, DATA, blocks and the end."""
    dialogue = Dialogue()
    started = dialogue.start(dialogue.session.greeting())
    dialogue.clock.advance(299)
    assert not started.called
    dialogue.clock.advance(1)
    assert failure(started).status == "4.4.2"
    stages = (([], 300), (["250 ok"], 300), (["250 ok", "250 ok"], 120), (["250 ok", "250 ok", "354 go"], 600))
    for replies, seconds in stages:
        dialogue = greeted()
        attempt = transfer(dialogue)
        dialogue.say(*replies) if replies else None
        dialogue.clock.advance(seconds - 1)
        assert not attempt.called, replies
        dialogue.clock.advance(1)
        assert attempt.called, replies
        outcome = failed(result(attempt)) if len(replies) > 1 else failure(attempt)
        assert isinstance(outcome, RemoteDeferred) and outcome.status == "4.4.2"
        assert dialogue.session.broken
        assert dialogue.clock.getDelayedCalls() == []


def test_a_server_that_dribbles_does_not_gain_time() -> None:
    dialogue = Dialogue()
    started = dialogue.start(dialogue.session.greeting())
    for _ in range(300):
        dialogue.wire.dataReceived(b"2" if not started.called else b"")
        dialogue.clock.advance(1)
    assert isinstance(failure(started), RemoteDeferred)


def test_a_server_that_does_not_read() -> None:
    """RFC 5321 §4.5.3.2.5: nothing more is sent, and nothing more is read of the message."""
    dialogue = greeted()
    attempt = transfer(dialogue, b"x" * 100_000 + b"\r\n")
    dialogue.say("250 ok", "250 ok")
    dialogue.transport.is_full = True
    dialogue.say("354 go")
    assert len(dialogue.sent()) < 40_000
    dialogue.clock.advance(179)
    dialogue.wire.resumeProducing()
    assert 30_000 < len(dialogue.sent()) < 40_000
    dialogue.clock.advance(179)
    assert not attempt.called
    dialogue.clock.advance(1)
    outcome = failed(result(attempt))
    assert isinstance(outcome, RemoteDeferred) and outcome.status == "4.4.2"
    assert dialogue.session.broken


def test_garbage_without_end_costs_no_memory() -> None:
    dialogue = Dialogue()
    started = dialogue.start(dialogue.session.greeting())
    dialogue.wire.dataReceived(b"x" * 5000)
    assert failure(started).status == "4.5.0"


def test_replies_that_nobody_asked_for_are_not_read() -> None:
    dialogue = Dialogue()
    for _ in range(100):
        dialogue.wire.dataReceived(b"250 hello\r\n" * 100)
        if dialogue.transport.producerState == "paused":
            break
    assert dialogue.transport.producerState == "paused"
    assert dialogue.wire._reader.pending < PAUSE_AT + 2000


def test_an_early_refusal_ends_the_message() -> None:
    """A 5yz in the middle of the data is the verdict, the rest is not sent, and no end of data is."""
    dialogue = greeted()
    letter = b"x" * 31_998 + b"\r\n"
    attempt = transfer(dialogue, letter * 4)
    dialogue.say("250 ok", "250 ok")
    dialogue.say("354 go", "552 5.3.4 too much")
    outcome = failed(result(attempt))
    assert isinstance(outcome, RemoteRefused) and outcome.status == "5.3.4"
    assert not dialogue.sent().endswith("\r\n.\r\n")
    assert dialogue.session.broken


def test_an_early_421_and_an_early_close_are_for_now() -> None:
    for early in ("421 4.3.2 going", ""):
        dialogue = greeted()
        attempt = transfer(dialogue, b"x" * 31_998 + b"\r\n" + b"y" * 70_000 + b"\r\n")
        dialogue.say("250 ok", "250 ok")
        dialogue.wire.dataReceived(b"354 go\r\n" + (early + "\r\n").encode() if early else b"354 go\r\n")
        if not early:
            dialogue.hang_up()
        verdicts = result(attempt)
        assert isinstance(failed(verdicts), RemoteDeferred)


def test_an_early_acceptance_is_not_believed() -> None:
    dialogue = greeted()
    attempt = transfer(dialogue, b"x" * 100_000 + b"\r\n")
    dialogue.say("250 ok", "250 ok")
    dialogue.say("354 go", "250 taken")
    outcome = failed(result(attempt))
    assert isinstance(outcome, RemoteDeferred) and outcome.status == "4.5.0"


def test_a_group_whose_recipients_all_fail_is_declined() -> None:
    """RFC 2920 §3.1: 354 nevertheless gets a lone dot."""
    dialogue = greeted("PIPELINING")
    attempt = transfer(dialogue, recipients=2)
    assert dialogue.sent().splitlines()[-1] == "DATA"
    dialogue.say("250 ok", "550 no", "550 no", "354 go")
    assert dialogue.sent() == ".\r\n"
    dialogue.say("554 no recipients")
    assert all(isinstance(verdict.attempt.failure, RemoteRefused) for verdict in result(attempt))
    assert not dialogue.session.broken


def test_a_group_whose_sender_fails_is_read_to_its_end() -> None:
    dialogue = greeted("PIPELINING")
    attempt = transfer(dialogue)
    dialogue.say("550 5.7.1 not you", "503 first MAIL", "503 first MAIL")
    assert failure(attempt).status == "5.7.1"
    assert not dialogue.session.broken


def test_a_552_for_a_recipient_is_for_now() -> None:
    """RFC 5321 §4.5.3.1.10."""
    dialogue = greeted()
    attempt = transfer(dialogue)
    dialogue.say("250 ok", "552 too many recipients")
    assert isinstance(failed(result(attempt)), RemoteDeferred)


def test_the_password_is_sent_once_and_only_inside_tls() -> None:
    dialogue = greeted("AUTH PLAIN")
    with pytest.raises(AssertionError):
        raise failure(dialogue.start(dialogue.session.log_in("u", "p")))
    assert dialogue.sent() == ""


def test_a_session_waits_so_long_and_no_longer() -> None:
    dialogue = greeted(idle_time=30)
    pool = Pool(dialogue.config, dialogue.clock)
    pool.give("mx:a", dialogue.session)
    assert len(pool) == 1
    dialogue.clock.advance(30)
    assert len(pool) == 0
    assert dialogue.sent() == "QUIT\r\n"
    assert dialogue.transport.disconnecting


def test_an_idle_session_that_does_not_answer_is_not_used() -> None:
    dialogue = greeted(connect_timeout=30)
    pool = Pool(dialogue.config, dialogue.clock)
    pool.give("mx:a", dialogue.session)
    taken = dialogue.start(pool.take("mx:a", lambda session: True))
    assert dialogue.sent() == "RSET\r\n"
    dialogue.clock.advance(30)
    assert result(taken) is None
    assert dialogue.session.broken


def test_closing_says_goodbye_to_all() -> None:
    dialogue = greeted()
    pool = Pool(dialogue.config, dialogue.clock)
    pool.give("mx:a", dialogue.session)
    pool.close()
    assert dialogue.sent() == "QUIT\r\n"
    other = greeted()
    pool.give("mx:a", other.session)
    assert len(pool) == 0 and other.sent() == "QUIT\r\n"


def test_no_more_sessions_wait_than_configured() -> None:
    dialogues = [greeted(max_idle=2) for _ in range(3)]
    pool = Pool(dialogues[0].config, dialogues[0].clock)
    for dialogue in dialogues:
        pool.give("mx:a", dialogue.session)
    assert len(pool) == 2
