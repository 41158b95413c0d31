"""Notifications of all mailboxes (RFC 5465): bounds, faults, and what is told once."""

from __future__ import annotations

import pytest

from tests.fakes.imapsite import ALICE, IMAPSite, now
from trekd.errors import StoreBusy
from trekd.imap import notifications
from trekd.store.memory.account import MemoryAccount
from trekd.values import MailboxName

WATCH_ALL = "n NOTIFY SET (PERSONAL (MessageNew MessageExpunge FlagChange MailboxName))"


def test_too_much_at_once_is_an_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 5465 §5.8: the client is told, and nothing after that."""
    monkeypatch.setattr(notifications, "MOST_LINES", 2)
    site = IMAPSite()
    client, other = site.user(), site.user()
    client.ask(WATCH_ALL)
    other.ask("a CREATE A/B/C/D")
    assert client.read() == notifications.OVERFLOW
    other.ask("b CREATE E")
    assert client.read() == b""
    assert client.ask("c NOOP") == ["c OK NOOP completed"]


def test_a_client_that_does_not_read_costs_one_line_a_mailbox() -> None:
    """What piles up meanwhile is told as one difference."""
    site = IMAPSite()
    client = site.user()
    client.ask(WATCH_ALL)
    client.protocol._output.pauseProducing()
    for _ in range(50):
        site.fill(1, "Drafts")
    assert client.read() == b""
    client.protocol._output.resumeProducing()
    assert client.read() == b'* STATUS "Drafts" (UIDNEXT 51 MESSAGES 50 UNSEEN 50)\r\n'


def test_a_store_that_is_busy_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost, and nothing spins meanwhile."""
    site = IMAPSite()
    client = site.user()
    client.ask(WATCH_ALL)
    calls = []

    async def busy(self: MemoryAccount) -> tuple[object, ...]:
        calls.append(1)
        raise StoreBusy("busy")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryAccount, "mailboxes", busy)
        site.fill(1, "Drafts")
        assert client.read() == b"" and len(calls) == 1
    assert client.ask("a NOOP") == ['* STATUS "Drafts" (UIDNEXT 2 MESSAGES 1 UNSEEN 1)', "a OK NOOP completed"]


def test_a_session_that_ends_listens_no_more() -> None:
    site = IMAPSite()
    client = site.user()
    client.ask(WATCH_ALL)
    client.vanish()
    assert not site.store.feed._listeners


def test_notifications_go_on_after_the_mailbox_is_left() -> None:
    """RFC 5465 §3.1: the effect lasts until the next NOTIFY; what is left is watched like others."""
    site = IMAPSite()
    client = site.user().select()
    client.ask(WATCH_ALL)
    assert client.ask("a UNSELECT") == ["a OK UNSELECT completed"]
    site.fill(1)
    assert client.read() == b'* STATUS "INBOX" (UIDNEXT 2 MESSAGES 1 UNSEEN 1)\r\n'


def test_a_removed_account_is_told_as_deleted_names() -> None:
    site = IMAPSite()
    client = site.user()
    client.ask("n NOTIFY SET (MAILBOXES Work (MailboxName))")
    account = site.account()
    now(account.create(MailboxName("Work")))
    now(site.store.remove(ALICE.principal))
    client.read()
    assert client.ask("a NOOP")[-1] == "a OK NOOP completed"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (f'SETMETADATA INBOX (/private/comment "{"x" * 20_000}")', "NO [METADATA MAXSIZE 16384]"),
        ("SETMETADATA INBOX (" + " ".join(f'/private/{n} ""' for n in range(101)) + ")", "NO [METADATA TOOMANY]"),
        ("SETMETADATA INBOX (" + " ".join(f'/private/{n} ""' for n in range(201)) + ")", "BAD "),
        (f'SETMETADATA INBOX (/private/{"x" * 300} "")', "BAD "),
    ],
)
def test_annotations_are_bounded(command: str, answer: str) -> None:
    """RFC 5464 §4.3: the client is told which bound it is, and nothing of it was set."""
    client = IMAPSite().user()
    assert client.ask("a " + command)[-1].startswith("a " + answer)
    assert client.ask("b GETMETADATA (DEPTH infinity) INBOX /private") == ["b OK GETMETADATA completed"]
