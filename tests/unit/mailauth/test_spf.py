"""SPF: records as RFC 7208 has them, and those that want too much."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.fakes.records import DOWN, Names
from trekd.errors import SyntaxFault
from trekd.mailauth.spf import check_host, client_address
from trekd.mailauth.spfrecords import MacroValues, expand, parse_record

APPENDIX: dict[str, Any] = {
    "example.com": {"A": ["192.0.2.10", "192.0.2.11"], "MX": [(10, "mail-a.example.com"), (20, "mail-b.example.com")]},
    "amy.example.com": {"A": "192.0.2.65"},
    "bob.example.com": {"A": "192.0.2.66"},
    "mail-a.example.com": {"A": "192.0.2.129"},
    "mail-b.example.com": {"A": "192.0.2.130"},
    "example.org": {"MX": [(10, "mail-c.example.org")]},
    "mail-c.example.org": {"A": "192.0.2.140"},
    "192.0.2.10": {"PTR": "example.com"},
    "192.0.2.65": {"PTR": "amy.example.com"},
    "192.0.2.66": {"PTR": "bob.example.com"},
    "192.0.2.129": {"PTR": "mail-a.example.com"},
    "192.0.2.140": {"PTR": "mail-c.example.org"},
    "10.0.0.4": {"PTR": "bob.example.com"},
}
"""RFC 7208 appendix A."""


def result(
    records: dict[str, Any],
    client: str = "192.0.2.10",
    sender: str = "strong-bad@example.com",
    hello: str = "mx.example.com",
    resolver: Names | None = None,
) -> str:
    address = client_address(client)
    assert address is not None
    names = resolver or Names(records)
    domain = sender.rpartition("@")[2]
    return asyncio.run(check_host(names, address, domain, sender, hello)).result


def of(record: object, client: str = "192.0.2.10", **more: Any) -> str:
    """The result of example.com's record among the names of the appendix."""
    extra = more.pop("extra", {})
    zone = {**APPENDIX, **extra, "example.com": {**APPENDIX["example.com"], "TXT": record}}
    return result(zone, client, **more)


@pytest.mark.parametrize(
    ("record", "passing", "failing"),
    [
        ("v=spf1 +all", ["192.0.2.129", "192.0.2.10", "2001:db8::1"], []),
        ("v=spf1 a -all", ["192.0.2.10", "192.0.2.11"], ["192.0.2.129"]),
        ("v=spf1 a:example.org -all", [], ["192.0.2.10"]),
        ("v=spf1 mx -all", ["192.0.2.129", "192.0.2.130"], ["192.0.2.10"]),
        ("v=spf1 mx:example.org -all", ["192.0.2.140"], ["192.0.2.129"]),
        ("v=spf1 mx mx:example.org -all", ["192.0.2.129", "192.0.2.140"], ["192.0.2.10"]),
        ("v=spf1 mx/30 mx:example.org/30 -all", ["192.0.2.131", "192.0.2.143"], ["192.0.2.132"]),
        ("v=spf1 ptr -all", ["192.0.2.10", "192.0.2.65"], ["192.0.2.140", "10.0.0.4"]),
        ("v=spf1 ip4:192.0.2.128/28 -all", ["192.0.2.129"], ["192.0.2.65"]),
    ],
)
def test_the_examples_of_the_appendix(record: str, passing: list[str], failing: list[str]) -> None:
    """RFC 7208 §A.1."""
    assert [of(record, client) for client in passing] == ["pass"] * len(passing)
    assert [of(record, client) for client in failing] == ["fail"] * len(failing)


@pytest.mark.parametrize(
    ("record", "client", "expected"),
    [
        (["other", "v=spf1 -all", "v=spf10 +all"], "192.0.2.1", "fail"),
        ("V=SPF1 -ALL", "192.0.2.1", "fail"),
        ("v=spf1", "192.0.2.1", "neutral"),
        ("v=spf1 ~all", "192.0.2.1", "softfail"),
        ("v=spf1 ?all", "192.0.2.1", "neutral"),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8::1", "pass"),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db9::1", "fail"),
        ("v=spf1 ip4:192.0.2.1 -all", "::ffff:192.0.2.1", "pass"),
        ("v=spf1 ip4:192.0.2.1 -all", "::ffff:192.0.2.2", "fail"),
        ("v=spf1 redirect=_spf.example.com unknown=%{d}", "192.0.2.1", "softfail"),
        ("v=spf1 redirect=_spf.example.com -all", "192.0.2.1", "fail"),
        ("v=spf1 redirect=none.example.com", "192.0.2.1", "permerror"),
        ("v=spf1 include:_spf.example.com -all", "192.0.2.1", "fail"),
        ("v=spf1 include:pass.example.com -all", "192.0.2.1", "pass"),
        ("v=spf1 include:none.example.com +all", "192.0.2.1", "permerror"),
        ("v=spf1 include:bad.example.com +all", "192.0.2.1", "permerror"),
        ("v=spf1 include:down.example.com +all", "192.0.2.1", "temperror"),
        ("v=spf1 a:down.example.com +all", "192.0.2.1", "temperror"),
        ("v=spf1 exists:%{i}.list.example.com -all", "192.0.2.1", "pass"),
        ("v=spf1 exists:%{l1r-}.%{d2} -all", "192.0.2.1", "pass"),
        ("v=spf1 a:%{h} -all", "192.0.2.129", "pass"),
        ("v=spf1 exp=explain.example.com -all", "192.0.2.1", "fail"),
        ("v=spf1 exists:%{i} -all", "192.0.2.1", "fail"),
        ("v=spf1 mx:numbers.example.com -all", "192.0.2.1", "fail"),
        ("v=spf1 a//64 mx//64 -all", "2001:db8::9", "fail"),
        (DOWN, "192.0.2.1", "temperror"),
        (["v=spf1 +all", "v=spf1 -all"], "192.0.2.1", "permerror"),
        ([], "192.0.2.1", "none"),
    ],
)
def test_results(record: object, client: str, expected: str) -> None:
    """RFC 7208 §4 to §7."""
    extra = {
        "_spf.example.com": {"TXT": "v=spf1 ~all"},
        "pass.example.com": {"TXT": "v=spf1 +all"},
        "bad.example.com": {"TXT": "v=spf1 bad"},
        "down.example.com": {"*": DOWN, "TXT": DOWN},
        "192.0.2.1.list.example.com": {"A": "127.0.0.2"},
        "strong.example.com": {"A": "127.0.0.2"},
        "mx.example.com": {"A": "192.0.2.129"},
        "192.0.2.1": {"A": "192.0.2.1"},
        "numbers.example.com": {"MX": [(1, "192.0.2.1")]},
    }
    assert of(record, client, extra=extra) == expected


@pytest.mark.parametrize(
    "terms",
    [
        "+all:example.com", "ip4", "ip4:", "ip4:1.2.3", "ip4:1.2.3.4/33", "ip4:1.2.3.4/032", "ip4:1.2.3.4/",
        "ip6:1.2.3.4", "ip6:::1/129", "ip6:fe80::1%eth0", "a/33", "a//129", "a:", "a:/8", "mx:%", "mx:%{x}", "a:%{d0}",
        "include", "include:", "exists", "exists:single", "exists:a.123", "redirect=", "redirect=%{c}.example.com",
        "redirect=a.example.com redirect=b.example.com", "exp=a.example.com exp=b.example.com", "unknown", "unknown:x",
        "1bad=x", "-", "a:%{d", "a:%(d)", "x=%{zz}", "a:example.com\u00fc", "\x07",
    ],
)  # fmt: skip
def test_a_wrong_term_spoils_the_record(terms: str) -> None:
    """RFC 7208 §4.6."""
    with pytest.raises(SyntaxFault):
        parse_record(f"v=spf1 +all {terms}".encode())
    assert of(f"v=spf1 +all {terms}") == "permerror"


EXAMPLES = MacroValues(
    sender="strong-bad@email.example.com",
    address=client_address("192.0.2.3") or client_address("::")  # type: ignore[arg-type]
    ,
    hello="mail.example.com",
    domain="email.example.com",
)  # fmt: skip


@pytest.mark.parametrize(
    ("macro", "value"),
    [
        ("%{s}", "strong-bad@email.example.com"), ("%{o}", "email.example.com"), ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"), ("%{d3}", "email.example.com"), ("%{d2}", "example.com"), ("%{d1}", "com"),
        ("%{dr}", "com.example.email"), ("%{d2r}", "example.email"), ("%{l}", "strong-bad"), ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"), ("%{lr-}", "bad.strong"), ("%{l1r-}", "strong"), ("%{p}", "unknown"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ("%%%_%-.example.com", "% %20.example.com"), ("%{S}", "strong-bad%40email.example.com"),
    ],
)  # fmt: skip
def test_macros(macro: str, value: str) -> None:
    """RFC 7208 §7.4."""
    assert expand(macro, EXAMPLES) == value


def test_macros_of_ipv6_addresses() -> None:
    """RFC 7208 §7.4."""
    address = client_address("2001:db8::cb01")
    assert address is not None
    values = MacroValues("a@example.com", address, "h", "example.com")
    nibbles = "1.0.b.c." + "0." * 20 + "8.b.d.0.1.0.0.2"
    assert expand("%{ir}.%{v}._spf.%{d2}", values) == nibbles + ".ip6._spf.example.com"


def test_long_names_lose_labels_from_the_left() -> None:
    """RFC 7208 §7.3."""
    values = MacroValues("a." * 120 + "z@example.com", EXAMPLES.address, "h", "example.com")
    assert len(expand("%{l}.%{d}", values)) <= 253
    assert expand("%{l}.%{d}", values).endswith(".a.z.example.com")


def test_terms_that_ask_are_counted() -> None:
    """RFC 7208 §4.6.4: ten are allowed, wherever they stand."""
    assert of("v=spf1 " + "a:amy.example.com " * 9 + "a -all") == "pass"
    assert of("v=spf1 " + "a:amy.example.com " * 10 + "a -all") == "permerror"
    assert of("v=spf1 include:example.com -all") == "permerror"
    assert of("v=spf1 redirect=example.com") == "permerror"


def test_answers_without_records_are_counted() -> None:
    """RFC 7208 §4.6.4."""
    assert of("v=spf1 a:x.example.net a:y.example.net +all") == "pass"
    assert of("v=spf1 a:x.example.net exists:y.example.net mx:z.example.net +all") == "permerror"


def test_exchangers_are_counted() -> None:
    """RFC 7208 §4.6.4."""
    many = {"many.example.com": {"MX": [(1, f"m{at}.example.com") for at in range(11)]}}
    assert of("v=spf1 mx:many.example.com +all", extra=many) == "permerror"


def test_names_of_an_address_are_bounded() -> None:
    """RFC 7208 §4.6.4, §5.5."""
    zone = {
        "example.com": {"TXT": "v=spf1 ptr -all"},
        "192.0.2.1": {"PTR": [f"n{at}.example.com" for at in range(100)]},
        **{f"n{at}.example.com": {"A": "192.0.2.1" if at > 9 else "192.0.2.2"} for at in range(100)},
    }
    names = Names(zone)
    assert result(zone, "192.0.2.1", resolver=names) == "fail"
    assert len(names.asked) == 12


def test_a_name_server_that_fails_for_ptr_is_no_error() -> None:
    """RFC 7208 §5.5."""
    assert of("v=spf1 ptr -all", "192.0.2.1", extra={"192.0.2.1": {"PTR": DOWN}}) == "fail"


@pytest.mark.parametrize("domain", ["localhost", "", "a..b", "x" * 64 + ".com", "[192.0.2.1]"])
def test_what_is_no_domain_has_no_policy(domain: str) -> None:
    """RFC 7208 §4.3."""
    assert result({}, sender=f"a@{domain}") == "none"


def test_a_domain_with_umlauts_is_asked_by_its_ascii_form() -> None:
    zone = {"xn--bcher-kva.example": {"TXT": "v=spf1 ip4:192.0.2.10 -all"}}
    assert result(zone, sender="a@bücher.example") == "pass"
