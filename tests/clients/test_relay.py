"""The relay with Debian's Postfix: as a domain's exchanger, as a smart host with a login, and as a sink for many."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.clients.daemon import free_ports
from tests.clients.postfix import Postfix, require_postfix
from tests.clients.programs import require
from tests.fakes.certificates import make_certificate
from tests.unit.relay.relaycase import RelayCase
from trekd.errors import LaneClosed, RemoteDeferred, RemoteRefused
from trekd.relay.interfaces import TLSMode

DOTS = b".\r\n..\r\n.first\r\n" + b"x" * 40_000 + b"\r\n.\r\n" + b"y" * 16_383 + b"\r\n.last\r\n"
LETTER = b"From: a@example.com\r\nTo: b@remote.example\r\nSubject: relayed\r\n\r\n" + DOTS

AUTH = """\
base_dir = {directory}/run
protocols =
log_path = {directory}/dovecot.log
ssl = no
auth_mechanisms = plain login
passdb {{
  driver = static
  args = password={secret}
}}
service auth {{
  unix_listener {directory}/auth {{
    mode = 0666
  }}
}}
"""


class WithPostfix(RelayCase):
    """A Postfix of the test's own."""

    def setUp(self) -> None:
        """See L{RelayCase.setUp}."""
        require_postfix()
        super().setUp()
        self.mx_port = 0

    def place(self) -> Path:
        """A directory that Postfix's own user can enter."""
        directory = Path(mkdtemp(prefix="trekmail-"))
        self.addCleanup(subprocess.run, ["rm", "-rf", str(directory)], check=True)
        directory.chmod(0o755)
        return directory

    def postfix(self, options: str = "", **settings: str) -> Postfix:
        """One that takes mail for remote.example, with a certificate for mx.remote.example and localhost."""
        directory = self.place()
        self.certificate, key = make_certificate(directory, "mx.remote.example", "localhost")
        (self.mx_port,) = free_ports(1)
        settings = {
            "myhostname": "mx.remote.example",
            "virtual_mailbox_domains": "remote.example",
            "smtpd_tls_cert_file": self.certificate,
            "smtpd_tls_key_file": key,
            "smtpd_tls_security_level": "may",
            "smtpd_tls_received_header": "yes",
            "message_size_limit": "60000000",
            "virtual_mailbox_limit": "0",
            **settings,
        }
        postfix = Postfix(directory / "postfix", settings, {f"127.0.0.1:{self.mx_port}": options})
        postfix.start()
        self.addCleanup(postfix.stop)
        return postfix

    async def delivered(self, postfix: Postfix, count: int = 1) -> list[bytes]:
        """What lies in the mailbox, once it is so many."""
        for _ in range(600):
            if len(postfix.received()) >= count:
                break
            await deferLater(self.reactor, 0.05, lambda: None)
        return [octets.replace(b"\n", b"\r\n") for octets in postfix.received()]


class Exchanger(WithPostfix):
    """Postfix as the exchanger of a domain."""

    async def test_a_message_arrives_as_it_was(self) -> None:
        """By DATA and by BDAT, inside TLS; every dot at its place."""
        for more in ({}, {"smtpd_discard_ehlo_keywords": "chunking,silent-discard"}):
            postfix = self.postfix(**more)
            (attempt,) = await self.send(self.relay(), octets=LETTER)
            assert attempt.failure is None, attempt
            assert "queued as" in attempt.reply
            (octets,) = await self.delivered(postfix)
            header, _, body = octets.partition(b"\r\n\r\n")
            assert body == DOTS
            assert b"using TLSv1.3" in header
            assert header.startswith(b"Return-Path: <a@example.com>\r\n")

    async def test_verdicts_are_postfix_s_own(self) -> None:
        postfix = self.postfix(
            virtual_mailbox_maps="inline:{b@remote.example=box/}",
            smtpd_recipient_restrictions="permit_mynetworks,reject",
            smtpd_reject_unlisted_recipient="yes",
        )
        self.resolver.mx["other.example"] = [(10, "mx.remote.example")]
        good, bad = await self.send(self.relay(), "b@remote.example", "nobody@remote.example")
        assert good.failure is None and good.dsn
        assert isinstance(bad.failure, RemoteRefused) and bad.failure.status == "5.1.1"
        assert len(await self.delivered(postfix)) == 1

    async def test_internationalized_mail(self) -> None:
        postfix = self.postfix()
        octets = "From: a@example.com\r\nSubject: çé\r\n\r\nü\r\n".encode()
        (attempt,) = await self.send(self.relay(), "bücher@remote.example", octets=octets, smtputf8=True)
        assert attempt.failure is None, attempt
        (stored,) = await self.delivered(postfix)
        assert "\r\nSubject: çé\r\n".encode() in stored
        assert stored.endswith("\r\n\r\nü\r\n".encode())

    async def test_one_connection_for_many(self) -> None:
        postfix = self.postfix()
        relay = self.relay()
        for _ in range(20):
            (attempt,) = await self.send(relay, octets=LETTER)
            assert attempt.failure is None
        assert len(await self.delivered(postfix, 20)) == 20
        assert len(re.findall(r"smtpd\[\d+\]: connect from", postfix.log)) == 1


class SmartHost(WithPostfix):
    """Postfix as a smart host with Dovecot's SASL behind it."""

    def setUp(self) -> None:
        """See L{WithPostfix.setUp}; the login is tried by Dovecot."""
        super().setUp()
        dovecot = require("dovecot")
        self.sasl = self.place()
        settings = self.sasl / "dovecot.conf"
        settings.write_text(AUTH.format(directory=self.sasl, secret="s3cret-pass"))
        process = subprocess.Popen([dovecot, "-F", "-c", str(settings)], stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait, 30)
        self.addCleanup(process.terminate)

    async def smarthost(self, options: str = "", **settings: str) -> Postfix:
        """One that takes mail for anybody from whoever logs in inside TLS."""
        while not (self.sasl / "auth").exists():
            await deferLater(self.reactor, 0.05, lambda: None)
        return self.postfix(
            options,
            smtpd_sasl_auth_enable="yes",
            smtpd_sasl_type="dovecot",
            smtpd_sasl_path=str(self.sasl / "auth"),
            smtpd_sasl_security_options="noanonymous",
            smtpd_tls_auth_only="yes",
            smtpd_relay_restrictions="permit_sasl_authenticated,reject",
            smtpd_recipient_restrictions="permit_sasl_authenticated,reject",
            **settings,
        )

    async def test_a_login_inside_starttls(self) -> None:
        postfix = await self.smarthost()
        relay = self.relay(
            password="s3cret-pass", smarthost=f"localhost:{self.mx_port}", smarthost_user="site@example.com"
        )
        self.resolver.hosts["localhost"] = ["127.0.0.1"]
        (attempt,) = await self.send(relay, octets=LETTER)
        assert attempt.failure is None, attempt
        (octets,) = await self.delivered(postfix)
        assert octets.partition(b"\r\n\r\n")[2] == DOTS
        assert "sasl_method=PLAIN, sasl_username=site@example.com" in postfix.log

    async def test_a_profile_with_implicit_tls(self) -> None:
        postfix = await self.smarthost("-o smtpd_tls_wrappermode=yes")
        route = self.profile(self.mx_port, tls=TLSMode.IMPLICIT)
        (attempt,) = await self.send(self.relay(), octets=LETTER, route=route)
        assert attempt.failure is None, attempt
        assert len(await self.delivered(postfix)) == 1
        assert "sasl_username=alice@provider.example" in postfix.log

    async def test_a_wrong_password_closes_the_lane(self) -> None:
        await self.smarthost()
        route = self.profile(self.mx_port)
        profile = self.profiles.profiles["own"]
        self.profiles.profiles["own"] = type(profile)(
            "own", profile.host, profile.port, profile.tls, profile.user, "not-the-password"
        )
        (attempt,) = await self.send(self.relay(), route=route)
        assert isinstance(attempt.failure, LaneClosed)
        assert attempt.failure.reply.startswith("535 5.7.8")
        assert "not-the-password" not in repr(attempt)

    async def test_a_certificate_of_somebody_else_is_refused(self) -> None:
        await self.smarthost()
        route = self.profile(self.mx_port, host="smtp.provider.example")
        (attempt,) = await self.send(self.relay(), route=route)
        assert isinstance(attempt.failure, RemoteDeferred) and attempt.failure.status == "4.7.5"


class Sink(RelayCase):
    """C{smtp-sink} counts."""

    async def test_three_hundred_messages_over_ten_connections(self) -> None:
        directory = Path(mkdtemp(prefix="trekmail-"))
        self.addCleanup(subprocess.run, ["rm", "-rf", str(directory)], check=True)
        directory.chmod(0o777)
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        (self.mx_port,) = free_ports(1)
        sink = subprocess.Popen(
            [require("smtp-sink"), *user, "-d", f"{directory}/%M.", f"127.0.0.1:{self.mx_port}", "64"],
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(sink.wait, 30)
        self.addCleanup(sink.terminate)
        await deferToThread(_listens, self.mx_port)
        relay = self.relay()
        turns = DeferredSemaphore(10)

        async def one() -> Any:
            await turns.acquire()
            try:
                return (await self.send(relay, octets=LETTER[:8000] + b"\r\n"))[0].failure
            finally:
                turns.release()

        failures = await gatherResults([Deferred.fromCoroutine(one()) for _ in range(300)])
        assert failures == [None] * 300
        assert len(list(directory.iterdir())) == 300


def _listens(port: int) -> None:
    """Wait until somebody does."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
