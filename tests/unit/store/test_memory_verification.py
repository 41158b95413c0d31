"""
The memory store's C{check} finds what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fakes.mime import PlainReader
from tests.fakes.running import PumpedReactor
from trekd.store.interfaces import NewMessage
from trekd.store.memory.account import MemoryAccount
from trekd.store.memory.boxes import Account, Limits, Mailbox
from trekd.store.memory.provider import MemoryStore
from trekd.store.memory.verification import complaints
from trekd.values import INBOX, SEEN, MailboxName, ModSeq, PrincipalId


def rename_behind_the_back(account: Account, inbox: Mailbox) -> None:
    """The mailbox has a name, the account another."""
    inbox.name = MailboxName("other")


def forget_an_identifier(account: Account, inbox: Mailbox) -> None:
    """The mailbox is found by name only."""
    del account.by_id[inbox.id]


def flag_behind_the_back(account: Account, inbox: Mailbox) -> None:
    """A counter did not follow."""
    inbox.messages[1].flags = frozenset((SEEN,))


def raise_a_sequence(account: Account, inbox: Mailbox) -> None:
    """A message is newer than its mailbox."""
    inbox.messages[1].modseq = ModSeq(inbox.modseq + 1)


def lose_sequences(account: Account, inbox: Mailbox) -> None:
    """A mailbox is newer than its account."""
    account.modseq = ModSeq(1)


def lower_uid_next(account: Account, inbox: Mailbox) -> None:
    """A UID would be given twice."""
    inbox.uid_next = 2


def swap_messages(account: Account, inbox: Mailbox) -> None:
    """Messages under one another's UID."""
    inbox.messages[1], inbox.messages[2] = inbox.messages[2], inbox.messages[1]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (rename_behind_the_back, "name"),
        (forget_an_identifier, "identifier"),
        (flag_behind_the_back, "counters"),
        (raise_a_sequence, "above the mailbox's"),
        (lose_sequences, "above the account's"),
        (lower_uid_next, "UIDNEXT"),
        (swap_messages, "another UID"),
    ],
)
def test_damage_is_found(damage: Callable[[Account, Mailbox], None], words: str) -> None:
    """One kind at a time; nothing is wrong before."""
    reactor = PumpedReactor()
    store = MemoryStore(PlainReader(), reactor, Limits(10, 10))
    account = Account.with_first_mailboxes(Limits(10, 10), 1)
    holder = MemoryAccount(PrincipalId("alice@example.com"), account, store)
    reactor.run(holder.append(INBOX, [NewMessage(b"one"), NewMessage(b"two")]))
    assert complaints(account) == ()
    damage(account, account.by_name[INBOX])
    assert any(words in line for line in complaints(account))
    assert reactor.run(holder.check()) == complaints(account)
