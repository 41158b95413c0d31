"""What is signed, judged by dkimpy."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from zope.interface.verify import verifyObject

from tests.fakes.coroutines import CoroutineTestCase
from tests.fakes.dkim import DOMAIN, NOW, at_once, clock_at, dkimpy_verdicts, key_files, signed, signer_of
from trekd.errors import StoreFull
from trekd.mailauth.interfaces import IDomainKeys, ISigner
from trekd.mailauth.keyring import Keyring
from trekd.mailauth.keys import KeyFiles
from trekd.mailauth.signer import Signer
from trekd.store.contents import InMemory

MESSAGE = (
    b"Received: by mail.example.org\r\n"
    b"From: Alice <alice@example.org>\r\n"
    b"To: bob@example.net,\r\n\tcarol@example.net\r\n"
    b"Subject:  Hello \t there \r\n"
    b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1@example.org>\r\n"
    b"\r\n"
    b"Hello,  \r\n\r\nthis\tis it.\r\n\r\n\r\n"
)


class _Pieces(InMemory):
    """Remembers the largest piece that was read."""

    largest = 0

    async def read(self, offset: int, length: int) -> bytes:
        octets = await super().read(offset, length)
        self.largest = max(self.largest, len(octets))
        return octets

    async def octets(self) -> bytes:
        raise AssertionError("the whole message in memory")


class SignerTests(CoroutineTestCase):
    """L{Signer}."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.files = key_files(self.directory / "dkim")

    def test_it_is_a_signer(self) -> None:
        verifyObject(ISigner, signer_of(self.files))
        verifyObject(IDomainKeys, Keyring(self.files, at_once))

    async def test_both_signatures_are_good(self) -> None:
        """RFC 8463 §3, RFC 6376 §3.3."""
        message = await signed(self.files, MESSAGE)
        assert re.findall(rb"a=([^;]*);", message) == [b"rsa-sha256", b"ed25519-sha256"]
        assert b"l=" not in message.partition(b"\r\nReceived:")[0].replace(b"l=\r\n", b"")
        assert dkimpy_verdicts(message, self.files) == [True, True]

    async def test_lines_are_short_and_folded(self) -> None:
        fields = (await signed(self.files, MESSAGE)).removesuffix(MESSAGE)
        assert fields.endswith(b"\r\n")
        assert max(map(len, fields.split(b"\r\n"))) <= 78
        assert fields.count(b"\r\nDKIM-Signature:") == 1 and fields.startswith(b"DKIM-Signature:")

    async def test_what_relays_change_leaves_the_signatures_good(self) -> None:
        message = await signed(self.files, MESSAGE)
        folded = message.replace(b"Subject:  Hello \t there \r\n", b"subject: Hello\r\n there\r\n") + b"\r\n"
        assert dkimpy_verdicts(b"Received: by relay\r\n" + folded, self.files) == [True, True]

    async def test_no_field_that_readers_see_can_be_added(self) -> None:
        """RFC 6376 §8.15."""
        message = await signed(self.files, MESSAGE)
        for name in (b"From", b"To", b"Subject", b"Date", b"Cc", b"Reply-To", b"Content-Type", b"Message-ID"):
            assert dkimpy_verdicts(name + b": evil@example.com\r\n" + message, self.files) == [False, False]

    async def test_a_changed_body_is_noticed(self) -> None:
        message = await signed(self.files, MESSAGE)
        assert dkimpy_verdicts(message.replace(b"this", b"that"), self.files) == [False, False]
        assert dkimpy_verdicts(message + b"more\r\n", self.files) == [False, False]

    async def test_messages_without_body_are_signed(self) -> None:
        for end in (b"", b"\r\n", b"\r\n\r\n\r\n", b"\r\n \t\r\n", b"\r\nx"):
            message = await signed(self.files, b"From: a@example.org\r\n" + end)
            assert dkimpy_verdicts(message, self.files) == [True, True], end

    async def test_a_large_message_is_read_in_pieces(self) -> None:
        body = b"From: a@example.org\r\n\r\n" + b"line \t of text\r\n" * 200_000
        source = _Pieces(body)
        fields = await signer_of(self.files).sign(DOMAIN, source)
        assert source.largest <= 65536
        assert dkimpy_verdicts(fields + body, self.files) == [True, True]

    async def test_the_body_of_a_large_message_is_hashed_in_a_thread(self) -> None:
        calls: list[str] = []

        async def in_thread(function, *arguments):  # type: ignore[no-untyped-def]
            calls.append(function.__name__)
            return function(*arguments)

        signer = Signer(Keyring(self.files, at_once), clock_at(NOW), in_thread)
        await signer.sign(DOMAIN, InMemory(MESSAGE))
        assert calls == []
        await signer.sign(DOMAIN, InMemory(MESSAGE + b"x" * 600_000))
        assert calls == ["feed"] * 10

    async def test_a_domain_without_keys_signs_nothing(self) -> None:
        signer = signer_of(self.files)
        assert await signer.sign("example.net", InMemory(MESSAGE)) == b""
        assert await signer.sign("no domain", InMemory(MESSAGE)) == b""
        assert await signer.sign("../" + DOMAIN, InMemory(MESSAGE)) == b""

    async def test_a_domain_with_umlauts_is_signed_by_its_ascii_form(self) -> None:
        self.files.create("bücher.example", "r", "rsa")
        message = await signed(self.files, MESSAGE, "bücher.example")
        assert b"d=xn--bcher-kva.example;" in message
        assert dkimpy_verdicts(message, self.files, "bücher.example", 1) == [True]

    async def test_a_message_nobody_wrote_is_not_signed(self) -> None:
        signer = signer_of(self.files)
        assert await signer.sign(DOMAIN, InMemory(b"To: b@example.org\r\n\r\nx\r\n")) == b""
        assert await signer.sign(DOMAIN, InMemory(b"From: a@example.org\r\n" * 51 + b"\r\nx\r\n")) == b""

    async def test_a_new_key_signs_the_next_message(self) -> None:
        keys = Keyring(self.files, at_once)
        signer = Signer(keys, clock_at(NOW), at_once)
        assert await signer.sign("example.net", InMemory(MESSAGE)) == b""
        await keys.create("example.net", "s1", "ed25519")
        assert b"s=s1; t=1790000000;" in await signer.sign("example.net", InMemory(MESSAGE))
        await keys.create("example.net", "s2", "ed25519")
        assert b"s=s1;" in await signer.sign("example.net", InMemory(MESSAGE))
        await keys.use("example.net", "s2")
        assert b"s=s2;" in await signer.sign("example.net", InMemory(MESSAGE))
        await keys.remove("example.net", "s2")
        assert await signer.sign("example.net", InMemory(MESSAGE)) == b""

    async def test_a_broken_key_file_lets_mail_leave_unsigned(self) -> None:
        (self.directory / "dkim" / DOMAIN / "r.pem").write_text("nonsense")
        assert await signer_of(KeyFiles(self.directory / "dkim")).sign(DOMAIN, InMemory(MESSAGE)) == b""
        assert len(self.flushLoggedErrors()) == 0

    async def test_a_domain_is_signed_for_as_dns_spells_it(self) -> None:
        """RFC 5891 §4: other than with the rules of 2003."""
        key = self.files.create("straße.example", "s", "ed25519")
        assert key.name == "s._domainkey.xn--strae-oqa.example"
        assert b" d=xn--strae-oqa.example;" in await signed(self.files, MESSAGE, "Straße.example")

    async def test_key_files_that_cannot_be_read_let_mail_leave_unsigned(self) -> None:
        shutil.rmtree(self.directory / "dkim")
        (self.directory / "dkim").write_text("a file")
        assert await signer_of(self.files).sign(DOMAIN, InMemory(MESSAGE)) == b""

    async def test_a_message_that_cannot_be_read_is_told(self) -> None:
        class Full(InMemory):
            async def read(self, offset: int, length: int) -> bytes:
                raise StoreFull

        with self.assertRaises(StoreFull):
            await signer_of(self.files).sign(DOMAIN, Full(MESSAGE))
