"""L{trekd.relay.dialing} and L{trekd.relay.session}: servers with a login, and secrets that nobody sees."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

from twisted.logger import capturedLogs

from tests.fakes.certificates import make_certificate
from tests.fakes.remote import CLOSE, Remote, server_context
from tests.unit.relay.relaycase import RelayCase
from trekd.errors import LaneClosed, RemoteDeferred, RemoteRefused
from trekd.queue.interfaces import Attempt
from trekd.relay.interfaces import TLSMode
from trekd.values import Address

SECRET = "s3cret-pass"
PLAIN = b64encode(f"\0alice@provider.example\0{SECRET}".encode()).decode()
LOGIN = ("PIPELINING", "AUTH PLAIN LOGIN")


class OwnSMTP(RelayCase):
    """A user's own server: verified TLS, a login, and never another way (DESIGN §7)."""

    def provider(self, **behaviour: object) -> Remote:
        behaviour.setdefault("secure_extensions", LOGIN)
        return self.tls_remote(extensions=(), **behaviour)

    async def attempt(self, port: int = 0, **settings: object) -> Attempt:
        route = self.profile(port or self.mx_port)
        (attempt,) = await self.send(self.relay(**settings), route=route)
        return attempt

    async def test_a_message_goes_by_the_provider(self) -> None:
        remote = self.provider()
        assert (await self.attempt()).failure is None
        assert remote.messages[0].secure
        assert remote.commands[:4] == [
            b"EHLO mail.example.com",
            b"STARTTLS",
            b"EHLO mail.example.com",
            f"AUTH PLAIN {PLAIN}".encode(),
        ]
        assert "remote.example" not in self.resolver.asked

    async def test_implicit_tls(self) -> None:
        remote = self.provider(implicit=True)
        route = self.profile(self.mx_port, tls=TLSMode.IMPLICIT)
        (attempt,) = await self.send(self.relay(), route=route)
        assert attempt.failure is None
        assert remote.verbs()[:2] == ["EHLO", "AUTH"]

    async def test_login_by_prompts_where_plain_is_not_offered(self) -> None:
        remote = self.provider(secure_extensions=("AUTH LOGIN",))
        assert (await self.attempt()).failure is None
        secrets = [b64encode(text.encode()) for text in ("alice@provider.example", SECRET)]
        assert remote.commands[3:6] == [b"AUTH LOGIN", *secrets]

    async def test_a_forced_sender_replaces_all_but_the_null_path(self) -> None:
        remote = self.provider()
        route = self.profile(self.mx_port)
        forced = replace(self.profiles.profiles["own"], sender=Address("alice", "provider.example"))
        self.profiles.profiles["own"] = forced
        relay = self.relay()
        await self.send(relay, route=route)
        await self.send(relay, route=route, reverse_path=None)
        mails = [message.mail for message in remote.messages]
        assert mails == [b"MAIL FROM:<alice@provider.example>", b"MAIL FROM:<>"]

    async def test_a_refused_login_closes_the_lane_after_one_attempt(self) -> None:
        for code in (535, 534, 530):
            remote = self.provider(answers={"AUTH": b"%d 5.7.8 wrong\r\n" % code})
            failure = (await self.attempt()).failure
            assert isinstance(failure, LaneClosed)
            assert failure.reply == f"{code} 5.7.8 wrong"
            assert remote.verbs().count("AUTH") == 1
            assert "MAIL" not in remote.verbs()

    async def test_a_login_that_cannot_be_verified_now_is_only_late(self) -> None:
        self.provider(answers={"AUTH": b"454 4.7.0 later\r\n"})
        failure = (await self.attempt()).failure
        assert isinstance(failure, RemoteDeferred) and not isinstance(failure, LaneClosed)

    async def test_mail_that_wants_another_login_closes_the_lane(self) -> None:
        for verb in ("MAIL", "RCPT"):
            self.provider(answers={verb: b"530 5.7.0 log in\r\n"})
            assert isinstance((await self.attempt()).failure, LaneClosed)

    async def test_a_server_without_a_login_closes_the_lane(self) -> None:
        self.provider(secure_extensions=("AUTH GSSAPI",))
        assert isinstance((await self.attempt()).failure, LaneClosed)

    async def test_no_tls_no_password(self) -> None:
        """Stripping STARTTLS: the mail waits, nothing is sent in clear."""
        for behaviour in (
            {"extensions": LOGIN},
            {"extensions": (*LOGIN, "STARTTLS"), "answers": {"STARTTLS": b"454 4.7.0 no\r\n"}},
            {"extensions": (*LOGIN, "STARTTLS"), "answers": {"STARTTLS": b"502 5.5.1 no\r\n"}},
            {"extensions": (*LOGIN, "STARTTLS"), "answers": {"STARTTLS": CLOSE}},
        ):
            remote = self.remote(**behaviour)
            failure = (await self.attempt()).failure
            assert isinstance(failure, RemoteDeferred) and not isinstance(failure, LaneClosed)
            assert not {"AUTH", "MAIL"} & set(remote.verbs())
            assert remote.connections == 1

    async def test_replies_injected_before_tls_are_nothing(self) -> None:
        """Response injection: capabilities and a login that succeeds, in clear."""
        remote = self.provider(behind_starttls=b"250-x\r\n250 AUTH PLAIN\r\n235 in\r\n250 ok\r\n")
        assert (await self.attempt()).failure is None
        assert remote.verbs()[:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]

    async def test_a_certificate_of_nobody_s_authority_is_refused(self) -> None:
        _, key = make_certificate(self.directory, "localhost")
        certificate = key.replace(".key", ".pem")
        remote = self.remote(
            context=server_context(certificate, key), extensions=("STARTTLS",), secure_extensions=LOGIN
        )
        failure = (await self.attempt()).failure
        assert isinstance(failure, RemoteDeferred) and failure.status == "4.7.5"
        assert failure.reply == "certificate: a self-signed certificate"
        assert "AUTH" not in remote.verbs()

    async def test_a_certificate_for_another_host_is_refused(self) -> None:
        remote = self.provider()
        route = self.profile(self.mx_port, host="smtp.provider.example")
        (attempt,) = await self.send(self.relay(), route=route)
        assert isinstance(attempt.failure, RemoteDeferred)
        assert attempt.failure.reply == "certificate: it is not for smtp.provider.example"
        assert "AUTH" not in remote.verbs()

    async def test_an_expired_certificate_is_refused(self) -> None:
        certificate, key = make_certificate(self.directory, "localhost", days=-1)
        self.remote(context=server_context(certificate, key), extensions=("STARTTLS",))
        failure = (await self.attempt(trusted=certificate)).failure
        assert isinstance(failure, RemoteDeferred) and failure.status == "4.7.5"

    async def test_addresses_that_a_user_may_not_name(self) -> None:
        """RFC 6890: loopback, private, link-local, this host; after resolution, and inside IPv6 too."""
        remote = self.provider()
        route = self.profile(self.mx_port)
        for address in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fe80::1"):
            self.resolver.hosts["localhost"] = [address]
            (attempt,) = await self.send(self.relay(allowed_networks=()), route=route)
            assert isinstance(attempt.failure, LaneClosed), address
        assert remote.connections == 0

    async def test_a_name_is_resolved_once(self) -> None:
        """Rebinding: what was judged is what is connected to."""
        remote = self.provider()
        route = self.profile(self.mx_port, host="localhost")
        await self.send(self.relay(), route=route)
        assert self.resolver.asked == ["localhost"]
        assert remote.connections == 1

    async def test_a_profile_that_is_gone_closes_the_lane(self) -> None:
        self.provider()
        route = self.profile(self.mx_port)
        self.profiles.profiles.clear()
        (attempt,) = await self.send(self.relay(), route=route)
        assert isinstance(attempt.failure, LaneClosed)

    async def test_another_revision_has_its_own_connections(self) -> None:
        remote = self.provider()
        route = self.profile(self.mx_port)
        relay = self.relay()
        await self.send(relay, route=route)
        self.profiles.profiles["own"] = replace(self.profiles.profiles["own"], revision=2)
        await self.send(relay, route=route)
        assert remote.verbs().count("AUTH") == 2

    async def test_no_secret_is_ever_seen(self) -> None:
        """A server that repeats what it was sent, whole, cut off, or in clear."""
        echoes = (
            f"535 5.7.8 bad: AUTH PLAIN {PLAIN}\r\n",
            f"535-5.7.8 {PLAIN[:30]}\r\n535 5.7.8 {PLAIN[30:]}\r\n",
            f"535 5.7.8 the password {SECRET} is wrong\r\n",
            f"454 4.7.0 {b64encode(SECRET.encode()).decode()}\r\n",
            f"235 2.7.0 {PLAIN}\r\n",
        )
        with capturedLogs() as events:
            for echo in echoes:
                self.provider(answers={"AUTH": echo.encode(), "MAIL": f"550 5.7.1 {SECRET} {PLAIN}\r\n".encode()})
                attempt = await self.attempt()
                assert attempt.failure is not None
                seen = f"{attempt!r} {attempt.failure} {attempt.reply} {vars(attempt.failure)}"
                for secret in (SECRET, PLAIN, PLAIN[:30], PLAIN[30:], b64encode(SECRET.encode()).decode()):
                    assert secret not in seen
        assert SECRET not in str(events) and PLAIN not in str(events)
        assert SECRET not in repr(self.profiles.profiles["own"])


class SmartHost(RelayCase):
    """The administrator's smart host takes everything."""

    async def test_with_a_login_and_verified_tls(self) -> None:
        remote = self.tls_remote(secure_extensions=LOGIN)
        self.resolver.hosts["localhost"] = ["127.0.0.1"]
        settings = {"smarthost": f"localhost:{self.mx_port}", "smarthost_user": "site", "allowed_networks": ()}
        relay = self.relay(password="pw", **settings)
        attempts = await self.send(relay, "b@remote.example", "c@other.example")
        assert [attempt.failure for attempt in attempts] == [None, None]
        assert len(remote.messages) == 1
        assert b"AUTH PLAIN " + b64encode(b"\0site\0pw") in remote.commands

    async def test_in_clear_to_a_neighbour(self) -> None:
        """Its name may be ours: it is this host's other MTA."""
        remote = self.remote(name=self.HOSTNAME)
        relay = self.relay(smarthost=f"127.0.0.1:{self.mx_port}", smarthost_tls="none", allowed_networks=())
        (attempt,) = await self.send(relay)
        assert attempt.failure is None and len(remote.messages) == 1

    async def test_requiretls_is_not_for_a_neighbour(self) -> None:
        remote = self.remote(extensions=("REQUIRETLS",))
        relay = self.relay(smarthost=f"127.0.0.1:{self.mx_port}", smarthost_tls="none")
        (attempt,) = await self.send(relay, require_tls=True)
        assert isinstance(attempt.failure, RemoteRefused) and attempt.failure.status == "5.7.30"
        assert remote.messages == []
