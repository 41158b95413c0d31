"""
The invariants of an account in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from trekd.store.memory.boxes import Account, Mailbox, Tally


def complaints(account: Account) -> tuple[str, ...]:
    """One line for each invariant that does not hold."""
    return tuple(_of_account(account))


def _of_account(account: Account) -> Iterator[str]:
    if {box.id for box in account.by_name.values()} != set(account.by_id):
        yield "mailboxes by name and by identifier differ"
    for name, mailbox in account.by_name.items():
        if mailbox.name != name:
            yield f"{name}: mailbox believes its name is {mailbox.name}"
        yield from (f"{name}: {what}" for what in _of_mailbox(mailbox, account.modseq))


def _of_mailbox(mailbox: Mailbox, modseq: int) -> Iterator[str]:
    tally = Tally()
    for message in mailbox.messages.values():
        tally.count(message, 1)
        if message.modseq > mailbox.modseq:
            yield f"message {message.uid} has a modification sequence above the mailbox's"
    if tally != mailbox.tally:
        yield f"counters are {mailbox.tally}, messages say {tally}"
    if any(low >= high for low, high in pairwise((0, *mailbox.messages, mailbox.uid_next))):
        yield "UIDs do not ascend to UIDNEXT"
    if any(uid != message.uid for uid, message in mailbox.messages.items()):
        yield "a message is kept under another UID"
    if mailbox.modseq > modseq:
        yield "modification sequence above the account's"
