"""L{trekd.relay.relay}: from the message to the verdicts, over sockets of this host."""

from __future__ import annotations

from dataclasses import replace

from zope.interface.verify import verifyObject

from tests.fakes.remote import ABORT, CLOSE
from tests.unit.relay.relaycase import MESSAGE, RelayCase, to
from trekd.errors import RemoteDeferred, RemoteRefused
from trekd.queue.interfaces import IRelay, Route, RouteKind
from trekd.relay import pool
from trekd.relay.interfaces import Demand, Policy, Security, TLSResult
from trekd.values import Address


class Delivery(RelayCase):
    """By MX records."""

    async def test_a_message_arrives(self) -> None:
        remote = self.remote()
        relay = self.relay()
        assert verifyObject(IRelay, relay)
        (attempt,) = await self.send(relay)
        assert attempt.failure is None
        assert (attempt.reply, attempt.dsn) == ("250 2.0.0 taken", True)
        assert attempt.host == "mx.remote.example[127.0.0.1]"
        assert remote.messages[0].octets == MESSAGE
        assert remote.messages[0].mail == b"MAIL FROM:<a@example.com> SIZE=%d" % len(MESSAGE)

    async def test_the_lane_is_the_way(self) -> None:
        self.remote()
        address = Address("b", "Remote.Example")
        assert self.relay().lane(Route(RouteKind.RELAY), address) == "mx:remote.example"
        assert self.relay().lane(Route(RouteKind.OWN_SMTP, "p"), address) == "profile:p"
        assert self.relay(smarthost="h:25").lane(Route(RouteKind.RELAY), address) == "smarthost"

    async def test_each_recipient_has_its_own_verdict(self) -> None:
        replies = {b"no": b"550 5.1.1 nobody\r\n", b"later": b"450 4.2.1 busy\r\n", b"yes": b"250 ok\r\n"}
        remote = self.remote(answers={"RCPT": lambda line: replies[line.split(b"<")[1].split(b"@")[0]]})
        attempts = await self.send(
            self.relay(), "yes@remote.example", "no@remote.example", "later@remote.example"
        )
        yes, no, later = (attempt.failure for attempt in attempts)
        assert yes is None
        assert isinstance(no, RemoteRefused) and (no.status, no.reply) == ("5.1.1", "550 5.1.1 nobody")
        assert isinstance(later, RemoteDeferred) and later.status == "4.2.1"
        assert len(remote.messages) == 1

    async def test_a_refused_message_is_refused_for_all(self) -> None:
        self.remote(answers={"end": b"554 5.7.1 spam\r\n"})
        attempts = await self.send(self.relay(), "b@remote.example", "c@remote.example")
        assert [attempt.failure.status for attempt in attempts] == ["5.7.1", "5.7.1"]  # type: ignore[union-attr]

    async def test_more_recipients_than_the_server_takes_at_once(self) -> None:
        """RFC 5321 §4.5.3.1.10: 452 means another transaction, at once and on the same connection."""
        count = [0]

        def answer(line: bytes) -> bytes:
            count[0] += 1
            return b"452 4.5.3 Too many recipients\r\n" if count[0] % 3 == 0 else b"<usual>"

        remote = self.remote(answers={"RCPT": answer})
        attempts = await self.send(self.relay(), *(f"r{at}@remote.example" for at in range(7)))
        assert [attempt.failure for attempt in attempts] == [None] * 7
        assert sum(len(message.recipients) for message in remote.messages) == 7
        assert remote.connections == 1

    async def test_recipients_are_divided_by_the_server_s_limit(self) -> None:
        """RFC 9422 §4: RCPTMAX."""
        remote = self.remote(extensions=("PIPELINING", "LIMITS MAILMAX=9 RCPTMAX=2"))
        attempts = await self.send(self.relay(), *(f"r{at}@remote.example" for at in range(5)))
        assert [attempt.failure for attempt in attempts] == [None] * 5
        assert [len(message.recipients) for message in remote.messages] == [2, 2, 1]

    async def test_the_null_path_stays_null(self) -> None:
        remote = self.remote(extensions=())
        await self.send(self.relay(), reverse_path=None)
        assert remote.messages[0].mail == b"MAIL FROM:<>"

    async def test_a_server_without_ehlo_is_asked_with_helo(self) -> None:
        remote = self.remote(answers={"EHLO": b"502 5.5.1 no\r\n"})
        (attempt,) = await self.send(self.relay())
        assert attempt.failure is None and not attempt.dsn
        assert remote.verbs()[:3] == ["EHLO", "HELO", "MAIL"]

    async def test_without_pipelining_one_command_at_a_time(self) -> None:
        remote = self.remote(extensions=())
        await self.send(self.relay())
        assert remote.segments[:4] == [
            b"EHLO mail.example.com\r\n",
            b"MAIL FROM:<a@example.com>\r\n",
            b"RCPT TO:<b@remote.example>\r\n",
            b"DATA\r\n",
        ]

    async def test_dsn_parameters_are_passed_on(self) -> None:
        """RFC 3461 §5.2.1."""
        remote = self.remote()
        recipient = replace(
            to("b@remote.example")[0], notify=("SUCCESS", "FAILURE"), original="rfc822;b+40remote.example"
        )
        await self.send(self.relay(), recipients=(recipient,), envelope_id="QQ314159", ret="HDRS")
        assert remote.messages[0].mail.endswith(b" RET=HDRS ENVID=QQ314159")
        assert remote.messages[0].recipients == [
            b"RCPT TO:<b@remote.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+40remote.example"
        ]

    async def test_a_server_without_dsn_is_given_none(self) -> None:
        remote = self.remote(extensions=())
        recipient = replace(to("b@remote.example")[0], notify=("NEVER",))
        (attempt,) = await self.send(self.relay(), recipients=(recipient,), envelope_id="x", ret="FULL")
        assert not attempt.dsn
        assert b"NOTIFY" not in remote.wire and b"ENVID" not in remote.wire

    async def test_chunks_when_they_are_offered(self) -> None:
        """RFC 3030 §2: octets as they are, no stuffing."""
        remote = self.remote(extensions=("PIPELINING", "CHUNKING"))
        octets = b"Subject: x\r\n\r\n" + b".dot\r\n" * 400_000
        (attempt,) = await self.send(self.relay(), octets=octets)
        assert attempt.failure is None
        assert remote.messages[0].octets == octets
        assert remote.verbs().count("BDAT") == 3
        assert "DATA" not in remote.verbs()


class Needs(RelayCase):
    """What a message needs and a server lacks."""

    async def lacking(self, status: str, **facts: object) -> None:
        remote = self.remote(extensions=("PIPELINING", "SIZE 100"))
        (attempt,) = await self.send(self.relay(), **facts)  # type: ignore[arg-type]
        assert isinstance(attempt.failure, RemoteRefused)
        assert attempt.failure.status == status
        assert remote.messages == []

    async def test_a_message_larger_than_the_server_takes(self) -> None:
        """RFC 1870 §6.1."""
        await self.lacking("5.3.4", octets=MESSAGE + b"x" * 100 + b"\r\n")

    async def test_eight_bit_text_for_a_seven_bit_server(self) -> None:
        """RFC 6152 §3."""
        await self.lacking("5.6.3", octets="Subject: x\r\n\r\nçé\r\n".encode())

    async def test_an_internationalized_address_for_a_server_without(self) -> None:
        """RFC 6531 §3.2."""
        await self.lacking("5.6.7", recipients=to("bücher@remote.example"))

    async def test_an_internationalized_header_for_a_server_without(self) -> None:
        self.mx_port = 1
        await self.lacking("5.6.3", octets="Subject: ç\r\n\r\n\r\n".encode(), smtputf8=True)

    async def test_what_is_offered_is_used(self) -> None:
        remote = self.remote(extensions=("8BITMIME", "SMTPUTF8"))
        self.resolver.mx["münchen.example"] = [(1, "mx.remote.example")]
        octets = "Subject: ç\r\n\r\né\r\n".encode()
        (attempt,) = await self.send(self.relay(), "ü@münchen.example", octets=octets, smtputf8=True)
        assert attempt.failure is None
        assert remote.messages[0].mail == b"MAIL FROM:<a@example.com> BODY=8BITMIME SMTPUTF8"
        assert remote.messages[0].recipients == ["RCPT TO:<ü@münchen.example>".encode()]

    async def test_a_domain_alone_is_written_in_a_labels(self) -> None:
        """RFC 6531 §3.2: no SMTPUTF8 is needed then."""
        remote = self.remote(extensions=())
        self.resolver.mx["münchen.example"] = [(1, "mx.remote.example")]
        await self.send(self.relay(), "b@münchen.example")
        assert remote.messages[0].recipients == [b"RCPT TO:<b@xn--mnchen-3ya.example>"]

    async def test_line_ends_in_an_address_are_no_commands(self) -> None:
        remote = self.remote()
        bad = Address("x>\r\nRCPT TO:<victim", "remote.example")
        recipients = (replace(to("b@remote.example")[0], address=bad), *to("c@remote.example"))
        injected, fine = await self.send(self.relay(), recipients=recipients)
        assert isinstance(injected.failure, RemoteRefused) and injected.failure.status == "5.1.3"
        assert fine.failure is None
        assert b"victim" not in remote.wire
        (attempt,) = await self.send(self.relay(), reverse_path=bad)
        assert isinstance(attempt.failure, RemoteRefused)

    async def test_vectors_of_smuggling_never_leave(self) -> None:
        """RFC 5321 §4.1.1.4; the gate's list, by DATA and by BDAT."""
        vectors = (
            *(b"\n.\n", b"\r.\r", b"\r.\n", b"\n.\r", b"\n.\r\n", b"\r\n.\n", b"\r.\r\n", b"\r\n.\r", b"\r\n\0.\r\n"),
            *(b"\r\n.\0\r\n", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n"),
        )
        for extensions in ((), ("CHUNKING",)):
            remote = self.remote(extensions=extensions)
            relay = self.relay()
            for vector in vectors:
                octets = b"Subject: x\r\n\r\nbody" + vector + b"MAIL FROM:<evil@example.com>\r\n"
                (attempt,) = await self.send(relay, octets=octets)
                assert isinstance(attempt.failure, RemoteRefused), vector
                assert attempt.failure.status == "5.6.0"
            assert remote.commands == []

    async def test_an_end_of_data_inside_a_message_is_one_message(self) -> None:
        """The one vector that a message may hold is stuffed."""
        remote = self.remote()
        octets = b"Subject: x\r\n\r\nbody\r\n.\r\nMAIL FROM:<evil@example.com>\r\n"
        await self.send(self.relay(), octets=octets)
        assert [message.octets for message in remote.messages] == [octets]
        assert remote.verbs() == ["EHLO", "MAIL", "RCPT", "DATA"]
        assert remote.wire.count(b"\r\n.\r\n") == 1


class Failover(RelayCase):
    """RFC 5321 §5.1: one host after the other."""

    def two(self, **first: object) -> tuple[object, object]:
        """Two exchangers, the better one with the given behaviour."""
        self.resolver.mx["remote.example"] = [(10, "one.example"), (20, "two.example")]
        self.resolver.hosts.update({"one.example": ["127.0.0.1"], "two.example": ["127.0.0.2"]})
        one = self.remote(**first)
        two = self.remote("127.0.0.2", self.mx_port)
        return one, two

    async def test_the_next_host_is_asked(self) -> None:
        for behaviour in (
            {"answers": {"greeting": b"554 5.3.2 not here\r\n"}},
            {"answers": {"greeting": b"421 4.3.2 busy\r\n"}},
            {"answers": {"greeting": CLOSE}},
            {"answers": {"greeting": b"HTTP/1.1 400 Bad\r\n"}},
            {"answers": {"EHLO": b"451 4.3.0 no\r\n"}},
            {"answers": {"MAIL": b"450 4.7.1 no\r\n"}},
            {"answers": {"RCPT": b"450 4.7.1 greylisted\r\n"}},
            {"answers": {"RCPT": ABORT}},
            {"answers": {"DATA": CLOSE}},
        ):
            _, two = self.two(**behaviour)
            (attempt,) = await self.send(self.relay())
            assert attempt.failure is None, behaviour
            assert attempt.host == "two.example[127.0.0.2]"
            assert len(two.messages) == 1  # type: ignore[attr-defined]

    async def test_a_verdict_is_not_asked_for_twice(self) -> None:
        for answers in ({"MAIL": b"550 5.7.1 no\r\n"}, {"RCPT": b"550 5.1.1 no\r\n"}, {"end": b"554 no\r\n"}):
            _, two = self.two(answers=answers)
            (attempt,) = await self.send(self.relay())
            assert isinstance(attempt.failure, RemoteRefused)
            assert two.connections == 0  # type: ignore[attr-defined]

    async def test_a_host_that_may_have_taken_the_message_is_the_last(self) -> None:
        """No duplicates: the end of data was sent, and nobody knows."""
        for answers in ({"end": CLOSE}, {"end": b"rubbish\r\n"}, {"end": b"451 4.3.0 later\r\n"}):
            _, two = self.two(answers=answers)
            (attempt,) = await self.send(self.relay())
            assert isinstance(attempt.failure, RemoteDeferred)
            assert two.connections == 0  # type: ignore[attr-defined]

    async def test_nobody_listens(self) -> None:
        self.two()
        self.resolver.hosts["one.example"] = ["127.0.0.77"]
        (attempt,) = await self.send(self.relay())
        assert attempt.host == "two.example[127.0.0.2]"
        self.resolver.hosts["two.example"] = ["127.0.0.78"]
        (attempt,) = await self.send(self.relay(idle_time=0))
        assert isinstance(attempt.failure, RemoteDeferred)
        assert (attempt.failure.status, attempt.failure.reply) == ("4.4.1", "Connection refused")

    async def test_hosts_that_refuse_for_good_are_a_verdict_when_all_do(self) -> None:
        self.remote(answers={"greeting": b"554 5.7.1 blocked\r\n"})
        (attempt,) = await self.send(self.relay())
        assert isinstance(attempt.failure, RemoteRefused)
        assert attempt.failure.reply == "554 5.7.1 blocked"

    async def test_a_host_that_refuses_everybody_is_no_verdict_on_whom_another_put_off(self) -> None:
        _, two = self.two(answers={"RCPT": b"450 4.7.1 greylisted\r\n"})
        two.answers["greeting"] = b"554 5.7.1 blocked\r\n"  # type: ignore[attr-defined]
        (attempt,) = await self.send(self.relay())
        assert isinstance(attempt.failure, RemoteDeferred)
        assert attempt.failure.reply == "450 4.7.1 greylisted"

    async def test_no_more_hosts_than_configured(self) -> None:
        remote = self.remote(answers={"greeting": b"421 no\r\n"})
        self.resolver.hosts["mx.remote.example"] = [f"127.0.0.{at}" for at in (1, 81, 82, 83)]
        await self.send(self.relay(max_hosts=2))
        assert remote.connections == 1

    async def test_ipv6_is_tried_first(self) -> None:
        self.resolver.hosts["mx.remote.example"] = ["127.0.0.1", "::1"]
        older = self.remote()
        newer = self.remote("::1", self.mx_port)
        await self.send(self.relay())
        assert (newer.connections, older.connections) == (1, 0)

    async def test_names_that_nobody_knows(self) -> None:
        self.remote()
        self.resolver.mx["null.example"] = [(0, "")]
        self.resolver.mx["own.example"] = [(10, "mail.example.com"), (20, "mx.remote.example")]
        self.resolver.down.add("silent.example")
        verdicts = {
            "nowhere.example": "5.1.2",
            "null.example": "5.1.10",
            "own.example": "5.4.6",
            "silent.example": "4.4.3",
        }
        for domain, status in verdicts.items():
            (attempt,) = await self.send(self.relay(), f"b@{domain}")
            assert attempt.failure.status == status  # type: ignore[union-attr]

    async def test_mail_that_comes_back_to_this_host_is_stopped(self) -> None:
        remote = self.remote(answers={"greeting": b"220 MAIL.example.com ESMTP\r\n"})
        (attempt,) = await self.send(self.relay())
        assert attempt.failure.status == "5.4.6"  # type: ignore[union-attr]
        assert remote.messages == []

    async def test_private_addresses_are_not_connected_to(self) -> None:
        """The address is judged after resolution, whatever name led to it."""
        remote = self.remote()
        (attempt,) = await self.send(self.relay(allowed_networks=()))
        assert isinstance(attempt.failure, RemoteRefused)
        assert "loopback" in attempt.failure.reply
        (attempt,) = await self.send(
            self.relay(allowed_networks=()),
            recipients=(replace(to("b@remote.example")[0], address=Address("b", "[127.0.0.1]")),),
        )
        assert isinstance(attempt.failure, RemoteRefused)
        assert remote.connections == 0


class Reuse(RelayCase):
    """Connections that wait for the next message."""

    async def test_a_connection_serves_again(self) -> None:
        remote = self.remote()
        relay = self.relay()
        for _ in range(3):
            await self.send(relay)
        assert (remote.connections, len(remote.messages)) == (1, 3)
        assert remote.verbs().count("EHLO") == 1
        assert self.resolver.asked.count("remote.example") == 1

    async def test_a_connection_that_died_is_replaced(self) -> None:
        remote = self.remote(answers={"RSET": ABORT})
        relay = self.relay()
        self.patch(pool, "FRESH_FOR", 0.0)
        await self.send(relay)
        (attempt,) = await self.send(relay)
        assert attempt.failure is None
        assert (remote.connections, len(remote.messages)) == (2, 2)

    async def test_a_server_that_took_a_message_just_now_is_not_asked_whether_it_lives(self) -> None:
        remote = self.remote()
        relay = self.relay()
        await self.send(relay)
        await self.send(relay)
        assert "RSET" not in remote.verbs()

    async def gets_another_connection(self, answer: bytes) -> None:
        """A message that shows that a connection is of no use goes over another one, at once."""
        remote = self.remote()
        relay = self.relay()
        await self.send(relay)
        once = [answer]
        remote.answers["MAIL"] = lambda line: once.pop() if once else b"<usual>"
        (attempt,) = await self.send(relay)
        assert attempt.failure is None
        assert (remote.connections, once) == (2, [])
        # A server that refuses MAIL and says 354 all the same has got an empty message (RFC 2920 §3.1).
        assert [one.octets for one in remote.messages if one.octets] == [MESSAGE] * 2

    async def test_a_connection_that_died_unseen_is_replaced(self) -> None:
        await self.gets_another_connection(ABORT)

    async def test_a_server_that_leaves_now_is_asked_again(self) -> None:
        await self.gets_another_connection(b"421 4.3.2 closing\r\n")

    async def test_a_server_that_has_enough_of_a_connection_gets_another(self) -> None:
        await self.gets_another_connection(b"451 4.7.0 enough for this connection\r\n")

    async def test_a_transaction_that_ended_with_no_message_is_reset(self) -> None:
        """RFC 5321 §4.1.1.5: its MAIL still stands."""
        remote = self.remote(answers={"RCPT": b"550 5.1.1 nobody\r\n"})
        relay = self.relay()
        await self.send(relay)
        del remote.answers["RCPT"]
        (attempt,) = await self.send(relay)
        assert attempt.failure is None
        assert (remote.connections, remote.verbs().count("RSET")) == (1, 1)

    async def test_a_server_that_said_goodbye_is_not_asked(self) -> None:
        remote = self.remote()
        relay = self.relay()
        await self.send(relay)
        remote.open[0].transport.write(b"421 4.4.2 idle too long\r\n")
        (attempt,) = await self.send(relay)
        assert attempt.failure is None

    async def test_a_connection_is_not_for_ever(self) -> None:
        remote = self.remote()
        relay = self.relay(max_messages=2)
        for _ in range(4):
            await self.send(relay)
        assert remote.connections == 2

    async def test_lanes_do_not_share(self) -> None:
        self.resolver.mx["other.example"] = [(10, "mx.remote.example")]
        remote = self.remote()
        relay = self.relay()
        await self.send(relay)
        await self.send(relay, "b@other.example")
        assert remote.connections == 2

    async def test_nothing_waits_when_it_should_not(self) -> None:
        remote = self.remote()
        await self.send(self.relay(idle_time=0))
        await self.send(self.relay(idle_time=0))
        assert remote.connections == 2


class Encryption(RelayCase):
    """TLS with exchangers."""

    def demand(self, **facts: object) -> None:
        facts.setdefault("server_name", "mx.remote.example")
        self.demands.demands["mx.remote.example"] = Demand(**facts)  # type: ignore[arg-type]

    async def test_tls_is_used_when_it_is_offered(self) -> None:
        remote = self.tls_remote()
        (attempt,) = await self.send(self.relay())
        assert attempt.failure is None
        assert remote.messages[0].secure
        assert remote.verbs() == ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA"]
        assert self.demands.records == [("remote.example", "mx.remote.example", TLSResult.SUCCESS)]

    async def test_in_clear_when_nothing_demands_more(self) -> None:
        for behaviour in (
            {"STARTTLS": b"454 4.7.0 not now\r\n"},
            {"STARTTLS": CLOSE},
            {"STARTTLS": b"220 go\r\nrubbish" + CLOSE},
        ):
            remote = self.tls_remote(answers=behaviour)
            (attempt,) = await self.send(self.relay())
            assert attempt.failure is None
            assert not remote.messages[0].secure
            assert remote.connections == 2

    async def test_never_in_clear_when_tls_is_demanded(self) -> None:
        for facts in (
            {"security": Security.ENCRYPTED, "policy": Policy.TLSA},
            {"security": Security.VERIFIED, "policy": Policy.STS},
            {"security": Security.DANE, "policy": Policy.TLSA},
        ):
            self.demand(**facts)
            for behaviour in (
                {"extensions": ()},
                {"extensions": ("STARTTLS",), "answers": {"STARTTLS": b"454 not now\r\n"}},
                {"extensions": ("STARTTLS",), "answers": {"STARTTLS": CLOSE}},
            ):
                remote = self.remote(**behaviour)
                (attempt,) = await self.send(self.relay())
                assert isinstance(attempt.failure, RemoteDeferred)
                assert attempt.failure.status.startswith("4.7.")
                assert b"MAIL" not in remote.wire

    async def test_never_in_clear_when_the_administrator_says_so(self) -> None:
        remote = self.remote()
        (attempt,) = await self.send(self.relay(tls="required"))
        assert isinstance(attempt.failure, RemoteDeferred)
        assert b"MAIL" not in remote.wire

    async def test_the_verdict_on_the_certificate_decides(self) -> None:
        self.demand(security=Security.DANE, policy=Policy.TLSA)
        remote = self.tls_remote()
        self.demands.result = TLSResult.FAILED
        (attempt,) = await self.send(self.relay())
        assert isinstance(attempt.failure, RemoteDeferred) and attempt.failure.status == "4.7.5"
        assert b"MAIL" not in remote.wire
        (_, chain) = self.demands.chains[0]
        assert chain and chain[0].startswith(b"\x30\x82")
        self.demands.result = TLSResult.SUCCESS
        (attempt,) = await self.send(self.relay())
        assert attempt.failure is None
        assert [record[2] for record in self.demands.records] == [TLSResult.FAILED, TLSResult.SUCCESS]

    async def test_a_policy_that_is_tested_holds_nothing_back(self) -> None:
        """RFC 8461 §5."""
        self.demand(security=Security.VERIFIED, policy=Policy.STS, testing=True)
        self.tls_remote()
        self.demands.result = TLSResult.EXPIRED
        (attempt,) = await self.send(self.relay())
        assert attempt.failure is None
        assert self.demands.records[0][2] is TLSResult.EXPIRED

    async def test_an_exchanger_that_the_policy_does_not_name_is_left_alone(self) -> None:
        """RFC 8461 §4.1."""
        self.demand(security=Security.VERIFIED, policy=Policy.STS, excluded=True)
        remote = self.tls_remote()
        (attempt,) = await self.send(self.relay())
        assert isinstance(attempt.failure, RemoteDeferred)
        assert remote.connections == 0
        assert self.demands.records[0][2] is TLSResult.HOST_MISMATCH

    async def test_a_name_server_that_does_not_tell_of_tlsa_holds_back(self) -> None:
        """RFC 7672 §2.1."""
        self.demands.down.add("mx.remote.example")
        remote = self.tls_remote()
        (attempt,) = await self.send(self.relay())
        assert isinstance(attempt.failure, RemoteDeferred) and attempt.failure.status == "4.4.3"
        assert remote.connections == 0

    async def test_what_came_before_tls_is_forgotten(self) -> None:
        """RFC 3207 §4.2: a reply injected behind that to STARTTLS, and capabilities of before."""
        injected = b"250-mx.remote.example\r\n250 AUTH PLAIN\r\n250 2.1.0 ok\r\n250 2.1.5 ok\r\n"
        remote = self.tls_remote(behind_starttls=injected, extensions=("CHUNKING", "DSN"))
        remote.answers["EHLO"] = lambda line: (
            b"250 mx.remote.example\r\n" if len(remote.commands) > 2 else b"<usual>"
        )
        (attempt,) = await self.send(self.relay())
        assert attempt.failure is None and not attempt.dsn
        assert remote.verbs() == ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA"]
        assert remote.messages[0].secure and remote.messages[0].by == "DATA"

    async def test_injected_octets_do_not_pass_for_replies_where_tls_is_demanded(self) -> None:
        self.demand(security=Security.VERIFIED, policy=Policy.STS)
        remote = self.tls_remote(behind_starttls=b"250 mx\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n")
        (attempt,) = await self.send(self.relay())
        assert attempt.failure is None
        assert [message.octets for message in remote.messages] == [MESSAGE]
        assert remote.verbs() == ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA"]

    async def test_requiretls_needs_a_name_that_somebody_vouches_for(self) -> None:
        """RFC 8689 §4.2.1."""
        remote = self.tls_remote(secure_extensions=("REQUIRETLS",))
        (attempt,) = await self.send(self.relay(), require_tls=True)
        assert isinstance(attempt.failure, RemoteRefused) and attempt.failure.status == "5.7.30"
        assert remote.connections == 0
        self.resolver.secure.add("remote.example")
        (attempt,) = await self.send(self.relay(), require_tls=True)
        assert attempt.failure is None
        assert remote.messages[0].mail.endswith(b" REQUIRETLS")
        demand, _ = self.demands.chains[0]
        assert (demand.security, demand.names) == (Security.VERIFIED, ("mx.remote.example",))

    async def test_requiretls_needs_a_server_that_promises(self) -> None:
        self.resolver.secure.add("remote.example")
        remote = self.tls_remote()
        (attempt,) = await self.send(self.relay(), require_tls=True)
        assert isinstance(attempt.failure, RemoteRefused) and attempt.failure.status == "5.7.30"
        assert remote.messages == []

    async def test_tls_required_no_overrides_policies(self) -> None:
        """RFC 8689 §4.2.2."""
        self.demand(security=Security.DANE, policy=Policy.TLSA)
        remote = self.remote()
        (attempt,) = await self.send(self.relay(), tls_optional=True)
        assert attempt.failure is None and len(remote.messages) == 1


