"""Quotas as clients see them (RFC 9208)."""

from __future__ import annotations

import pytest

from tests.fakes.imapsite import ALICE, Client, IMAPSite, now
from trekd.config.schema import PlanConfig
from trekd.values import Flag


def logged_in(quota: int, messages: int = 0) -> Client:
    """Alice, with so many octets and messages."""
    site = IMAPSite(PlanConfig(quota=quota))
    client = site.user()
    site.fill(messages)
    now(site.store.open(ALICE.principal, quota))
    return client


def used(client: Client) -> int:
    """The usage that is told, in units of 1024 octets."""
    return int(client.ask('a GETQUOTA ""')[0].split()[4])


def test_usage_and_limit() -> None:
    """RFC 9208 §4.1.1, §5.1: in units of 1024 octets; usage is rounded up."""
    assert logged_in(1_000_000).ask('a GETQUOTA ""') == ['* QUOTA "" (STORAGE 0 976)', "a OK GETQUOTA completed"]
    client = logged_in(1_000_000, 5)
    octets = int(client.ask("s STATUS INBOX (SIZE)")[0].split()[-1].strip(")"))
    assert used(client) == octets // 1024 + 1


def test_over_quota_the_limit_is_no_less_than_the_usage() -> None:
    """RFC 9208 §7, resource-usage."""
    client = logged_in(1024, 20)
    assert client.ask('a GETQUOTA ""')[0] == f'* QUOTA "" (STORAGE {used(client)} {used(client)})'


def test_root_of_a_mailbox() -> None:
    """RFC 9208 §4.1.2."""
    client = logged_in(1_000_000)
    assert client.ask("a GETQUOTAROOT Sent") == [
        '* QUOTAROOT "Sent" ""',
        '* QUOTA "" (STORAGE 0 976)',
        "a OK GETQUOTAROOT completed",
    ]
    assert client.ask("b GETQUOTAROOT nowhere")[-1].startswith("b NO [NONEXISTENT]")


def test_without_quota() -> None:
    client = logged_in(0)
    assert client.ask("a GETQUOTAROOT INBOX") == ['* QUOTAROOT "INBOX"', "a OK GETQUOTAROOT completed"]
    assert client.ask('b GETQUOTA ""') == ["b NO [NONEXISTENT] No such quota root"]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("a GETQUOTA other", "a NO [NONEXISTENT]"),
        ('a SETQUOTA "" (STORAGE 512)', "a NO [NOPERM]"),
        ('a SETQUOTA "" ()', "a NO [NOPERM]"),
        ('a SETQUOTA "" (STORAGE)', "a BAD"),
        ("a GETQUOTA", "a BAD"),
    ],
)
def test_refusals(command: str, answer: str) -> None:
    """Quotas are the administrator's (RFC 9208 §4.1.3)."""
    assert logged_in(1_000_000).ask(command)[-1].startswith(answer)


def test_what_an_expunge_would_free() -> None:
    """RFC 9208 §4.1.4, in STATUS and LIST."""
    site = IMAPSite()
    client = site.user()
    site.fill(2)
    site.fill(3, flags=(Flag("\\Deleted"),))
    size = int(client.ask("s STATUS INBOX (SIZE)")[0].split()[-1].strip(")"))
    told = client.ask("a STATUS INBOX (DELETED DELETED-STORAGE)")[0]
    assert told == f'* STATUS "INBOX" (DELETED 3 DELETED-STORAGE {size // 5 * 3})'
    assert told in client.ask('b LIST "" INBOX RETURN (STATUS (DELETED DELETED-STORAGE))')


def test_what_does_not_fit_is_refused_whole_and_a_move_fits_always() -> None:
    """RFC 9208 §4.3.1: OVERQUOTA for APPEND and COPY; nothing of it is there."""
    site = IMAPSite()
    client = site.user()
    site.fill(3)
    client.select()
    size = now(site.account().usage())[0]
    now(site.store.open(ALICE.principal, size * 3 // 2))
    assert client.ask("a COPY 1:3 Sent")[-1].startswith("a NO [OVERQUOTA]")
    assert client.ask(f"b APPEND Sent {{{size}+}}\r\n" + "x" * size)[-1].startswith("b NO [OVERQUOTA]")
    assert client.ask("c STATUS Sent (MESSAGES)")[0] == '* STATUS "Sent" (MESSAGES 0)'
    assert client.ask("d MOVE 1:3 Sent")[-1].startswith("d OK")
    assert client.ask("e STATUS Sent (MESSAGES)")[0] == '* STATUS "Sent" (MESSAGES 3)'


def test_nearly_full_is_told_once_in_a_session() -> None:
    site = IMAPSite(PlanConfig(quota=1_000_000))
    client = site.user()
    site.fill(5)
    size = now(site.account().usage())[0]
    now(site.store.open(ALICE.principal, size * 100 // 96))
    assert not any("ALERT" in line for line in client.ask("a EXAMINE INBOX"))
    assert "* NO [ALERT] Your account is 96 % full; delete something soon" in client.ask("b SELECT INBOX")
    assert not any("ALERT" in line for line in client.ask("c SELECT INBOX"))
    now(site.store.open(ALICE.principal, size * 100 // 94))
    assert not any("ALERT" in line for line in site.user().ask("d SELECT INBOX"))
