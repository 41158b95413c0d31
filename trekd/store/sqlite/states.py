"""
The mailboxes' counters of an account's last commit.
"""

from __future__ import annotations

from collections.abc import Iterable

from trekd.errors import NoSuchMailbox
from trekd.store.interfaces import MailboxState
from trekd.values import MailboxId, MailboxName


class States:
    """
    Counters by mailbox.

    @ivar by_id: in no order.
    """

    def __init__(self, states: Iterable[MailboxState]) -> None:
        self.by_id: dict[MailboxId, MailboxState] = {}
        self._by_name: dict[MailboxName, MailboxState] = {}
        self.update(states, ())

    def update(self, states: Iterable[MailboxState], deleted: Iterable[MailboxId]) -> None:
        """A commit changed some mailboxes and deleted others."""
        states = tuple(states)
        for mailbox in (*deleted, *(state.id for state in states)):
            old = self.by_id.pop(mailbox, None)
            if old is not None and self._by_name.get(old.name) is old:
                del self._by_name[old.name]
        for state in states:
            self.by_id[state.id] = self._by_name[state.name] = state

    def named(self, name: MailboxName) -> MailboxState:
        """
        The mailbox of that name.

        @raise NoSuchMailbox: there is none.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise NoSuchMailbox(name.text) from None

    def identified(self, mailbox: MailboxId) -> MailboxState:
        """
        The mailbox of that identifier.

        @raise NoSuchMailbox: it was deleted.
        """
        try:
            return self.by_id[mailbox]
        except KeyError:
            raise NoSuchMailbox(mailbox) from None
