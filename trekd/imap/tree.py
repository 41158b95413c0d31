"""
The names of an account as LIST tells them: which are there, which lie above others, what attributes each has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trekd.store.interfaces import IAccountStore, MailboxState
from trekd.values import MailboxName


@dataclass(frozen=True, slots=True)
class Tree:
    """
    All names of an account at one time.

    @ivar mailboxes: by name, INBOX first.
    @ivar subscribed: names subscribed to, with and without a mailbox.
    @ivar parents: names with a mailbox below them.
    """

    mailboxes: dict[MailboxName, MailboxState]
    subscribed: frozenset[MailboxName]
    parents: frozenset[MailboxName]

    @classmethod
    def of(cls, states: Iterable[MailboxState], subscribed: Iterable[MailboxName]) -> Tree:
        """The names of these mailboxes and subscriptions."""
        mailboxes = {state.name: state for state in states}
        return cls(mailboxes, frozenset(subscribed), frozenset(above(mailboxes)))

    def names(self) -> list[MailboxName]:
        """Every mailbox and every name above one."""
        missing = sorted(self.parents - self.mailboxes.keys())
        return [*self.mailboxes, *missing]

    def attributes(self, name: MailboxName, absent: Sequence[str]) -> list[str]:
        """What every LIST shows of a name, C{absent} when it is no mailbox."""
        state = self.mailboxes.get(name)
        children = "\\HasChildren" if name in self.parents else "\\HasNoChildren"
        return [children, *state.special_use] if state is not None else [*absent, children]


async def read_tree(store: IAccountStore) -> Tree:
    """The names now."""
    states = await store.mailboxes()
    return Tree.of(states, await store.subscriptions())


def above(names: Iterable[MailboxName]) -> set[MailboxName]:
    """All names above those given."""
    found: set[MailboxName] = set()
    for name in names:
        parent = name.parent
        while parent is not None and parent not in found:
            found.add(parent)
            parent = parent.parent
    return found


def ordered(names: Iterable[MailboxName]) -> list[MailboxName]:
    """INBOX first, the others by name."""
    return sorted(names, key=lambda name: (not name.is_inbox, name.text))
