"""The verifier over the resolver, asking a name server on loopback."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from twisted.internet import reactor

from tests.fakes.coroutines import CoroutineTestCase
from tests.fakes.dkim import DOMAIN, NOW, at_once, clock_at, key_files, signed
from tests.fakes.nameserver import NameServer
from trekd.dns.cache import Cache
from trekd.dns.exchange import NetworkExchange, Server
from trekd.dns.resolver import Patience, Resolver
from trekd.dns.servers import Servers
from trekd.mailauth.interfaces import Disposition, Origin
from trekd.mailauth.verifier import Verifier
from trekd.store.contents import InMemory
from trekd.values import Address

MESSAGE = b"From: Alice <alice@example.org>\r\nSubject: Hello\r\n\r\nHello.\r\n"


def _strings(text: str) -> str:
    return "TXT " + " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))


class VerifierOverTheNetwork(CoroutineTestCase):
    """SPF, DKIM and DMARC as they are asked for."""

    async def setUp(self) -> None:
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        self.files = key_files(directory)
        zone = {
            DOMAIN: ["MX 10 mx.example.org.", 'TXT "v=spf1 mx -all"'],
            "mx.example.org": ["A 192.0.2.1"],
            "_dmarc.example.org": ['TXT "v=DMARC1; p=reject"'],
            **{name: [_strings(text)] for name, text in self.files.published(DOMAIN)},
        }
        self.server = NameServer(zone)
        await self.server.start(reactor)
        self.close_later(self.server.stop)
        seconds = reactor.seconds  # type: ignore[attr-defined]
        servers = Servers((Server("127.0.0.1", self.server.port, is_local=True),), seconds)
        resolver = Resolver(servers, Patience(5.0, 1), {}, NetworkExchange(reactor), Cache(1_000_000, seconds))
        self.verifier = Verifier(resolver, "mail.example.com", clock_at(NOW), at_once)

    async def test_a_message_that_is_what_it_says(self) -> None:
        origin = Origin("192.0.2.1", "mx.example.org", Address("alice", DOMAIN))
        found = await self.verifier.verify(origin, InMemory(await signed(self.files, MESSAGE)))
        assert (found.spf, found.dmarc, found.results.count(b"dkim=pass")) == ("pass", "pass", 2)

    async def test_a_forged_one(self) -> None:
        origin = Origin("192.0.2.66", "mx.example.net", Address("alice", DOMAIN))
        found = await self.verifier.verify(origin, InMemory(MESSAGE))
        assert (found.spf, found.dmarc, found.disposition) == ("fail", "fail", Disposition.REJECT)

    async def test_a_name_server_that_fails_refuses_nobody(self) -> None:
        self.server.faults["_dmarc.example.org"] = "servfail"
        origin = Origin("192.0.2.66", "mx.example.net", Address("alice", DOMAIN))
        found = await self.verifier.verify(origin, InMemory(MESSAGE))
        assert (found.dmarc, found.disposition) == ("temperror", Disposition.NONE)
