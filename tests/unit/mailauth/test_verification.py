"""Signatures that come in: dkimpy's, ours, and those that are not to be believed."""

from __future__ import annotations

import base64
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes.coroutines import CoroutineTestCase
from tests.fakes.dkim import DOMAIN, NOW, at_once, key_files, signed
from tests.fakes.records import DOWN, Names
from trekd.mailauth.verification import Finding, SignatureCheck
from trekd.store.contents import InMemory

MESSAGE = (
    b"Received: by mail.example.org\r\n"
    b"From: Alice <alice@example.org>\r\n"
    b"To: bob@example.net\r\n"
    b"Subject:  Hello \t there \r\n"
    b"\r\n"
    b"Hello,  \r\n\r\nthis\tis it.\r\n\r\n\r\n"
)
KEY = "r._domainkey.example.org"


class VerificationTests(CoroutineTestCase):
    """L{SignatureCheck}."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.files = key_files(self.directory)
        self.records = dict(self.files.published(DOMAIN))

    async def findings(
        self, message: bytes, changes: Mapping[str, Any] | None = None, now: float = NOW
    ) -> tuple[Finding, ...]:
        zone = {name: {"TXT": text} for name, text in {**self.records, **(changes or {})}.items()}
        self.names = Names(zone)
        return await SignatureCheck(at_once).findings(InMemory(message), self.names, now)

    async def result(self, message: bytes, changes: Mapping[str, Any] | None = None) -> tuple[str, str]:
        (finding, *_) = await self.findings(message, changes)
        return finding.result, finding.reason

    def by_dkimpy(self, message: bytes = MESSAGE, **options: Any) -> bytes:
        """A message that dkimpy signed with our RSA key."""
        pem = (self.directory / DOMAIN / "r.pem").read_bytes()
        key = serialization.load_pem_private_key(pem, None).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        arguments: dict[str, Any] = {"canonicalize": (b"relaxed", b"relaxed"), **options}
        signature: bytes = dkim.DKIM(message).sign(b"r", DOMAIN.encode(), key, **arguments)
        return signature + message

    async def test_what_is_signed_here_is_good(self) -> None:
        findings = await self.findings(await signed(self.files, MESSAGE))
        assert [(each.result, each.signature and each.signature.algorithm) for each in findings] == [
            ("pass", "rsa-sha256"),
            ("pass", "ed25519-sha256"),
        ]

    async def test_what_dkimpy_signs_is_good(self) -> None:
        """RFC 6376 §3.4, every pair of forms."""
        for header in (b"simple", b"relaxed"):
            for body in (b"simple", b"relaxed"):
                for text in (MESSAGE, MESSAGE.partition(b"Hello,")[0], MESSAGE + b"x" * 100_000 + b"\r\n"):
                    message = self.by_dkimpy(text, canonicalize=(header, body))
                    assert await self.result(message) == ("pass", ""), (header, body)

    async def test_the_simple_form_tells_differences_that_the_relaxed_one_does_not(self) -> None:
        changed = (b"Hello \t there", b"Hello there")
        assert await self.result(self.by_dkimpy().replace(*changed)) == ("pass", "")
        message = self.by_dkimpy(canonicalize=(b"simple", b"relaxed")).replace(*changed)
        assert await self.result(message) == ("fail", "header changed")
        message = self.by_dkimpy(canonicalize=(b"relaxed", b"simple")).replace(b"Hello,  ", b"Hello, ")
        assert await self.result(message) == ("fail", "body changed")

    async def test_changes_are_noticed(self) -> None:
        message = await signed(self.files, MESSAGE)
        assert await self.result(message.replace(b"this\tis", b"that is")) == ("fail", "body changed")
        assert await self.result(message.replace(b"alice@", b"mallory@")) == ("fail", "header changed")
        assert await self.result(message.replace(b"; t=", b"; t=1")) == ("fail", "header changed")

    async def test_no_field_can_be_added(self) -> None:
        """RFC 6376 §8.15."""
        message = await signed(self.files, MESSAGE)
        assert await self.result(b"From: bank@example.com\r\n" + message) == ("fail", "header changed")
        assert await self.result(b"Subject: pay\r\n" + message) == ("fail", "header changed")
        assert await self.result(b"X-Relay: here\r\n" + message) == ("pass", "")

    async def test_of_fields_of_a_name_the_last_is_signed_first(self) -> None:
        """RFC 6376 §5.4.2."""
        message = self.by_dkimpy(b"List-ID: one\r\n" + MESSAGE, include_headers=[b"from", b"list-id"])
        assert await self.result(b"List-ID: two\r\n" + message) == ("pass", "")
        below = message.replace(b"From: Alice", b"List-ID: two\r\nFrom: Alice")
        assert await self.result(below) == ("fail", "header changed")

    async def test_sha1_is_no_signature(self) -> None:
        """RFC 8301 §3.1."""
        message = self.by_dkimpy(signature_algorithm=b"rsa-sha1")
        assert await self.result(message) == ("policy", "algorithm not accepted")

    async def test_keys_have_bounds(self) -> None:
        """RFC 8301 §3.2."""
        message = self.by_dkimpy()
        for bits in (512, 5120):
            numbers = rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 1)
            try:
                der = numbers.public_key().public_bytes(
                    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
                )
            except ValueError:
                continue  # the library itself refuses such keys
            record = f"v=DKIM1; p={base64.b64encode(der).decode()}"
            assert (await self.result(message, {KEY: record}))[0] in ("policy", "permerror")

    async def test_part_of_a_body_is_not_enough(self) -> None:
        """RFC 6376 §8.2."""
        message = self.by_dkimpy(length=True)
        assert await self.result(message) == ("pass", "")
        assert await self.result(message + b"and more\r\n") == ("policy", "only part of the body signed")
        cut = message.replace(b"this\tis it.", b"")
        assert await self.result(cut) == ("permerror", "body shorter than signed")

    async def test_a_signature_expires(self) -> None:
        message = (await signed(self.files, MESSAGE)).replace(b"; t=1790000000;", b"; t=1; x=1789999999;")
        assert await self.result(message) == ("fail", "signature expired")

    async def test_missing_and_revoked_keys(self) -> None:
        """RFC 6376 §6.1.2."""
        message = self.by_dkimpy()
        good = self.records[KEY]
        for record, expected in {
            "v=DKIM1; p=": ("permerror", "key revoked"),
            "v=DKIM1; k=rsa": ("permerror", "bad key record, expected p="),
            "p=####": ("permerror", "bad key record, expected base64string"),
            "p=AAAA": ("permerror", "bad key record, expected public key"),
            "v=DKIM2; p=": ("permerror", "bad key record, expected v=DKIM1 first"),
            good.replace("v=DKIM1; ", "") + "; v=DKIM1": ("permerror", "bad key record, expected v=DKIM1 first"),
            good + "; s=tlsrpt": ("permerror", "key not for mail"),
            good + "; s=tlsrpt:email": ("pass", ""),
            good + "; h=sha1": ("permerror", "key for other hashes"),
            good + "; h=sha1:sha256;": ("pass", ""),
            good + "; t=s; n=a note; x-unknown=1": ("permerror", "bad key record, expected tag-spec"),
            good + "; t=s; n=a note; unknown=1": ("pass", ""),
            self.records["e._domainkey.example.org"]: ("permerror", "key of another algorithm"),
            good.replace("k=rsa", "k=new"): ("permerror", "bad key record, expected public key of a known type"),
        }.items():
            assert await self.result(message, {KEY: record}) == expected, record
        self.records.clear()
        assert await self.result(message) == ("permerror", "no key")
        assert await self.result(message, {KEY: DOWN}) == ("temperror", "no answer for the key")

    async def test_a_bad_signature_of_a_key_being_tested_is_none(self) -> None:
        """RFC 6376 §3.6.1."""
        testing = {KEY: self.records[KEY] + "; t=y"}
        message = self.by_dkimpy()
        assert await self.result(message, testing) == ("pass", "")
        assert await self.result(message + b"more\r\n", testing) == ("neutral", "body changed")

    async def test_identities_lie_within_the_domain(self) -> None:
        message = self.by_dkimpy(identity=b"@news.example.org")
        assert await self.result(message) == ("pass", "")
        strict = {KEY: self.records[KEY] + "; t=s"}
        assert await self.result(message, strict) == ("permerror", "key not for subdomains")

    async def test_what_is_no_signature_says_so(self) -> None:
        """RFC 6376 §6.1.1; each is one change of a good field."""
        good = (await signed(self.files, MESSAGE)).partition(b"DKIM-Signature: ")[2].partition(b"\r\nDKIM")[0]
        for old, new, rule in [
            (b"v=1;", b"v=2;", "v=1"),
            (b"v=1;", b"", "v="),
            (b"d=example.org;", b"", "d="),
            (b"d=example.org;", b"d=example.org; d=example.com;", "each tag once"),
            (b"d=example.org;", b"d=exa mple..org;", "domain"),
            (b"d=example.org;", b"d=example.org; i=@example.com;", "i= within d="),
            (b"d=example.org;", b"d=example.org; i=alice;", "i= within d="),
            (b"d=example.org;", b"d=example.org; q=http;", "q=dns/txt"),
            (b"d=example.org;", b"d=example.org; l=-1;", "l="),
            (b"d=example.org;", b"d=example.org; x=1;", "x= after t="),
            (b"d=example.org;", b"d=example.org; =1;", "tag-spec"),
            (b"d=example.org;", b"d=example.org;; ", "tag-spec"),
            (b"c=relaxed/relaxed", b"c=relaxed/other", "c="),
            (b"h=From:From:", b"h=", "h= with From"),
            (b"bh=", b"bh=*", "base64string"),
        ]:
            message = b"DKIM-Signature: " + good.replace(old, new, 1) + b"\r\n" + MESSAGE
            expected = ("neutral", f"bad signature, expected {rule}")
            assert await self.result(message) == expected, new

    async def test_only_so_many_signatures_are_looked_at(self) -> None:
        """RFC 6376 §8.4."""
        message = self.by_dkimpy()
        own = message.removesuffix(MESSAGE)
        findings = await self.findings(own * 100 + MESSAGE)
        assert [each.result for each in findings] == ["pass"] * 8
        assert len(self.names.asked) == 8

    async def test_a_long_header_is_worked_on_in_a_thread(self) -> None:
        calls: list[str] = []

        async def in_thread(function: Any, *arguments: Any) -> Any:
            calls.append(function.__name__)
            return function(*arguments)

        message = await signed(self.files, b"X-Long: " + b"x" * 70_000 + b"\r\n" + MESSAGE)
        check = SignatureCheck(in_thread)
        names = Names({name: {"TXT": text} for name, text in self.records.items()})
        findings = await check.findings(InMemory(message), names, NOW)
        assert [each.result for each in findings] == ["pass", "pass"]
        assert calls == ["_verdicts"]

    async def test_no_signature_costs_no_question(self) -> None:
        for message in (MESSAGE, b"", b"\r\n", b"\r\n\r\n", b"no header", b"x" * 2_000_000):
            assert await self.findings(message) == ()
        assert self.names.asked == []
