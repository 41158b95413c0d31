"""L{trekd.web.records} and L{trekd.web.names}: what a domain needs, and what is as good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.resolver import ToldResolver
from trekd.config.loader import load
from trekd.config.schema import Config
from trekd.dns.interfaces import Exchanger, Service
from trekd.web.records import Wanted, compare, wanted

CONFIG = """\
[server]
hostname = "mail.example.net"
domains = ["example.com"]
[tls]
certificate = "a.pem"
key = "a.key"
"""
POLICY = b"version: STSv1\r\n"


def config(more: str = "") -> Config:
    return load(CONFIG + more, str(Path("/etc/trekmail.toml")))


def values(more: str = "", **rest: Any) -> dict[tuple[str, str], str]:
    keys = rest.get("keys", [])
    return {(each.name, each.kind): each.value for each in wanted(config(more), "example.com", keys, POLICY)}


def test_the_records_of_a_domain() -> None:
    found = values(keys=[("s1._domainkey.example.com", "v=DKIM1; p=abc")])
    assert found[("example.com", "MX")] == "10 mail.example.net."
    assert found[("example.com", "TXT")].startswith("v=spf1 mx ")
    assert found[("s1._domainkey.example.com", "TXT")] == "v=DKIM1; p=abc"
    assert found[("_dmarc.example.com", "TXT")].startswith("v=DMARC1; p=")
    assert found[("_mta-sts.example.com", "TXT")].startswith("v=STSv1; id=")
    assert found[("mta-sts.example.com", "CNAME")] == "mail.example.net."
    assert found[("_smtp._tls.example.com", "TXT")] == "v=TLSRPTv1; rua=mailto:postmaster@example.com"
    assert found[("autoconfig.example.com", "CNAME")] == "mail.example.net."


def test_services_are_those_that_listen() -> None:
    """RFC 6186 §3.4, RFC 8314 §5.1, RFC 6764 §3: what is not there is said to be not there."""
    found = values()
    assert found[("_submissions._tcp.example.com", "SRV")] == "0 1 465 mail.example.net."
    assert found[("_submission._tcp.example.com", "SRV")] == "5 1 587 mail.example.net."
    assert found[("_imaps._tcp.example.com", "SRV")] == "0 1 993 mail.example.net."
    assert found[("_imap._tcp.example.com", "SRV")] == "0 0 0 ."
    assert found[("_pop3s._tcp.example.com", "SRV")] == "0 0 0 ."
    assert found[("_caldavs._tcp.example.com", "TXT")] == "path=/dav/"
    other = values('[listen]\nimaps = ["systemd:domain=INET:index=0"]\nsubmissions = ["tcp:4650"]\nhttps = []\n')
    assert other[("_imaps._tcp.example.com", "SRV")] == "0 1 993 mail.example.net."
    assert other[("_submissions._tcp.example.com", "SRV")] == "0 1 4650 mail.example.net."
    assert ("autoconfig.example.com", "CNAME") not in other


def test_what_only_a_draft_asks_for_need_not_be_there() -> None:
    found = {each.name: each for each in wanted(config(), "example.com", [], POLICY) if each.is_optional}
    assert sorted(found) == ["_ua-auto-config.example.com", "ua-auto-config.example.com"]
    assert found["ua-auto-config.example.com"].value == "mail.example.net."


def test_exchangers_of_the_configuration_and_no_policy() -> None:
    found = wanted(
        config('[mta_sts]\nmode = "none"\nexchangers = ["mx1.example.net", "mx2.example.net"]\n'), "a.b", [], POLICY
    )
    assert [each.value for each in found if each.kind == "MX"] == ["10 mx1.example.net.", "20 mx2.example.net."]
    assert not [each for each in found if "mta-sts" in each.name]


def test_another_policy_has_another_identifier() -> None:
    """RFC 8461 §3.1."""
    one, other = (
        {each.value for each in wanted(config(), "a.b", [], policy) if each.name == "_mta-sts.a.b"}
        for policy in (POLICY, POLICY + b"mode: none\r\n")
    )
    assert not one & other


def outcome(record: Wanted, **known: tuple[Any, ...]) -> tuple[bool, tuple[str, ...]]:
    resolver = ToldResolver({(method, record.name): found for method, found in known.items()})
    resolver.known[("addresses", "mail.example.net")] = ("192.0.2.1",)
    work = compare(resolver, record)
    try:
        work.send(None)  # type: ignore[attr-defined]
    except StopIteration as end:
        return end.value.is_good, end.value.values
    raise AssertionError


@pytest.mark.parametrize(
    ("kind", "value", "known", "is_good"),
    [
        ("MX", "10 mail.example.net.", {"exchangers": (Exchanger(5, "mail.example.net"),)}, True),
        ("MX", "10 mail.example.net.", {"exchangers": (Exchanger(10, "mx.example.org"),)}, False),
        ("MX", "10 mail.example.net.", {}, False),
        ("TXT", "v=spf1 mx ~all", {"texts": (b"v=spf1 include:x.example -all", b"other")}, True),
        ("TXT", "v=spf1 mx ~all", {"texts": (b"v=spf1 mx -all", b"v=spf1 -all")}, False),
        ("TXT", "v=spf1 mx ~all", {"texts": (b"v=spf1 -all",)}, False),
        ("TXT", "v=spf1 mx ~all", {"texts": (b"v=spf10 mx",)}, False),
        ("TXT", "v=DMARC1; p=none", {"texts": (b"v=DMARC1;p=reject",)}, True),
        ("TXT", "v=DMARC1; p=none", {}, False),
        ("TXT", "v=DKIM1; p=ab", {"texts": (b"v=DKIM1;p=ab;",)}, True),
        ("TXT", "v=DKIM1; p=ab", {"texts": (b"v=DKIM1; p=ac",)}, False),
        ("TXT", "v=STSv1; id=1", {"texts": (b"v=STSv1; id=1;", b"google=1")}, True),
        ("TXT", "v=STSv1; id=1", {"texts": (b"v=STSv1; id=2;",)}, False),
        ("TXT", "path=/dav/", {"texts": (b"path=/dav/",)}, True),
        ("SRV", "0 1 993 mail.example.net.", {"services": (Service(9, 9, 993, "mail.example.net"),)}, True),
        ("SRV", "0 1 993 mail.example.net.", {"services": (Service(0, 1, 143, "mail.example.net"),)}, False),
        ("SRV", "0 0 0 .", {"services": (Service(0, 0, 0, ""),)}, True),
        ("SRV", "0 0 0 .", {}, True),
        ("SRV", "0 0 0 .", {"services": (Service(0, 1, 110, "old.example.net"),)}, False),
        ("CNAME", "mail.example.net.", {"canonical": ("mail.example.net",)}, True),
        ("CNAME", "mail.example.net.", {"canonical": ("www.example.net",)}, False),
        ("CNAME", "mail.example.net.", {"addresses": ("192.0.2.1",)}, True),
        ("CNAME", "mail.example.net.", {"addresses": ("192.0.2.2",)}, False),
        ("CNAME", "mail.example.net.", {}, False),
    ],
)
def test_what_is_published_is_compared(kind: str, value: str, known: dict[str, Any], is_good: bool) -> None:
    assert outcome(Wanted("a.example.com", kind, value, ""), **known)[0] is is_good
