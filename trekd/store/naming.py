"""
Rules of mailbox names: an account's first mailboxes, superior names, and what a rename moves.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from trekd.errors import MailboxExists, NoSuchMailbox, NotPermitted
from trekd.values import INBOX, MailboxName

FIRST_MAILBOXES: tuple[tuple[MailboxName, tuple[str, ...]], ...] = (
    (INBOX, ()),
    (MailboxName("Drafts"), ("\\Drafts",)),
    (MailboxName("Sent"), ("\\Sent",)),
    (MailboxName("Junk"), ("\\Junk",)),
    (MailboxName("Trash"), ("\\Trash",)),
    (MailboxName("Archive"), ("\\Archive",)),
)
"""The mailboxes that a new account has, with their special uses (RFC 6154 §2); all are subscribed."""


def listing_order(name: MailboxName) -> tuple[bool, str]:
    """Sort key of mailboxes: INBOX first, the others by name."""
    return not name.is_inbox, name.text


def missing_superiors(name: MailboxName, taken: Collection[MailboxName]) -> tuple[MailboxName, ...]:
    """The names above C{name} that are not taken, from the top (RFC 3501 §6.3.3)."""
    missing = []
    above = name.parent
    while above is not None:
        if above not in taken:
            missing.append(above)
        above = above.parent
    return tuple(reversed(missing))


@dataclass(frozen=True, slots=True)
class Renaming:
    """
    What a RENAME does (RFC 3501 §6.3.5).

    @ivar create: mailboxes to make first, superior ones before theirs.
    @ivar moves: (old, new) names, in an order in which no new name is taken when its turn comes; none for
        INBOX, which is emptied into the target instead.
    """

    create: tuple[MailboxName, ...]
    moves: tuple[tuple[MailboxName, MailboxName], ...]


def plan_renaming(source: MailboxName, target: MailboxName, taken: Collection[MailboxName]) -> Renaming:
    """
    What renaming C{source} does in an account that has the mailboxes C{taken}.

    INBOX itself may be renamed to a name inferior to it, for it stays where it is; the target is then among
    the mailboxes to make.

    @raise NoSuchMailbox: neither C{source} nor any inferior to it is there.
    @raise MailboxExists: C{target}, or a name that an inferior would get, is taken.
    @raise NotPermitted: C{target} is inferior to C{source}.
    @raise BadMailboxName: an inferior's name would become too long or too deep.
    """
    if source.is_inbox:
        if target in taken:
            raise MailboxExists(target.text)
        return Renaming((*missing_superiors(target, taken), target), ())
    moving = sorted(
        (name for name in taken if name == source or name.is_inferior_to(source)), key=lambda name: len(name.text)
    )
    if not moving:
        raise NoSuchMailbox(source.text)
    if target.is_inferior_to(source):
        raise NotPermitted(target.text)
    moves = tuple((name, name.moved(source, target)) for name in moving)
    staying = set(taken) - set(moving)
    for new in (target, *(new for _, new in moves)):
        if new in staying or target == source:
            raise MailboxExists(new.text)
    return Renaming(missing_superiors(target, staying), moves)
