"""From entries to accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trekd.config.directory import PRESETS, LDAPConfig, LDAPPlanConfig
from trekd.directory.interfaces import Account, Status
from trekd.directory.ldap.cards import CardMapping
from trekd.directory.ldap.entries import Entry
from trekd.directory.ldap.mapping import AccountMapping
from trekd.values import Address

DN = "uid=alice,ou=people,dc=example,dc=com"
PRO = "cn=plan-pro,ou=groups,dc=example,dc=com"
AGENCY = "cn=plan-agency,ou=groups,dc=example,dc=com"
PLANS = frozenset({"nano", "starter", "pro", "agency"})


class Recorded:
    """Notices as a test sees them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tell = self.warn = self.error = self.lines.append


def entry(**attributes: Sequence[str] | str) -> Entry:
    """An entry; mail is alice's unless something else is said."""
    values = {"mail": "alice@example.com", **attributes}
    listed = {name: [value] if isinstance(value, str) else value for name, value in values.items()}
    return Entry(DN, {name.lower(): tuple(each.encode() for each in found) for name, found in listed.items()})


def mapping(preset: str = "trekmail", **changes: Any) -> tuple[AccountMapping, Recorded]:
    notices = Recorded()
    config = replace(LDAPConfig(), **PRESETS[preset], preset=preset, default_plan="nano")
    rows = (LDAPPlanConfig(AGENCY, "agency"), LDAPPlanConfig(PRO, "pro"))
    return AccountMapping(replace(config, **{"plans": rows, **changes}), PLANS, notices), notices  # type: ignore[arg-type]


def account(source: Entry, preset: str = "trekmail", **changes: Any) -> Account:
    found = mapping(preset, **changes)[0].account(source)
    assert found is not None
    return found


def test_all_fields_of_the_own_schema() -> None:
    found = account(
        entry(
            cn=" Alice   Liddell",
            trekAlias=["A.Liddell@example.com", "@example.com", "no address"],
            trekSender="desk@example.com",
            trekQuotaBytes="5GB",
            trekPlan="Starter",
            trekAccountStatus="suspended",
            trekSubscription="team-7",
        )
    )
    assert found == Account(
        Address("alice", "example.com"),
        "starter",
        "Alice Liddell",
        (Address("a.liddell", "example.com"),),
        (Address("desk", "example.com"),),
        5 << 30,
        Status.SUSPENDED,
        "team-7",
    )


def test_the_first_mail_value_in_lower_case_is_the_account() -> None:
    found = account(entry(mail=["ALICE@Example.COM", "alice@example.org", "Alice@example.com"]))
    assert found.principal == "alice@example.com"
    assert found.aliases == (Address("alice", "example.org"),)


def test_proxy_addresses() -> None:
    values = ["x500:/o=Example", "smtp:a.liddell@example.com", "SIP:alice@example.com", "SMTP:alice@example.com"]
    found = account(entry(proxyAddresses=values), "active-directory")
    assert found.aliases == (Address("a.liddell", "example.com"),)
    found = account(entry(mail=[], proxyAddresses=values), "active-directory", attr_mail="proxyAddresses")
    assert found.principal == "alice@example.com"


@pytest.mark.parametrize("mail", [[], ["alice"], ["a b@example.com"], [""]])
def test_no_usable_address_is_no_account_and_a_line_in_the_log(mail: list[str]) -> None:
    reads, notices = mapping()
    assert reads.account(entry(mail=mail)) is None
    assert DN in notices.lines[0]


def test_plan_by_attribute_before_group_before_default() -> None:
    assert account(entry(trekPlan="starter", memberOf=PRO)).plan == "starter"
    groups = ["cn=staff,dc=example,dc=com", "CN=Plan-Pro, ou=groups,dc=example,dc=com"]
    assert account(entry(memberOf=groups)).plan == "pro"
    assert account(entry(memberOf=[PRO, AGENCY])).plan == "agency"  # the order is the configuration's
    assert account(entry(memberOf="cn=staff,dc=example,dc=com")).plan == "nano"


def test_unknown_plan_is_the_default_and_a_line_in_the_log() -> None:
    reads, notices = mapping()
    assert reads.plan(entry(trekPlan="gold", memberOf=PRO))[0] == "nano"
    assert "unknown plan 'gold'" in notices.lines[0]


@pytest.mark.parametrize(
    ("preset", "attributes", "status"),
    [
        ("trekmail", {}, Status.ACTIVE),
        ("trekmail", {"trekAccountStatus": " Active "}, Status.ACTIVE),
        ("trekmail", {"trekAccountStatus": "disabled"}, Status.DISABLED),
        ("trekmail", {"trekAccountStatus": "on holiday"}, Status.SUSPENDED),
        ("qmail-ldap", {"accountStatus": "nopop"}, Status.SUSPENDED),
        ("active-directory", {"userAccountControl": "512"}, Status.ACTIVE),
        ("active-directory", {"userAccountControl": "514"}, Status.DISABLED),
        ("active-directory", {"userAccountControl": "9" * 30}, Status.SUSPENDED),
        ("inetorgperson", {"accountStatus": "disabled"}, Status.ACTIVE),
    ],
)
def test_status(preset: str, attributes: dict[str, str], status: Status) -> None:
    assert account(entry(**attributes), preset).status is status


def test_quota_that_cannot_be_read_is_the_plans_and_a_line_in_the_log() -> None:
    reads, notices = mapping()
    found = reads.account(entry(trekQuotaBytes="plenty"))
    assert found is not None
    assert found.quota is None
    assert "'plenty'" in notices.lines[0]


def test_octets_that_are_no_utf_8_are_passed_over() -> None:
    found = account(Entry(DN, {"mail": (b"alice@example.com",), "cn": (b"\xff",), "trekalias": (b"\xff@example.com",)}))
    assert (found.display_name, found.aliases) == ("", ())


_NAMES = [name.lower() for name in PRESETS["trekmail"].values() if name and name[0] != "("]
_OCTETS = st.one_of(st.binary(max_size=30), st.text(max_size=30).map(lambda text: text.encode("utf-8", "ignore")))


@given(st.dictionaries(st.sampled_from(_NAMES), st.lists(_OCTETS, max_size=3).map(tuple)))
def test_whatever_an_entry_holds_it_is_an_account_or_none(attributes: dict[str, tuple[bytes, ...]]) -> None:
    found = mapping()[0].account(Entry(DN, attributes))
    assert found is None or (found.plan in PLANS and found.principal == str(found.address))
    cards = CardMapping(LDAPConfig(), *mapping())  # type: ignore[arg-type]
    card = cards.card(Entry(DN, attributes), False)
    assert card is None or all(text.isprintable() for text in (*astuple(card.post), card.title, card.given_name))


def test_every_preset_has_the_same_keys_and_they_are_settings() -> None:
    assert len({frozenset(preset) for preset in PRESETS.values()}) == 1
    for preset in PRESETS.values():
        replace(LDAPConfig(), **preset)


@pytest.mark.parametrize(
    ("mode", "keep", "answer"),
    [(["forwardonly", "reply"], False, "Away."), (["normal"], True, ""), (["Reply"], True, "Away."), ([], True, "")],
)
def test_qmail_ldap_says_how_mail_is_delivered(mode: list[str], keep: bool, answer: str) -> None:
    source = entry(mailForwardingAddress=["A@x.example", "|program"], deliveryMode=mode, mailReplyText="Away.\r\n")
    found = account(source, "qmail-ldap")
    assert found.forwards == (Address("a", "x.example"),)
    assert (found.forward_keep, found.vacation) == (keep, answer)


def test_forwards_and_answers_are_bounded() -> None:
    many = [f"a{number}@x.example" for number in range(50)]
    found = account(entry(trekForward=many, trekDeliveryMode="reply", trekVacation="x" * 100_000))
    assert len(found.forwards) == 20
    assert len(found.vacation) == 16 * 1024
