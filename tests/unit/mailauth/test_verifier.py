"""All of it together, with name servers that fail, hang and lie."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from tests.fakes.coroutines import CoroutineTestCase
from tests.fakes.dkim import DOMAIN, NOW, at_once, clock_at, key_files, signed
from tests.fakes.records import DOWN, Names
from trekd.dns.interfaces import IResolver
from trekd.errors import StoreCorrupt
from trekd.mailauth.interfaces import Authenticity, Disposition, IVerifier, Origin
from trekd.mailauth.verifier import Hurried, Verifier
from trekd.mime.authresults import claims_to_be
from trekd.store.contents import InMemory
from trekd.values import Address

MESSAGE = b"From: Alice <alice@example.org>\r\nSubject: Hello\r\n\r\nHello.\r\n"
ORIGIN = Origin("192.0.2.1", "mx.example.org", Address("alice", DOMAIN))
FORGER = Origin("192.0.2.66", "mx.example.net", Address("alice", DOMAIN))


class _Hanging(Names):
    """Never answers for the names of one domain."""

    slow = "evil.example"

    async def texts(self, name: str) -> Any:
        if name.endswith(self.slow):
            await Deferred()
        return await super().texts(name)


class VerifierTests(CoroutineTestCase):
    """L{Verifier}."""

    def setUp(self) -> None:
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        self.files = key_files(directory)
        self.clock: Clock = clock_at(NOW)
        self.zone: dict[str, Any] = {
            DOMAIN: {"TXT": "v=spf1 ip4:192.0.2.1 -all"},
            f"_dmarc.{DOMAIN}": {"TXT": "v=DMARC1; p=reject"},
            "mx.example.org": {"TXT": "v=spf1 ip4:192.0.2.1 -all"},
            **{name: {"TXT": text} for name, text in self.files.published(DOMAIN)},
        }

    def verifier(self, resolver: Names | None = None) -> Verifier:
        return Verifier(resolver or Names(self.zone), "mail.example.com", self.clock, at_once, lambda: 0.5)

    async def verify(self, origin: Origin, message: bytes) -> Authenticity:
        return await self.verifier().verify(origin, InMemory(message))

    def test_it_is_a_verifier(self) -> None:
        verifyObject(IVerifier, self.verifier())
        verifyObject(IResolver, Hurried(Names({}), self.clock, 1))

    async def test_a_message_that_is_what_it_says(self) -> None:
        found = await self.verify(ORIGIN, await signed(self.files, MESSAGE))
        assert (found.spf, found.dmarc, found.domain) == ("pass", "pass", DOMAIN)
        assert found.disposition is Disposition.NONE
        assert claims_to_be(found.results, "mail.example.com")
        text = " ".join(found.results.decode().split())
        assert text.count("dkim=pass") == 2
        assert "header.d=example.org header.s=r header.a=rsa-sha256 header.b=" in text

    async def test_a_forged_message(self) -> None:
        found = await self.verify(FORGER, MESSAGE)
        assert (found.spf, found.dmarc, found.disposition) == ("fail", "fail", Disposition.REJECT)
        assert b"dkim=none" in found.results

    async def test_a_forwarded_message_is_vouched_for_by_its_signature(self) -> None:
        forwarded = Origin("192.0.2.66", "mx.example.net", Address("list", "example.net"))
        found = await self.verify(forwarded, await signed(self.files, MESSAGE))
        assert (found.spf, found.dmarc) == ("none", "pass")

    async def test_a_stripped_or_foreign_signature_vouches_for_nobody(self) -> None:
        """Security gate: DKIM stripped."""
        other = (await signed(self.files, MESSAGE)).replace(b" d=example.org;", b" d=example.net;")
        assert (await self.verify(FORGER, other)).disposition is Disposition.REJECT
        broken = (await signed(self.files, MESSAGE)).replace(b"Hello.", b"Pay me.")
        assert (await self.verify(FORGER, broken)).disposition is Disposition.REJECT

    async def test_the_null_path_is_checked_by_the_hosts_name(self) -> None:
        """RFC 7208 §2.4."""
        found = await self.verify(Origin("192.0.2.1", "mx.example.org", None), MESSAGE)
        assert (found.spf, found.dmarc) == ("pass", "pass")
        assert b"smtp.helo=mx.example.org" in found.results

    async def test_of_several_authors_the_strictest_policy_decides(self) -> None:
        """RFC 7489 §6.6.1."""
        self.zone["_dmarc.evil.example"] = {"TXT": "v=DMARC1; p=none"}
        self.zone["evil.example"] = {"TXT": "v=spf1 +all"}
        evil = Origin("192.0.2.66", "mx.evil.example", Address("a", "evil.example"))
        for header in (
            b"From: a@evil.example, alice@example.org\r\n",
            b"From: a@evil.example\r\nFrom: alice@example.org\r\n",
            b"From: alice@EXAMPLE.org.\r\n",
        ):
            found = await self.verify(evil, header + b"\r\nx\r\n")
            assert (found.dmarc, found.disposition, found.domain) == ("fail", Disposition.REJECT, DOMAIN)
        many = b", ".join(b"a@n%d.example" % at for at in range(6))
        found = await self.verify(evil, b"From: " + many + b"\r\n\r\nx\r\n")
        assert (found.dmarc, found.disposition) == ("permerror", Disposition.REJECT)

    async def test_a_message_without_author(self) -> None:
        """RFC 7489 §6.6.1."""
        for header in (b"", b"From: nobody\r\n", b"From: <>\r\n", b"From: x@a..b\r\n", b"From:\r\n"):
            found = await self.verify(ORIGIN, header + b"\r\nx\r\n")
            assert (found.dmarc, found.disposition, found.domain) == ("permerror", Disposition.NONE, ""), header

    async def test_no_answer_refuses_nobody(self) -> None:
        for name in (f"_dmarc.{DOMAIN}", DOMAIN):
            verifier = self.verifier(Names({**self.zone, name: {"TXT": DOWN}}))
            found = await verifier.verify(FORGER, InMemory(MESSAGE))
            assert (found.dmarc, found.disposition) == ("temperror", Disposition.NONE)

    async def test_a_senders_slow_name_server_costs_its_own_check_only(self) -> None:
        """Who forges cannot buy a temporary error with names of his own."""
        slow = b"DKIM-Signature: v=1; a=rsa-sha256; d=evil.example; s=s; h=from; bh=AAAA; b=AAAA\r\n"
        origin = Origin("192.0.2.66", "mx.example.net", Address("a", "evil.example"))
        work = Deferred.fromCoroutine(
            self.verifier(_Hanging(self.zone)).verify(origin, InMemory(slow + MESSAGE))
        )
        self.assertNoResult(work)
        self.clock.advance(20.1)
        found = self.successResultOf(work)
        assert (found.spf, found.dmarc, found.disposition) == ("temperror", "fail", Disposition.REJECT)
        assert b"dkim=temperror (no answer for the key) header.d=evil.example" in found.results
        assert self.clock.getDelayedCalls() == []

    async def test_a_policy_that_never_comes_is_not_waited_for(self) -> None:
        resolver = _Hanging(self.zone)
        resolver.slow = f"_dmarc.{DOMAIN}"
        work = Deferred.fromCoroutine(self.verifier(resolver).verify(FORGER, InMemory(MESSAGE)))
        self.clock.advance(10.1)
        assert self.successResultOf(work).dmarc == "temperror"

    async def test_nothing_raises(self) -> None:
        class Broken(Names):
            async def texts(self, name: str) -> Any:
                raise RuntimeError("a fault of ours")

        found = await self.verifier(Broken({})).verify(ORIGIN, InMemory(await signed(self.files, MESSAGE)))
        assert (found.spf, found.dmarc, found.disposition) == ("temperror", "temperror", Disposition.NONE)
        assert len(self.flushLoggedErrors(RuntimeError)) == 4

        class Gone(InMemory):
            async def read(self, offset: int, length: int) -> bytes:
                raise StoreCorrupt("gone")

        found = await self.verifier().verify(ORIGIN, Gone(MESSAGE))
        assert (found.spf, found.dmarc) == ("pass", "temperror")
        assert b"dkim=temperror" in found.results
        for client in ("", "no address", "192.0.2.1%x"):
            await self.verify(Origin(client, "\0", Address("\r\n", "..")), MESSAGE)
