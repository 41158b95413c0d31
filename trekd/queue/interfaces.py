"""
The contract of the mail flow: may this recipient be mailed, and take this message.

Durable before C{250}: L{IMailFlow.accept} returns when every recipient's copy is in a mailbox or in the
queue, on disk.  One C{resolve} decides the route of every producer of mail (DESIGN §7).
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from zope.interface import Interface

from trekd.directory.interfaces import Account
from trekd.errors import TrekError
from trekd.store.interfaces import IMessageSink, IMessageSource
from trekd.values import Address, PrincipalId


class RouteKind(Enum):
    """How a recipient's copy travels."""

    LOCAL = "local"  # into mailboxes of this server
    RELAY = "relay"  # by the server's own smart host or MX delivery
    OWN_SMTP = "own-smtp"  # by the account's or domain's own SMTP provider


@dataclass(frozen=True, slots=True)
class Route:
    """
    Where a recipient's copy goes.

    @ivar profile: the own-SMTP profile, for C{OWN_SMTP}; C{FILTERED_PROFILE} in L{FILTERED}.
    """

    kind: RouteKind
    profile: str = ""


FILTERED_PROFILE = "filtered"

FILTERED = Route(RouteKind.LOCAL, FILTERED_PROFILE)
"""The way of a copy that waits for its mailbox only: the account's filter had it already, and is not asked again."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """
    One accepted forward-path with its DSN parameters (RFC 3461 §4.1, §4.2).

    @ivar address: the forward-path's address.
    @ivar notify: subset of NEVER, SUCCESS, FAILURE, DELAY; empty when not given.
    @ivar original: ORCPT as given, xtext kept; '' when not given.
    """

    address: Address
    route: Route
    notify: tuple[str, ...] = ()
    original: str = ""


@dataclass(frozen=True, slots=True)
class MailTransaction:
    """
    A message's transport facts (RFC 5321 §3.3).

    @ivar reverse_path: C{None} is the null path.
    @ivar principal: the authenticated submitter, C{None} for mail received from another server.
    @ivar smtputf8: the client asked for SMTPUTF8 (RFC 6531 §3.4).
    @ivar eight_bit: BODY=8BITMIME was given (RFC 6152).
    @ivar envelope_id: ENVID, xtext kept; C{ret}: FULL, HDRS or ''.
    @ivar require_tls: every hop must be encrypted and verified (REQUIRETLS, RFC 8689 §2); the sender prefers no
        delivery to one in clear.
    @ivar tls_optional: the opposite, C{TLS-Required: No} (RFC 8689 §5): no policy of TLS may stop the message.
    @ivar hold_until: Unix seconds before which no copy leaves or is delivered (FUTURERELEASE, RFC 4865 §4); 0 is now.
    @ivar junk: mail of other servers that belongs into the mailbox for junk.
    @ivar one_reply: the client hears one reply for all recipients (RFC 5321), not one for each (RFC 2033): what
        fails for some, while others have their copy, cannot be told any more.
    @ivar author: the domain of the author, where checks have found that the message comes from there; '' where nobody
        knows, as after a message has waited in the queue.
    """

    reverse_path: Address | None
    recipients: tuple[Recipient, ...]
    principal: PrincipalId | None = None
    smtputf8: bool = False
    eight_bit: bool = False
    envelope_id: str = ""
    ret: str = ""
    require_tls: bool = False
    tls_optional: bool = False
    hold_until: float = 0.0
    junk: bool = False
    one_reply: bool = False
    author: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What became of one recipient's copy.

    @ivar failure: why it was not taken; C{None} when it is durable.
    """

    recipient: Recipient
    failure: TrekError | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """
    What became of one recipient's copy at the next server.

    @ivar failure: why it was not taken, C{None} when the next server is responsible for it now;
        L{RemoteRefused <trekd.errors.RemoteRefused>}, L{RemoteDeferred <trekd.errors.RemoteDeferred>} or
        L{LaneClosed <trekd.errors.LaneClosed>}.
    @ivar host: who took it.
    @ivar reply: its last reply, for the log and for notices; no secret is in it.
    @ivar dsn: the next server was given the recipient's DSN parameters (RFC 3461 §5.2.1) and answers for them.
    """

    recipient: Recipient
    failure: TrekError | None = None
    host: str = ""
    reply: str = ""
    dsn: bool = False


class IRelay(Interface):
    """Hands messages to other servers; keeps nothing across a restart."""

    def lane(route: Route, recipient: Address) -> str:
        """
        The queue's lane for a copy: copies of one lane share their connections, their concurrency and their
        troubles.  C{"mx:DOMAIN"}, C{"smarthost"} or C{"profile:NAME"}.
        """

    def send(transaction: MailTransaction, message: IMessageSource) -> Awaitable[tuple[Attempt, ...]]:
        """
        One attempt, for recipients of one lane.

        @return: one for each recipient, in order.  Never raises but for a fault of ours.
        """


HELD_BY_OPERATOR = "operator"
"""Held until somebody releases it."""

HELD_BY_LANE = "lane"
"""Held because nothing can be sent on its lane until something is changed there."""


@dataclass(frozen=True, slots=True)
class LastAttempt:
    """
    What became of an attempt that failed.

    @ivar failure: what the other side said, or what happened instead; one line.
    @ivar host: who said it, C{""} when nobody was reached.
    @ivar status: enhanced status code (RFC 3463).
    @ivar time: Unix seconds, 0 before the first attempt.
    """

    failure: str = ""
    host: str = ""
    status: str = ""
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A recipient's copy that waits.

    @ivar number: names the row.
    @ivar message: identifier of the spooled message, shared by the recipients of its transaction.
    @ivar transaction: with this recipient alone.
    @ivar size: octets.
    @ivar arrived: Unix seconds, as the times below.
    @ivar since: from when on its age counts: its arrival, or its release when that is later (RFC 4865).
    @ivar due: when it is tried next.
    @ivar attempts: made so far.
    @ivar priority: 0 for mail, 1 for notices, which come last.
    @ivar noted: whether its sender was told of the delay.
    @ivar held_by: L{HELD_BY_OPERATOR}, L{HELD_BY_LANE} or C{""}; C{held}: why.
    """

    number: int
    message: str
    transaction: MailTransaction
    size: int
    arrived: float
    since: float
    lane: str
    due: float
    attempts: int
    priority: int
    noted: bool
    held_by: str
    held: str
    last: LastAttempt

    @property
    def recipient(self) -> Recipient:
        """Who waits for it."""
        return self.transaction.recipients[0]


@dataclass(frozen=True, slots=True)
class Selection:
    """
    Entries by what they have in common; what is not given does not matter.

    @ivar lane: the whole name of the lane.
    @ivar sender: the reverse-path or the submitting account, a C{domain} alone for all of it; C{recipient} likewise.
    @ivar message: identifier of a message, or the number of an entry.
    @ivar held: only held ones, or only others.
    """

    lane: str | None = None
    sender: str | None = None
    recipient: str | None = None
    message: str | None = None
    held: bool | None = None


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class LaneState:
    """
    How a lane is that has troubles or something on its way.

    @ivar window: messages that may be on their way at once; C{active}: those that are.
    @ivar closed: why nothing can be sent until its owner has changed something; C{""} when it can.
    @ivar rests_until: Unix seconds, 0 when it does not rest; C{failure}: why its server cannot be reached.
    @ivar since: Unix seconds since when it is closed or its server cannot be reached, 0 when neither.
    """

    name: str
    window: int
    active: int
    closed: str
    rests_until: float
    failure: str
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Suppression:
    """
    One address that an account cannot write to for a while.

    @ivar address: in lower case.
    @ivar since: Unix seconds, as C{until}.
    @ivar status: enhanced status code of the refusal by C{host}, in C{reply}.
    """

    principal: PrincipalId
    address: str
    since: float
    until: float
    status: str
    host: str
    reply: str


class IQueueControl(Interface):
    """What an operator asks of the queue.  Every number of copies counts those that were changed."""

    def entries(selection: Selection, limit: int) -> Awaitable[Sequence[Entry]]:
        """At most so many entries, oldest first."""

    def lanes() -> Sequence[LaneState]:
        """Lanes that have troubles or something on its way."""

    def header(entry: Entry) -> Awaitable[bytes]:
        """
        The header of an entry's message.

        @raise StoreCorrupt: it is gone.
        """

    def hold(selection: Selection, why: str) -> Awaitable[int]:
        """Try copies no more until they are released; what is under way is not called back."""

    def release(selection: Selection) -> Awaitable[int]:
        """Let held copies go on, at once."""

    def retry(selection: Selection) -> Awaitable[int]:
        """Try copies now that wait for a later time; also lanes that rest."""

    def drop(selection: Selection) -> Awaitable[int]:
        """Remove copies without a word to anybody."""

    def suppressions(principal: PrincipalId | None) -> Sequence[Suppression]:
        """What is suppressed, for one account or all, the latest first."""

    def remove_suppressions(principal: PrincipalId | None, address: str | None) -> Awaitable[int]:
        """Forget what is suppressed for an account, of an address, or all."""


class IProfiles(Interface):
    """Which own-SMTP profile an account's outside mail takes (DESIGN §7)."""

    def assigned(account: Account) -> Awaitable[str]:
        """
        The profile of the mailbox, else that of its domain, else the one for new domains; C{""} for none.

        @raise Unavailable: it cannot be read now; nothing may take another route meanwhile.
        """


@dataclass(frozen=True, slots=True)
class UsedOf:
    """So many of so many; C{allowed} is 0 for no limit."""

    used: int
    allowed: int


@dataclass(frozen=True, slots=True)
class Usage:
    """
    What an account sent to other domains.

    @ivar hour: messages in the last hour; C{day} in the last 24 hours.
    @ivar newcomers: recipients never written to before, in the last 24 hours.
    @ivar messages_free: Unix seconds at which the next message may go; the present when it may go now.
    @ivar newcomers_free: likewise for a new recipient.
    """

    principal: PrincipalId
    hour: UsedOf
    day: UsedOf
    newcomers: UsedOf
    messages_free: float
    newcomers_free: float


class Charge(Protocol):
    """A message that was counted."""

    def refund(self) -> None:
        """It was not taken after all: it counts no longer."""


class IUsage(Interface):
    """Counts what accounts send to other domains, and holds them to their plans; 0 = no limit."""

    def check(
        account: Account, recipient: Address, accepted: Sequence[Recipient], octets: int = 0
    ) -> Awaitable[None]:
        """
        Whether one more outside recipient has room, asked at RCPT; nothing is counted yet.

        @param accepted: recipients that the transaction has already, local ones included.
        @param octets: the message's announced size, 0 when it was not announced.
        @raise MessageTooLarge: for the plan.
        @raise TooManyMessages: the hour's or the day's messages are used up.
        @raise TooManyNewRecipients: the account never wrote to it, and the day's new recipients are used up.
        @raise TooManyRecipients: the message has as many as it may have.
        @raise StoreBusy: what was counted cannot be read.
        """

    def charge(transaction: MailTransaction, size: int) -> Awaitable[Charge]:
        """
        Check again and count, in one step, when the message is there: one message, however many recipients.  The
        plan is that of the account as L{check} saw it; without a principal or an outside recipient there is nothing
        to count.

        @param size: of the message, in octets.
        @raise MessageTooLarge: nothing was counted; likewise for the errors of L{check}.
        @raise StoreBusy: nothing was counted; also for an account that was not checked.
        """

    def of(account: Account) -> Awaitable[Usage]:
        """What an account has sent and may send."""

    def top(most: int) -> Awaitable[tuple[tuple[PrincipalId, int, int], ...]]:
        """Who sent most in the last 24 hours: principal, messages, new recipients."""


class IMailFlow(Interface):
    """Takes messages for any recipient."""

    def resolve(
        account: Account | None, recipient: Address, accepted: Sequence[Recipient] = (), octets: int = 0
    ) -> Awaitable[Route]:
        """
        The route for a recipient, asked at RCPT.

        @param account: the authenticated submitter; C{None} may reach local recipients only.
        @param accepted: recipients that the transaction has already.
        @param octets: the message's announced size (RFC 1870 §6), 0 when it was not announced.
        @raise NoSuchRecipient: the domain is ours, the address is nobody's.
        @raise PlanForbidsRelay: outside recipients need the account's own SMTP provider.
        @raise RelayDenied: no account, and the recipient is not ours.
        @raise NotPermitted: the recipient's account is disabled.
        @raise MessageTooLarge: for what the account's plan lets out.
        @raise TooManyMessages: the account has sent as much as its plan allows; likewise L{TooManyNewRecipients
            <trekd.errors.TooManyNewRecipients>} and L{TooManyRecipients <trekd.errors.TooManyRecipients>}.
        @raise Unavailable: the directory, or the store of own-SMTP profiles, gave no verdict.
        """

    def receive() -> IMessageSink:
        """A new sink for one message."""

    def check_room(recipient: Address, octets: int) -> Awaitable[None]:
        """
        Whether a recipient's mailbox takes a message, asked at RCPT for mail of other servers; says nothing of
        lists and of addresses that lead elsewhere, and nothing when it cannot be known now.

        @param octets: the message's announced size, 0 when it was not announced.
        @raise MailboxFull: not before its owner has made room.
        @raise OverQuota: a message of this size never fits.
        """

    def accept(transaction: MailTransaction, message: IMessageSource) -> Awaitable[tuple[Outcome, ...]]:
        """
        Deliver and queue; every outcome without failure is durable.  The message is complete: its header is
        final but for the trace fields of each delivery (Return-Path, Delivered-To), which are added here.

        @return: one outcome per recipient, in order.
        """

    def pending() -> Awaitable[int]:
        """Recipients' copies that wait in the queue."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """
    A message on its way into accounts.

    @ivar header: of the message, its empty line included.
    @ivar is_ours: this host wrote it: a notice, which no filter may keep from its reader.
    """

    transaction: MailTransaction
    header: bytes
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What an account's filter makes of a message.

    @ivar keep: a copy goes into the mailbox.
    @ivar forwards: who else gets one; a local one is delivered like the account's own, filter included.
    @ivar reverse_path: of copies that leave, C{None} for the null path.
    @ivar refused: where the account would have it forwarded to, but may not, with the reasons.
    """

    keep: bool = True
    forwards: tuple[Recipient, ...] = ()
    reverse_path: Address | None = None
    refused: tuple[tuple[Address, TrekError], ...] = ()


KEEP = Decision()


@dataclass(frozen=True, slots=True)
class Reply:
    """
    A message that an account's filter sends because of another.

    @ivar transaction: with its routes resolved.
    """

    transaction: MailTransaction
    octets: bytes


class IDeliveryFilter(Interface):
    """Asked for every account that would get a copy of a message; what scripts of users will provide, too."""

    def decide(account: Account, incoming: Incoming) -> Awaitable[Decision]:
        """
        What becomes of the account's copy.  Nothing is changed by asking: it may be asked again for the same message.

        @raise Unavailable: it cannot be known now; the message is tried again later.
        """

    def replies(account: Account, incoming: Incoming, decision: Decision) -> Awaitable[tuple[Reply, ...]]:
        """
        What is to be sent because of a message, once what was decided is durable.

        @raise Unavailable: it cannot be known now; nothing is sent.
        """


class IDeliveryWitness(Interface):
    """Told of every copy of a message that is in a mailbox now; what invitations are for calendars."""

    def delivered(account: Account, incoming: Incoming, message: IMessageSource) -> Awaitable[None]:
        """
        Look at a message, which is delivered whatever becomes of this.

        @param message: not to be read any more once this has returned.
        """
