"""The session: order, limits, clocks, flow control, and its ends."""

import pytest
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.mail import smtp
from zope.interface.verify import verifyObject

from tests.fakes.submission import FakeSite
from tests.unit.smtp.support import MESSAGE, Client, codes, lmtp
from tests.wire.runner import Wire
from trekd.errors import DirectoryDown, StoreFull, TooManyFailures, TooManyUnauthenticated
from trekd.portal.interfaces import IConnection, IMailUser
from trekd.smtp.protocol import LINGER
from trekd.smtp.session import MAX_COMMANDS, SUBMISSION, SUBMISSIONS
from trekd.smtp.stream import PAUSE_AT


def test_answers_keep_the_order_of_commands_however_long_one_takes() -> None:
    """RFC 2920 §3.2."""
    client = Client()
    client.site.flow.resolving = waiting = Deferred()
    answer = client.ask(b"MAIL FROM:<alice@example.com>", b"RCPT TO:<bob@example.com>", b"NOOP", b"RSET")
    assert codes(answer) == [250]
    assert client.wire.read() == b""
    client.site.flow.resolving = None
    waiting.callback(None)
    answer = client.wire.read()
    assert codes(answer) == [250, 250, 250]
    assert b"2.1.5" in answer.splitlines()[0]
    assert b"Reset" in answer.splitlines()[2]


def test_the_reply_to_data_waits_until_the_message_is_durable() -> None:
    client = Client()
    client.site.flow.hold = hold = Deferred()
    assert client.submit(MESSAGE) == b""
    assert client.ask(b"NOOP") == b""
    hold.callback(None)
    assert codes(client.wire.read()) == [250, 250]
    assert len(client.stored) == 1


def test_a_client_that_vanishes_in_the_middle_leaves_nothing() -> None:
    client = Client()
    client.begin()
    client.ask(b"DATA")
    client.send(MESSAGE)
    client.wire.vanish()
    assert [sink.discarded for sink in client.site.flow.sinks] == [True]
    assert client.stored == []
    assert client.site.realm.logouts == 1
    assert client.site.ledger.leases[0].closed
    assert client.site.clock.getDelayedCalls() == []


def test_a_client_that_vanishes_while_its_message_is_stored_loses_nothing() -> None:
    client = Client()
    client.site.flow.hold = hold = Deferred()
    client.submit(MESSAGE)
    client.wire.vanish()
    hold.callback(None)
    assert len(client.stored) == 1
    assert client.site.flow.sinks[0].discarded


def test_a_client_that_vanishes_during_its_login_is_logged_out() -> None:
    site = FakeSite(SUBMISSIONS)
    site.checker.hold = hold = Deferred()
    wire = Wire(site.factory)
    wire.send(b"EHLO c\r\nAUTH PLAIN AGFsaWNlQGV4YW1wbGUuY29tAHNlY3JldA==\r\n")
    wire.vanish()
    hold.callback(None)
    assert site.realm.logouts == 1


def test_the_announced_size_is_judged_for_each_recipient() -> None:
    """RFC 1870 §6.2."""
    client = Client()
    client.ask(b"MAIL FROM:<alice@example.com> SIZE=4711", b"RCPT TO:<bob@example.com>", b"RSET")
    client.ask(b"MAIL FROM:<alice@example.com>", b"RCPT TO:<bob@example.com>")
    assert client.site.flow.announced == [4711, 0]


def test_reading_pauses_while_too_much_waits() -> None:
    client = Client()
    client.site.flow.resolving = waiting = Deferred()
    client.ask(b"MAIL FROM:<alice@example.com>", b"RCPT TO:<bob@example.com>")
    line = b"NOOP " + b"x" * 1000 + b"\r\n"
    client.send(line * (PAUSE_AT // len(line)))
    assert client.wire.transport.producerState == "producing"
    client.send(line)
    assert client.wire.transport.producerState == "paused"
    waiting.callback(None)
    assert client.wire.transport.producerState == "producing"


def test_a_client_that_does_not_read_stops_its_own_session() -> None:
    client = Client()
    gate = client.wire.transport.producer
    gate.pauseProducing()
    client.ask(b"NOOP")
    assert client.ask(b"NOOP", b"NOOP") == b""
    gate.resumeProducing()
    assert codes(client.wire.read()) == [250, 250]
    gate.pauseProducing()
    client.ask(b"NOOP")
    client.site.clock.advance(client.site.site.config.command_timeout)
    assert client.wire.closed


def test_a_sink_that_is_slow_slows_the_client() -> None:
    client = Client()
    client.begin()
    client.ask(b"DATA")
    client.send(MESSAGE)
    sink = client.site.flow.sinks[0]
    sink.hold = Deferred()
    client.send(b"x" * 70 + b"\r\n")
    client.send((b"y" * 70 + b"\r\n") * (PAUSE_AT // 70))
    assert client.wire.transport.producerState == "paused"
    hold, sink.hold = sink.hold, None
    hold.callback(None)
    assert client.wire.transport.producerState == "producing"
    assert codes(client.send(b".\r\n")) == [250]
    assert len(client.stored[0]) > PAUSE_AT


def test_who_does_not_log_in_is_timed_out_whatever_it_sends() -> None:
    site = FakeSite(SUBMISSION, login_timeout=60)
    wire = Wire(site.factory)
    for _ in range(5):
        site.clock.advance(11)
        wire.send(b"NOOP\r\n")
    wire.read()
    site.clock.advance(5)
    assert wire.read().startswith(b"421 4.4.2")
    assert wire.closed


def test_data_has_its_own_timeout_and_a_least_rate() -> None:
    """RFC 5321 §4.5.3.2.5; one octet a second is an attack."""
    client = Client()
    client.begin()
    client.ask(b"DATA")
    for _ in range(700):
        client.site.clock.advance(1)
        client.send(b"x")
    assert client.wire.closed
    client = Client()
    client.begin()
    client.ask(b"DATA")
    client.site.clock.advance(299)
    client.send(b"x" * 60_000)
    client.site.clock.advance(299)
    assert not client.wire.closed
    client.site.clock.advance(1)
    assert client.wire.read().startswith(b"421 4.4.2")


def test_an_endless_line_ends_the_session_with_one_reply() -> None:
    site = FakeSite(SUBMISSIONS)
    wire = Wire(site.factory)
    wire.read()
    for _ in range(1000):
        wire.send(b"x" * 4096)
    assert codes(wire.read()) == [500]
    assert wire.closed


def test_a_long_line_is_refused_and_the_next_one_runs() -> None:
    client = Client()
    assert codes(client.ask(b"NOOP " + b"x" * 3000, b"NOOP")) == [500, 250]


def test_too_many_errors_end_the_session() -> None:
    client = Client(max_errors=5)
    answer = client.ask(*[b"FOO"] * 10)
    assert codes(answer) == [500] * 5 + [421]
    assert client.wire.closed


def test_an_accepted_message_forgives_errors() -> None:
    client = Client(max_errors=5)
    for _ in range(3):
        assert codes(client.ask(*[b"FOO"] * 4)) == [500] * 4
        assert codes(client.submit(MESSAGE)) == [250]


def test_lmtp_may_ask_for_many_unknown_recipients() -> None:
    client = lmtp(max_errors=5)
    client.ask(b"MAIL FROM:<a@elsewhere.example>")
    assert codes(client.ask(*[b"RCPT TO:<nobody@example.com>"] * 50)) == [550] * 50


def test_ten_thousand_commands_end_in_421() -> None:
    client = Client()
    answer = codes(client.ask(*[b"NOOP"] * 10_000))
    assert answer[-1] == 421
    assert len(answer) < MAX_COMMANDS + 200
    assert client.wire.closed


def test_recipients_beyond_the_limit_are_for_another_message() -> None:
    """RFC 5321 §4.5.3.1.10: 452, and the transaction goes on."""
    client = Client(max_recipients=100)
    client.ask(b"MAIL FROM:<alice@example.com>")
    answer = client.ask(*[b"RCPT TO:<bob@example.com>"] * 101, b"DATA")
    assert codes(answer) == [250] * 100 + [452, 354]
    assert b"452 4.5.3" in answer


def test_failed_logins_end_the_session() -> None:
    site = FakeSite(SUBMISSIONS, max_auth_failures=3)
    wire = Wire(site.factory)
    wire.send(b"EHLO c\r\n" + b"AUTH PLAIN AGEAYg==\r\n" * 5)
    assert codes(wire.read())[-4:] == [535, 535, 535, 421]
    assert wire.closed
    assert len(site.checker.seen) == 3


@pytest.mark.parametrize(
    ("failure", "answer"),
    [(DirectoryDown(), b"454 4.7.0"), (TooManyFailures(), b"454 4.7.0"), (ZeroDivisionError(), b"451 4.3.0")],
)
def test_an_outage_is_never_a_wrong_password(failure: Exception, answer: bytes) -> None:
    site = FakeSite(SUBMISSIONS)
    site.checker.failure = failure
    wire = Wire(site.factory)
    wire.send(b"EHLO c\r\nAUTH PLAIN AGEAYg==\r\n")
    assert wire.read().splitlines()[-1].startswith(answer)
    assert not wire.closed


def test_a_login_line_may_be_long_but_not_endless() -> None:
    """RFC 4954 §4: 12,288 octets, then 500 5.5.6."""
    site = FakeSite(SUBMISSIONS)
    wire = Wire(site.factory)
    wire.send(b"EHLO c\r\nAUTH PLAIN\r\n")
    wire.read()
    wire.send(b"A" * 12284 + b"\r\n")
    assert wire.read().startswith(b"501")
    wire.send(b"AUTH PLAIN\r\n" + b"A" * 12287 + b"\r\nNOOP\r\n")
    assert [line[:9] for line in wire.read().splitlines()] == [b"334 ", b"500 5.5.6", b"250 2.0.0"]


def test_an_endless_login_line_ends_the_session() -> None:
    site = FakeSite(SUBMISSIONS)
    wire = Wire(site.factory)
    wire.send(b"EHLO c\r\nAUTH LOGIN\r\n")
    for _ in range(100):
        wire.send(b"A" * 4096)
    assert codes(wire.read())[-1] == 500
    assert wire.closed


@pytest.mark.parametrize(
    "response", [b"AP9hAGI=", b"YQBiAGM=", b"AGEAYgBj", b"YQ==", b"\xff\xff", "é".encode(), b"A A A A"]
)
def test_odd_responses_are_refused_before_any_password_is_tried(response: bytes) -> None:
    """RFC 4616 §2: three parts in UTF-8, and nobody acts for somebody else."""
    site = FakeSite(SUBMISSIONS)
    wire = Wire(site.factory)
    wire.send(b"EHLO c\r\nAUTH PLAIN\r\n" + response + b"\r\n")
    assert codes(wire.read())[-1] == 501
    wire.send(b"AUTH LOGIN AGEAYg==\r\n")
    assert codes(wire.read()) == [501]
    assert site.checker.seen == []


def test_a_checker_of_twisteds_own_may_refuse_as_it_does() -> None:
    site = FakeSite(SUBMISSIONS)
    site.checker.failure = UnauthorizedLogin()
    wire = Wire(site.factory)
    wire.send(b"EHLO c\r\nAUTH PLAIN AGEAYg==\r\n")
    assert wire.read().splitlines()[-1].startswith(b"535 5.7.8")


def test_names_of_any_language_log_in() -> None:
    site = FakeSite(SUBMISSIONS)
    wire = Wire(site.factory)
    wire.send(b"EHLO c\r\nAUTH PLAIN AMO8QHgAcMOkc3M=\r\n")
    assert site.checker.seen == [("ü@x", "päss")]


def test_a_full_house_is_told_at_the_door() -> None:
    site = FakeSite(SUBMISSIONS)
    site.ledger.refusal = TooManyUnauthenticated()
    wire = Wire(site.factory)
    assert wire.read().startswith(b"421 4.7.0")
    assert wire.closed
    wire.send(b"EHLO c\r\n")
    assert wire.read() == b""


def test_an_idle_session_leaves_at_once() -> None:
    client = Client()
    gone: list[None] = []
    client.wire.protocol.say_goodbye().addCallback(gone.append)
    assert client.wire.read().startswith(b"421 4.3.2")
    assert client.wire.closed
    assert gone == [None]


def test_a_message_on_its_way_is_finished_before_we_leave() -> None:
    client = Client()
    client.begin()
    client.ask(b"DATA")
    client.wire.protocol.say_goodbye()
    assert client.wire.read() == b""
    client.site.flow.hold = hold = Deferred()
    assert client.send(MESSAGE + b".\r\nNOOP\r\n") == b""
    hold.callback(None)
    assert codes(client.wire.read()) == [250, 421]
    assert client.wire.closed


def test_an_unexpected_error_is_one_fixed_sentence() -> None:
    client = Client()
    client.site.flow.refusals["bob@example.com"] = ZeroDivisionError("secret detail")
    client.ask(b"MAIL FROM:<alice@example.com>")
    answer = client.ask(b"RCPT TO:<bob@example.com>", b"RCPT TO:<carol@example.com>")
    assert codes(answer) == [451, 250]
    assert b"secret" not in answer


def test_an_unexpected_error_of_the_flow_is_no_acceptance() -> None:
    client = Client()
    client.begin()
    client.ask(b"DATA")
    client.site.flow.hold = hold = Deferred()
    client.send(MESSAGE + b".\r\n")
    hold.errback(ZeroDivisionError("secret detail"))
    answer = client.wire.read()
    assert codes(answer) == [451] and b"secret" not in answer
    client.site.flow.hold = hold = Deferred()
    client.submit(MESSAGE)
    hold.errback(StoreFull())
    assert client.wire.read().startswith(b"452 4.3.1")
    assert all(sink.discarded for sink in client.site.flow.sinks)


def test_words_after_the_end_are_for_nobody() -> None:
    client = Client()
    assert codes(client.ask(b"QUIT", b"NOOP", b"MAIL FROM:<alice@example.com>")) == [221]


class Deaf(Wire):
    """A client whose connection stays open however long we wait."""

    def __init__(self, site: FakeSite) -> None:
        super().__init__(site.factory)
        self.transport.protocol = None


def test_a_connection_that_does_not_close_is_dropped() -> None:
    site = FakeSite(SUBMISSIONS)
    wire = Deaf(site)
    aborted: list[bool] = []
    wire.transport.abortConnection = lambda: aborted.append(True)
    wire.send(b"QUIT\r\n")
    site.clock.advance(LINGER - 1)
    assert not aborted
    site.clock.advance(1)
    assert aborted


def test_the_protocol_is_what_twisted_and_the_ledger_expect() -> None:
    client = Client()
    assert verifyObject(IConnection, client.wire.protocol)
    assert isinstance(client.wire.protocol, smtp.ESMTP)
    assert isinstance(client.site.factory, smtp.SMTPFactory)
    assert IMailUser.providedBy(client.wire.protocol.delivery)


def test_what_trekctl_shows() -> None:
    client = Client()
    client.site.clock.advance(7)
    shown = client.wire.protocol.describe()
    assert shown["client"] == "client.example"
    assert shown["idle"] == 7
    assert shown["octets_in"] > 0 and shown["octets_out"] > 0
    assert client.wire.protocol.service == "submission"
    assert client.wire.protocol.kernel_socket() is None
    assert client.wire.protocol.heartbeat() is False
