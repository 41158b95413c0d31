"""The field that tells of results, judged by reading it as RFC 8601 has it."""

from __future__ import annotations

import re

import pytest

from trekd.mailauth.dmarc import DMARCResult
from trekd.mailauth.interfaces import Disposition, Origin
from trekd.mailauth.results import results_field
from trekd.mailauth.spf import SPFResult
from trekd.mailauth.verification import Finding
from trekd.mime.authresults import claims_to_be, written_address, written_comment, written_value
from trekd.values import Address

ORIGIN = Origin("192.0.2.1", "mx.example.org", Address("alice", "example.org"))
HOST = "mail.example.com"


def field(origin: Origin, **more: object) -> bytes:
    spf = SPFResult("pass", "example.org")
    dmarc = (DMARCResult("example.org", "pass", Disposition.REJECT),)
    return results_field(HOST, origin, spf, (Finding("fail", "body changed"),), dmarc)


def test_the_field() -> None:
    """RFC 8601 §2.2, appendix B."""
    assert field(ORIGIN) == (
        b"Authentication-Results: mail.example.com;\r\n"
        b"\tspf=pass smtp.mailfrom=alice@example.org;\r\n"
        b"\tdkim=fail (body changed);\r\n"
        b"\tdmarc=pass (p=reject dis=none) header.from=example.org\r\n"
    )
    assert claims_to_be(field(ORIGIN), HOST)


def test_the_null_path_is_told_by_its_host() -> None:
    """RFC 8601 §2.7.2."""
    assert b"\r\n\tspf=pass smtp.helo=mx.example.org;" in field(Origin("192.0.2.1", "mx.example.org", None))


@pytest.mark.parametrize(
    "text",
    ["a\r\nX-Evil: 1", 'a"; dmarc=pass', "a; dkim=pass", "a (b", "a)", "\\", 'a\\"', "\0\x1b[1m", "a b", "", "x" * 999],
)
def test_nothing_a_sender_chose_ends_the_field_or_says_something_else(text: str) -> None:
    """RFC 8601 §7.1; security gate: header injection."""
    for origin in (Origin("192.0.2.1", text, None), Origin("192.0.2.1", "h", Address(text, "example.org"))):
        found = field(origin)
        assert re.fullmatch(rb"[^\r\n]*(\r\n\t[^\r\n]*)+\r\n", found)
        assert re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", found) is None
        bare = re.sub(rb'"(?:[^"\\]|\\.)*"', b"Q", found)
        assert [part.split()[0].partition(b"=")[0] for part in bare.split(b";")[1:]] == [b"spf", b"dkim", b"dmarc"]
        assert len(found) < 1000


def test_values_are_tokens_or_quoted() -> None:
    assert written_value("rsa-sha256") == "rsa-sha256"
    assert written_value("a b") == '"a b"'
    assert written_value('say "x"') == '"say \\"x\\""'
    assert written_address("a b", "example.org") == '"a b"@example.org'
    assert written_comment("see (this)\\") == "(see this)"


@pytest.mark.parametrize(
    "raw",
    [
        b"Authentication-Results: mail.example.com; dmarc=pass",
        b"AUTHENTICATION-RESULTS:MAIL.example.COM;dmarc=pass\r\n",
        b"Authentication-Results : mail.example.com 1; none",
        b"Authentication-Results: (a comment) mail.example.com; none",
        b"Authentication-Results: (a (nested \\) one))\r\n\t(two) mail.example.com(three)/1; none",
        b'Authentication-Results: "mail.example.com"; none',
        b'Authentication-Results: "mail.\\example.com" ; none',
        b"Authentication-Results:\r\n\tmail.example.com;\r\n\tnone",
        b"Authentication-Results: mail.example.com.; none",
        b"Authentication-Results: ; mail.example.com; dmarc=pass",
        b"Authentication-Results: mail.example.com",
        b"Authentication-Results: (open mail.example.com; dmarc=pass".replace(b"(open ", b"(open) "),
    ],
)
def test_forged_fields_are_known(raw: bytes) -> None:
    """RFC 8601 §5; security gate: forged Authentication-Results."""
    assert claims_to_be(raw, HOST)


@pytest.mark.parametrize(
    "raw",
    [
        b"Authentication-Results: mx.example.net; dmarc=pass",
        b"Authentication-Results: mail.example.com.evil.net; dmarc=pass",
        b"Authentication-Results: notmail.example.com; dmarc=pass",
        b"Authentication-Results: (mail.example.com) mx.example.net; none",
        b"Authentication-Results:",
        b"Authentication-Results: (((",
        b"Authentication-Results: \"",
        b"X-Authentication-Results: mail.example.com; none",
        b"mail.example.com",
        b"",
    ],
)
def test_fields_of_others_are_left_alone(raw: bytes) -> None:
    assert not claims_to_be(raw, HOST)
