"""
One operation inside a batch, and what it leaves for the moment after the commit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from trekd.errors import OverQuota
from trekd.store.collections import CollectionId
from trekd.store.interfaces import MailboxState
from trekd.store.sqlite.database import Database
from trekd.store.sqlite.paths import AccountFiles
from trekd.store.sqlite.views import KnownViews
from trekd.values import MailboxId


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Counts that the configuration bounds.

    @ivar mailboxes: of one account; as many names may be subscribed.
    @ivar keywords: in use in one mailbox; 0 is no limit.
    """

    mailboxes: int = 10_000
    keywords: int = 0


@dataclass(slots=True)
class Transaction:
    """
    What an operation works with, in a writer thread.

    @ivar now: Unix seconds.
    @ivar quota: in octets; 0 is no limit.
    @ivar touched: row numbers of the mailboxes that it changed, with the state it left them in where it knows that.
    @ivar deleted: mailboxes that it deleted, with the modification sequence of that.
    @ivar arrived: the first new UID of mailboxes that got messages.
    @ivar is_account_changed: it changed something of the account that is no mailbox's.
    @ivar shelves: collections that it changed, made or removed.
    @ivar freed: identifiers of messages whose files are not needed when the commit is made.
    """

    database: Database
    files: AccountFiles
    views: KnownViews
    limits: Limits
    now: float
    quota: int
    touched: dict[int, MailboxState | None] = field(default_factory=dict)
    deleted: dict[MailboxId, int] = field(default_factory=dict)
    arrived: dict[MailboxId, int] = field(default_factory=dict)
    shelves: set[CollectionId] = field(default_factory=set)
    freed: list[str] = field(default_factory=list)
    is_account_changed: bool = False

    def next_modseq(self, octets: int = 0, messages: int = 0) -> int:
        """A modification sequence for one change, which counts so much more (or less) against the quota."""
        rows = self.database.rows(
            "UPDATE account SET modseq = modseq + 1, octets = octets + ?, messages = messages + ? RETURNING modseq",
            (octets, messages),
        )
        modseq: int = rows[0][0]
        return modseq

    def require_space(self, octets: int) -> None:
        """
        @raise OverQuota: the quota has no room for so many octets more.
        """
        if self.quota:
            used = self.database.rows("SELECT octets FROM account")[0][0]
            if used + octets > self.quota:
                raise OverQuota(self.quota)
