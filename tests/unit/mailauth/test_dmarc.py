"""DMARC: whose policy holds, what is aligned, and what becomes of a message."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.fakes.records import DOWN, Names
from trekd.mailauth.dmarc import DMARCCheck, DMARCResult, Evidence, parse_policy
from trekd.mailauth.interfaces import Disposition

NONE, QUARANTINE, REJECT = Disposition


def zone(**policies: object) -> dict[str, Any]:
    """Names with policies: C{_} in a keyword is a dot."""
    records: dict[str, Any] = {}
    for name, text in policies.items():
        domain = name.replace("_", ".")
        records[domain] = {}
        records[f"_dmarc.{domain}"] = {"TXT": text}
    return records


def evaluate(
    records: dict[str, Any], domain: str, chance: float = 0.5, names: Names | None = None, **evidence: Any
) -> DMARCResult:
    check = DMARCCheck(names or Names(records), lambda: chance)
    return asyncio.run(check.evaluate(domain, Evidence(**evidence)))


def summary(result: DMARCResult) -> tuple[str, Disposition]:
    return result.result, result.disposition


REJECTING = zone(example_org="v=DMARC1; p=reject")


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ({}, ("fail", REJECT)),
        ({"spf": "example.org"}, ("pass", NONE)),
        ({"spf": "news.example.org"}, ("pass", NONE)),
        ({"spf": "example.net"}, ("fail", REJECT)),
        ({"spf": "badexample.org"}, ("fail", REJECT)),
        ({"dkim": ("example.net", "a.b.example.org")}, ("pass", NONE)),
        ({"dkim": ("org",)}, ("fail", REJECT)),
        ({"pending_spf": "example.org"}, ("temperror", NONE)),
        ({"pending_dkim": ("example.org",)}, ("temperror", NONE)),
        ({"pending_dkim": ("example.net",), "pending_spf": "example.com"}, ("fail", REJECT)),
    ],
)
def test_who_vouches_for_a_message(evidence: dict[str, Any], expected: tuple[str, Disposition]) -> None:
    """RFC 7489 §3.1, §6.6.2."""
    assert summary(evaluate(REJECTING, "example.org", **evidence)) == expected


def test_strict_alignment() -> None:
    """RFC 7489 §6.3."""
    records = zone(example_org="v=DMARC1; p=reject; adkim=s; aspf=s")
    assert summary(evaluate(records, "example.org", spf="a.example.org", dkim=("a.example.org",))) == ("fail", REJECT)
    assert summary(evaluate(records, "example.org", spf="example.org")) == ("pass", NONE)
    assert summary(evaluate(records, "example.org", dkim=("example.org",))) == ("pass", NONE)


def test_subdomains_have_the_organisations_policy() -> None:
    """RFC 7489 §6.6.3, RFC 9989 §4.10."""
    records = {**zone(example_org="v=DMARC1; p=reject; sp=quarantine; np=none"), "a.b.example.org": {}}
    assert summary(evaluate(records, "a.b.example.org")) == ("fail", QUARANTINE)
    assert summary(evaluate(records, "missing.example.org")) == ("fail", NONE)
    assert summary(evaluate(records, "a.b.example.org", spf="other.example.org")) == ("pass", NONE)
    own = {**records, **zone(b_example_org="v=DMARC1; p=none")}
    assert evaluate(own, "b.example.org").policy is NONE


def test_public_suffixes() -> None:
    """RFC 9989 §4.10.2: two customers of a suffix have nothing in common."""
    records = zone(
        bank_example="v=DMARC1; p=reject; psd=y", one_bank_example="v=DMARC1; p=reject",
        two_bank_example="v=DMARC1; p=none",
    )  # fmt: skip
    assert summary(evaluate(records, "one.bank.example", dkim=("two.bank.example",))) == ("fail", REJECT)
    assert summary(evaluate(records, "one.bank.example", dkim=("mail.one.bank.example",))) == ("pass", NONE)
    assert summary(evaluate({**records, "x.bank.example": {}}, "x.bank.example")) == ("fail", REJECT)
    top = zone(org="v=DMARC1; p=reject", example_org="v=DMARC1; p=reject")
    assert summary(evaluate(top, "example.org", spf="other.org")) == ("fail", REJECT)


def test_a_domain_can_say_that_it_is_an_organisation() -> None:
    """RFC 9989 §4.10.2."""
    records = zone(example_org="v=DMARC1; p=none", unit_example_org="v=DMARC1; p=reject; psd=n")
    assert summary(evaluate(records, "unit.example.org", spf="example.org")) == ("fail", REJECT)
    assert summary(evaluate(records, "unit.example.org", spf="a.unit.example.org")) == ("pass", NONE)


def test_the_walk_is_short() -> None:
    """RFC 9989 §4.10: eight questions however long the name is."""
    names = Names({})
    domain = ".".join("abcdefghijklmnopqrst") + ".example.org"
    assert evaluate({}, domain, names=names) == DMARCResult(domain, "none")
    assert len(names.asked) == 8
    assert [name.removeprefix("TXT _dmarc.") for name in names.asked[1:3]] == [
        "p.q.r.s.t.example.org",
        "q.r.s.t.example.org",
    ]
    assert names.asked[-1] == "TXT _dmarc.org"


def test_policies_apply_to_a_part() -> None:
    """RFC 7489 §6.6.4, RFC 9989 §4.7."""
    half = zone(example_org="v=DMARC1; p=reject; pct=50")
    assert summary(evaluate(half, "example.org", chance=0.49)) == ("fail", REJECT)
    assert summary(evaluate(half, "example.org", chance=0.5)) == ("fail", QUARANTINE)
    testing = zone(example_org="v=DMARC1; p=quarantine; t=y")
    assert summary(evaluate(testing, "example.org")) == ("fail", NONE)
    assert summary(evaluate(zone(example_org="v=DMARC1;p=reject;pct=0"), "example.org", chance=0.0)) == (
        "fail",
        QUARANTINE,
    )


def test_without_an_answer_nothing_is_refused() -> None:
    assert summary(evaluate(zone(example_org=DOWN), "example.org")) == ("temperror", NONE)
    walk = {**zone(org=DOWN), **REJECTING}
    assert summary(evaluate(walk, "example.org", spf="a.example.org")) == ("temperror", NONE)


@pytest.mark.parametrize(
    "text",
    [
        "v=DMARC2; p=reject", "p=reject; v=DMARC1", "v=DMARC1", "v=DMARC1; p=maybe", "v=spf1 -all", "", "v=DMARC1; p",
        "v=dmarc1; p=reject", "v=DMARC1; p=reject; p=none", "v=DMARC1; p=no; rua=https://example.org/",
    ],
)  # fmt: skip
def test_what_is_no_policy(text: str) -> None:
    """RFC 7489 §6.6.3."""
    assert parse_policy(text.encode()) is None
    assert evaluate(zone(example_org=text), "example.org").result == "none"


def test_two_policies_are_none() -> None:
    """RFC 7489 §6.6.3."""
    assert evaluate(zone(example_org=["v=DMARC1; p=reject", "v=DMARC1; p=none"]), "example.org").result == "none"
    one = zone(example_org=["v=spf1 -all", "v=DMARC1; p=reject"])
    assert evaluate(one, "example.org").disposition is REJECT


def test_records_are_read_with_their_oddities() -> None:
    """RFC 7489 §6.4."""
    policy = parse_policy(b"v = DMARC1 ; p = Quarantine;pct=x;sp=bad;rua=mailto:a@example.org!10m ; unknown=1;")
    assert policy is not None
    assert (policy.own, policy.below, policy.missing, policy.percent) == (QUARANTINE, QUARANTINE, QUARANTINE, 100)
    reporting = parse_policy(b"v=DMARC1; p=bad; rua=mailto:a@example.org")
    assert reporting is not None
    assert reporting.own is NONE
