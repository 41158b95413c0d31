"""
The contract of what accounts have set about their incoming mail, whichever directory they live in.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass

from zope.interface import Interface

from trekd.errors import SyntaxFault
from trekd.values import Address, PrincipalId

MAX_TARGETS = 20
"""Addresses to which one account forwards."""

MAX_SUBJECT = 200
MAX_TEXT = 16 * 1024
"""Characters of an answer's subject and text."""

DAYS = 7
"""Days between two answers to one sender when nothing else is set (RFC 5230 §4.1)."""

MAX_DAYS = 60


@dataclass(frozen=True, slots=True)
class Forwarding:
    """
    Where an account's mail goes on to.

    @ivar targets: at least one.
    @ivar keep: a copy stays in the mailbox.
    """

    targets: tuple[Address, ...]
    keep: bool = False

    def __post_init__(self) -> None:
        if not 1 <= len(self.targets) <= MAX_TARGETS or len(set(self.targets)) != len(self.targets):
            raise SyntaxFault(f"1 to {MAX_TARGETS} different addresses")


@dataclass(frozen=True, slots=True)
class Vacation:
    """
    The answer that an account's senders get while nobody reads its mail (RFC 5230).

    @ivar subject: C{""} is C{Auto:} and the subject of the message.
    @ivar text: with LF line ends.
    @ivar since: Unix seconds from which on it is given, 0 for at once; C{until}: when it ends, 0 for never.
    @ivar days: between two answers to one sender.
    """

    text: str
    subject: str = ""
    since: float = 0.0
    until: float = 0.0
    days: int = DAYS

    def __post_init__(self) -> None:
        if not self.text.strip() or len(self.text) > MAX_TEXT or "\0" in self.text:
            raise SyntaxFault(f"text of 1 to {MAX_TEXT} characters")
        if len(self.subject) > MAX_SUBJECT or not self.subject.isprintable():
            raise SyntaxFault(f"subject as one line of at most {MAX_SUBJECT} characters")
        if not 1 <= self.days <= MAX_DAYS:
            raise SyntaxFault(f"days from 1 to {MAX_DAYS}")
        if self.until and self.until <= self.since:
            raise SyntaxFault("an end after the beginning")
        try:
            self.text.encode()
        except UnicodeEncodeError:
            raise SyntaxFault("text in Unicode") from None

    def is_given(self, now: float) -> bool:
        """Whether it is given at a time."""
        return self.since <= now and (not self.until or now < self.until)


class ISettings(Interface):
    """
    What accounts have set; every change is durable when it is done, and seen by whoever asks later.

    All methods but L{close} raise L{StoreFull<trekd.errors.StoreFull>} when the file cannot be used now.
    """

    def forwarding(principal: PrincipalId) -> Awaitable[Forwarding | None]:
        """Where an account forwards; C{None} when it has set nothing."""

    def set_forwarding(principal: PrincipalId, forwarding: Forwarding | None) -> Awaitable[None]:
        """Forward from now on, or no more."""

    def vacation(principal: PrincipalId) -> Awaitable[Vacation | None]:
        """An account's answer, also one that is not given now; C{None} when it has set nothing."""

    def set_vacation(principal: PrincipalId, vacation: Vacation | None) -> Awaitable[None]:
        """Answer from now on, or no more; who was answered before can be answered again."""

    def claim(principal: PrincipalId, what: str, now: float, seconds: float) -> Awaitable[bool]:
        """
        Whether a thing may be done that is done once in so many seconds; it counts as done then (atomic).

        @param what: such as the sender that is answered; bounded in number for each account, the oldest are forgotten.
        """

    def forget(principal: PrincipalId) -> Awaitable[None]:
        """Remove everything of an account."""

    def close() -> Awaitable[None]:
        """Close the file."""
