"""
The contract of content scanners: programs that look at each message from another server before it is taken.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from enum import Enum

from zope.interface import Attribute, Interface

from trekd.mailauth.interfaces import Authenticity
from trekd.store.interfaces import IMessageSource
from trekd.values import Address


@dataclass(frozen=True, slots=True)
class Arrival:
    """
    A message's transport facts, as a scanner sees them.

    @ivar id: names the message in its trace field and in our logs.
    @ivar client: IP address of the sending server, C{""} when it is unknown.
    @ivar hello: what it called itself.
    @ivar reverse_path: C{None} is the null path.
    @ivar recipients: those that were accepted.
    @ivar authenticity: what SPF, DKIM and DMARC say, C{None} when nobody asked them.
    """

    id: str
    client: str
    hello: str
    reverse_path: Address | None
    recipients: tuple[Address, ...]
    authenticity: Authenticity | None = None


class Verdict(Enum):
    """What a scanner wants done, from mild to harsh."""

    ACCEPT = "accept"
    JUNK = "junk"  # into the mailbox for junk
    DEFER = "defer"  # 4yz: the sender is to come back
    REJECT = "reject"  # 5yz


@dataclass(frozen=True, slots=True)
class Judgement:
    """
    What a scanner makes of a message.

    @ivar text: for the sender, with C{DEFER} and C{REJECT}; C{""} leaves the words to us.
    @ivar removed: names of header fields to take out; done before anything is added.
    @ivar added: header fields to put in front, name and unfolded value.
    @ivar subject: the Subject to have instead, C{None} to leave it.
    """

    verdict: Verdict = Verdict.ACCEPT
    text: str = ""
    removed: tuple[str, ...] = ()
    added: tuple[tuple[str, str], ...] = ()
    subject: str | None = None


class IMessageFilter(Interface):
    """Looks at messages from other servers."""

    def judge(arrival: Arrival, message: IMessageSource) -> Awaitable[Judgement]:
        """
        Look at a whole message.

        @raise ScannerDown: there is no verdict; the configuration says what that means.
        """


class IMessageFilterProvider(Interface):
    """A plugin that makes scanners (C{reception.filters} names it)."""

    name: str = Attribute("the name that the configuration uses")

    def make(config: object, reactor: object) -> IMessageFilter:
        """
        Make the scanner.

        @param config: L{trekd.config.schema.Config}.
        @raise ConfigFault: its keys cannot be used.
        """
