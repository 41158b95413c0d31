"""
The invariants of an account in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from trekd.store.memory.boxes import Account, Mailbox, Tally
from trekd.store.memory.shelves import Collection


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
    for collection in account.shelf.by_id.values():
        yield from (f"{collection.name}: {what}" for what in _of_collection(collection, account.modseq))


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


def _of_collection(collection: Collection, modseq: int) -> Iterator[str]:
    items = collection.items
    if collection.octets != sum(len(item.octets) for item in items.values()):
        yield "octets are not those of its items"
    if collection.by_uid != {item.state.uid: name for name, item in items.items() if item.state.uid}:
        yield "UIDs are not those of its items"
    if any(item.state.name != name or item.state.size != len(item.octets) for name, item in items.items()):
        yield "an item is kept under another name, or has another size"
    if items.keys() & collection.removed.keys():
        yield "an item is there and removed"
    sequences = [*(item.state.modseq for item in items.values()), *collection.removed.values()]
    if max(sequences, default=0) > collection.modseq or collection.modseq > modseq:
        yield "modification sequence above the collection's, or the account's"
