"""The connection: order, flow control, time, the ledger, and ends of every kind."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from tests.fakes.imapsite import PASSWORD, PEER, Client, IMAPSite, message, now
from trekd.config.schema import LimitsConfig, PlanConfig
from trekd.errors import DirectoryDown
from trekd.portal.interfaces import IConnection
from trekd.values import PrincipalId


class TestGreeting:
    def test_no_delay_is_set(self) -> None:
        assert IMAPSite().connect().transport.no_delay

    def test_too_many_strangers_from_one_address_get_bye(self) -> None:
        site = IMAPSite(limits=LimitsConfig(unauthenticated_per_ip=2))
        clients = [site.connect() for _ in range(2)]
        third = Client(site)
        assert third.read().startswith(b"* BYE [UNAVAILABLE] Too many connections")
        assert third.closed
        assert not any(client.closed for client in clients)
        clients[0].vanish()
        assert Client(site).read().startswith(b"* OK")

    def test_connection_describes_itself(self) -> None:
        site = IMAPSite()
        client = site.user().select()
        client.ask('a ID ("name" "Thunderbird" "version" "128" "os" "x")')
        site.reactor.advance(5)
        assert verifyObject(IConnection, client.protocol)
        shown = client.protocol.describe()
        assert (shown["client"], shown["mailbox"], shown["idle"]) == ("Thunderbird 128", "INBOX", 5)
        assert shown["octets_in"] > 50 and shown["octets_out"] > 300
        assert client.protocol.kernel_socket() is None
        assert client.protocol.peer == PEER


class TestLimits:
    def test_connection_beyond_the_plan_is_told_why_and_closed(self) -> None:
        site = IMAPSite(PlanConfig(connections_per_ip=2, connections_total=3))
        others = [site.user(), site.user()]
        third = site.connect()
        lines = third.ask(f"a LOGIN alice@example.com {PASSWORD}")
        assert lines == [
            "a NO [UNAVAILABLE] Maximum connections exceeded (2 of 2 from 203.0.113.7 on plan nano); "
            "close another mail program and try again",
            "* BYE Maximum connections exceeded (2 of 2 from 203.0.113.7 on plan nano); "
            "close another mail program and try again",
        ]
        assert third.closed
        assert all(client.ask("n NOOP") == ["n OK NOOP completed"] for client in others)
        others[0].ask("q LOGOUT")
        assert site.user().ask("n NOOP") == ["n OK NOOP completed"]

    def test_sasl_is_counted_alike(self) -> None:
        site = IMAPSite(PlanConfig(connections_per_ip=1, connections_total=1))
        site.user()
        lines = site.connect().ask("a AUTHENTICATE PLAIN AGFsaWNlQGV4YW1wbGUuY29tAHJpZ2h0")
        assert lines[0].startswith("a NO [UNAVAILABLE] Maximum connections exceeded (1 of 1")

    def test_directory_outage_is_no_wrong_password(self) -> None:
        site = IMAPSite()
        site.directory.fault = DirectoryDown()
        client = site.connect()
        for _ in range(5):
            assert client.ask(f"a LOGIN alice@example.com {PASSWORD}")[0].startswith("a NO [UNAVAILABLE]")
        assert not client.closed

    def test_slot_is_given_back_when_the_client_vanishes_during_login(self) -> None:
        site = IMAPSite(PlanConfig(connections_per_ip=1, connections_total=1))
        site.directory.hold = Deferred()
        client = site.connect()
        client.ask(f"a LOGIN alice@example.com {PASSWORD}")
        client.vanish()
        site.directory.hold.callback(None)
        site.directory.hold = None
        assert site.ledger.sessions() == ()
        site.user()

    def test_kick_ends_a_session(self) -> None:
        site = IMAPSite()
        client = site.user()
        assert site.ledger.kick(principal=PrincipalId("alice@example.com")) == 1
        assert client.closed


class TestOrder:
    def test_commands_wait_for_the_one_before(self) -> None:
        site = IMAPSite()
        site.directory.hold = Deferred()
        client = site.connect()
        client.send(b"a LOGIN alice@example.com right\r\nb SELECT INBOX\r\nc NOOP\r\n")
        assert client.read() == b""
        site.directory.hold.callback(None)
        answers = client.read()
        assert answers.index(b"a OK") < answers.index(b"b OK [READ-WRITE]") < answers.index(b"c OK")

    def test_ten_thousand_pipelined_commands(self) -> None:
        client = IMAPSite().user().select()
        client.send(b"".join(b"%d NOOP\r\n" % number for number in range(10_000)))
        assert client.read().split(b"\r\n")[:-1] == [b"%d OK NOOP completed" % number for number in range(10_000)]

    def test_input_waits_while_a_command_runs(self) -> None:
        """The peer is not read from when enough of its input is here."""
        site = IMAPSite()
        site.directory.hold = Deferred()
        client = site.connect()
        client.send(b"a LOGIN alice@example.com right\r\n")
        while client.transport.producerState == "producing":
            client.send(b"b NOOP\r\n" * 100)
        assert client.transport.producerState == "paused"
        site.directory.hold.callback(None)
        assert client.transport.producerState == "producing"
        assert client.read().count(b"b OK") >= 100


class TestFlowControl:
    def test_listing_stops_while_the_client_does_not_read(self) -> None:
        site = IMAPSite()
        for number in range(40):
            site.fill(1, "INBOX")
            assert number < 50
        client = site.user().select()
        client.transport.producer.pauseProducing()
        client.send(b"a FETCH 1:* BODY.PEEK[]\r\nb NOOP\r\n")
        assert b"b OK" not in client.read()
        client.transport.producer.resumeProducing()
        assert client.read().endswith(b"b OK NOOP completed\r\n")

    def test_no_command_starts_while_the_client_does_not_read(self) -> None:
        client = IMAPSite().user()
        client.transport.producer.pauseProducing()
        client.send(b"a NOOP\r\nb NOOP\r\n")
        assert client.read() == b""
        client.transport.producer.resumeProducing()
        assert client.read() == b"a OK NOOP completed\r\nb OK NOOP completed\r\n"

    def test_client_that_takes_nothing_is_cut_off(self) -> None:
        site = IMAPSite()
        client = site.user()
        client.transport.producer.pauseProducing()
        client.send(b"a NOOP\r\n")
        site.reactor.advance(301)
        assert client.transport.aborted

    def test_connection_lost_in_a_listing(self) -> None:
        site = IMAPSite()
        site.fill(3)
        client = site.user().select()
        client.transport.producer.pauseProducing()
        client.send(b"a FETCH 1:* BODY.PEEK[]\r\n")
        client.vanish()
        assert site.ledger.sessions() == ()

    def test_no_heartbeat_for_a_client_that_does_not_read(self) -> None:
        site = IMAPSite()
        client = site.user()
        client.ask("a IDLE")
        client.transport.producer.pauseProducing()
        site.reactor.advance(121)
        assert client.read() == b""
        assert not client.protocol.heartbeat()


class TestTime:
    def test_login_has_a_deadline_that_octets_do_not_put_off(self) -> None:
        site = IMAPSite()
        client = site.connect()
        for _ in range(4):
            site.reactor.advance(14)
            client.ask("a NOOP")
        site.reactor.advance(5)
        assert client.read() == b"* BYE Login took too long\r\n"
        assert client.closed

    def test_silence_after_login_ends_the_session(self) -> None:
        """RFC 3501 §5.4: not before 30 minutes."""
        site = IMAPSite()
        client = site.user()
        site.reactor.advance(1000)
        client.ask("a NOOP")
        site.reactor.advance(1799)
        assert not client.closed
        site.reactor.advance(2)
        assert client.read().startswith(b"* BYE Autologout")
        assert client.closed

    def test_idle_does_not_end_silence(self) -> None:
        site = IMAPSite()
        client = site.user()
        client.ask("a IDLE")
        for _ in range(15):
            site.reactor.advance(120)
        assert client.read().count(b"* OK Still here") >= 14
        site.reactor.advance(1)
        assert client.closed

    def test_client_that_stops_in_a_literal_is_ended(self) -> None:
        site = IMAPSite()
        client = site.user()
        client.ask("a APPEND INBOX {100}")
        client.send(b"half")
        site.reactor.advance(1801)
        assert b"* BYE" in client.read()
        assert client.closed

    def test_nothing_is_left_on_the_clock(self) -> None:
        site = IMAPSite()
        client = site.user().select()
        client.ask("a IDLE")
        client.vanish()
        assert site.reactor.getDelayedCalls() == []


class TestGoodbye:
    def test_waiting_session_is_told_at_once(self) -> None:
        client = IMAPSite().user()
        done = client.protocol.say_goodbye()
        assert client.read() == b"* BYE Server shutting down\r\n"
        assert client.closed
        assert done is not None
        now(done)

    def test_idle_session_is_told_at_once(self) -> None:
        client = IMAPSite().user()
        client.ask("a IDLE")
        client.protocol.say_goodbye()
        assert client.read() == b"* BYE Server shutting down\r\n"

    def test_running_command_ends_first(self) -> None:
        site = IMAPSite()
        site.directory.hold = Deferred()
        client = site.connect()
        client.send(b"a LOGIN alice@example.com right\r\nb NOOP\r\n")
        client.protocol.say_goodbye()
        assert client.read() == b""
        site.directory.hold.callback(None)
        first, second = client.read().split(b"\r\n")[:2]
        assert first.startswith(b"a OK")
        assert second == b"* BYE Server shutting down"
        assert client.closed

    def test_message_half_sent_is_not_added(self) -> None:
        site = IMAPSite()
        client = site.user()
        client.ask("a APPEND INBOX {100}")
        client.protocol.say_goodbye()
        assert client.closed
        assert site.user().ask("a STATUS INBOX (MESSAGES)")[0] == '* STATUS "INBOX" (MESSAGES 0)'

    def test_client_that_vanishes_in_a_literal_adds_nothing(self) -> None:
        site = IMAPSite()
        client = site.user()
        client.ask("a APPEND INBOX {100}")
        client.send(b"half")
        client.vanish()
        assert site.user().ask("a STATUS INBOX (MESSAGES)")[0] == '* STATUS "INBOX" (MESSAGES 0)'


class TestBadInput:
    def test_too_many_bad_commands_in_a_row(self) -> None:
        """An HTTP or SMTP client gives up, and so do we."""
        client = IMAPSite().user()
        client.send(b"nonsense\r\n" * 100)
        answers = client.read()
        assert answers.count(b"BAD") == 20
        assert answers.endswith(b"* BYE Too many bad commands\r\n")
        assert client.closed

    def test_good_command_between_bad_ones(self) -> None:
        client = IMAPSite().user()
        for _ in range(30):
            client.ask("a NONSENSE")
            client.ask("b NOOP")
        assert not client.closed

    def test_line_too_long_is_swallowed(self) -> None:
        client = IMAPSite().user()
        client.send(b"a SEARCH " + b"x" * 70_000 + b"\r\nb NOOP\r\n")
        answers = client.read().split(b"\r\n")
        assert answers[0].startswith(b"a BAD Too large")
        assert answers[1] == b"b OK NOOP completed"

    def test_endless_line_costs_bounded_memory(self) -> None:
        client = IMAPSite().user()
        for _ in range(100):
            client.send(b"x" * 10_000)
        assert len(client.protocol.reader._buffer) < 100_000

    def test_large_set_is_answered(self) -> None:
        site = IMAPSite()
        site.fill(5)
        client = site.user().select()
        numbers = b",".join(b"%d" % number for number in range(1, 20_000, 2))
        client.send(b"a UID FETCH " + numbers + b" UID\r\n")
        assert client.read().endswith(b"* 5 FETCH (UID 5)\r\na OK FETCH completed\r\n")

    @pytest.mark.parametrize("opening", [b"a SEARCH " + b"(" * 10_000, b"a LIST (" + b"(" * 10_000])
    def test_deep_nesting(self, opening: bytes) -> None:
        client = IMAPSite().user().select()
        client.send(opening + b"\r\nb NOOP\r\n")
        answers = client.read().split(b"\r\n")
        assert answers[0].startswith(b"a BAD")
        assert answers[1] == b"b OK NOOP completed"

    def test_literal_nobody_asked_for_is_swallowed_without_being_kept(self) -> None:
        """RFC 7888 §4: a literal with plus that is refused; its octets never run as commands."""
        client = IMAPSite().user()
        client.send(b"a APPEND INBOX {60000000+}\r\n")
        chunk = b"x NOOP\r\n" * 8_192
        for _ in range(60_000_000 // len(chunk)):
            client.send(chunk)
        client.send(b"y" * (60_000_000 % len(chunk)) + b"\r\nb NOOP\r\n")
        answers = client.read().split(b"\r\n")
        assert answers[0].startswith(b"a NO [TOOBIG]")
        assert answers[1:] == [b"b OK NOOP completed", b""]

    def test_failure_of_ours_is_logged_and_says_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        site = IMAPSite()
        client = site.user()

        def broken(*_: object) -> None:
            raise ValueError("secret")

        monkeypatch.setattr(type(site.account()), "mailboxes", broken)
        assert client.ask('a LIST "" *') == [
            "a NO [SERVERBUG] Internal error; the administrator can find it in the log"
        ]
        assert not client.closed


class TestAppend:
    def test_message_in_pieces(self) -> None:
        site = IMAPSite()
        client = site.user()
        octets = message(1, "x" * 100_000)
        client.ask(f"a APPEND INBOX {{{len(octets)}}}")
        for start in range(0, len(octets), 1000):
            client.send(octets[start : start + 1000])
        assert client.ask("")[0].startswith("a OK [APPENDUID")
        client.select()
        assert f"RFC822.SIZE {len(octets)}" in client.ask("b FETCH 1 RFC822.SIZE")[0]

    def test_quota(self) -> None:
        site = IMAPSite(PlanConfig(quota=1000))
        client = site.user()
        client.send(b"a APPEND INBOX {2000+}\r\n" + b"x" * 2000 + b"\r\n")
        assert client.read().startswith(b"a NO [OVERQUOTA]")
