"""
The contract of the portal: how a session logs in, and how its connection is counted.

A session opens a lease with the ledger before its greeting, logs in through a L{twisted.cred.portal.Portal} with
that lease as the mind, and closes the lease in C{connectionLost}.  The realm counts the connection between the
verified password and the tagged answer, for every mechanism alike (DESIGN §6)::

    interface, avatar, logout = await portal.login(Password(login, password, lease), lease, IAccountIMAP)
    mail = IMailUser(avatar)

Where the client only proves that it has the password, L{IMechanisms} makes the credentials out of what it sends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from socket import socket
from typing import Any

from zope.interface import Attribute, Interface, implementer

from trekd.directory.interfaces import Account, ScramKeys
from trekd.store.collections import Right
from trekd.store.interfaces import IAccountStore
from trekd.values import PrincipalId


class IConnection(Interface):
    """What a session of any protocol shows of its connection.  All methods are called in the reactor's thread."""

    service: str = Attribute("'imap', 'submission', 'submissions', 'lmtp', 'smtp', 'https', 'http'")
    session: str = Attribute("identifier for logs and trekctl, unique in this process")
    peer: str = Attribute("the client's IP address as text; '' on a local socket")

    def describe() -> Mapping[str, Any]:
        """
        What C{trekctl sessions} shows: C{client} (ID string), C{mailbox}, C{idle} (seconds since the client's
        last octet), C{octets_in}, C{octets_out}, each where it applies.
        """

    def kernel_socket() -> socket | None:
        """The socket for TCP_INFO, C{None} on anything but TCP."""

    def heartbeat() -> bool:
        """Send octets that mean nothing, if the protocol allows it now; whether they were sent."""

    def say_goodbye() -> Awaitable[None] | None:
        """End the session in good order (BYE, 421): after the command that runs, before the next."""

    def abort() -> None:
        """Drop the connection at once."""


class IProbe(Interface):
    """Tells living peers from vanished ones; the ledger asks it before it refuses."""

    def reclaim(connections: Sequence[IConnection], wanted: int) -> Awaitable[Sequence[IConnection]]:
        """
        Abort connections whose peer has vanished.

        @param connections: those whose end would help, oldest first.
        @param wanted: abort no more than this many.
        @return: the connections that were aborted; their slots are free again.
        """


class ILease(Interface):
    """One open connection in the ledger."""

    peer: str = Attribute("the connection's peer")
    principal: PrincipalId | None = Attribute("the account it is logged in to")

    def log_in(account: Account, counted: bool) -> Awaitable[None]:
        """
        Bind the connection to an account; check and take are one step.

        A lease that is bound to another account gives that one's slot back first.  A closed lease takes nothing:
        the session finds its connection gone.

        @param counted: whether it takes one of the plan's slots (IMAP does).
        @raise TooManyConnections: the plan allows no more; the lease stays unauthenticated.
        """

    def log_out() -> None:
        """Give the slot back and be unauthenticated again."""

    def close() -> None:
        """The connection is gone; a second call does nothing."""


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """
    A row of C{trekctl sessions}.

    @ivar since: Unix seconds.
    """

    session: str
    service: str
    peer: str
    principal: PrincipalId | None
    plan: str
    since: float
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """
    A row of C{trekctl limits}: the slots of one account or subscription.

    @ivar owner: the account, or the subscription id.
    @ivar allowed: in all; 0 is no limit.
    @ivar allowed_per_ip: from one address prefix; 0 is no limit.
    @ivar by_prefix: slots taken from each prefix that is limited.
    """

    owner: str
    plan: str
    used: int
    allowed: int
    allowed_per_ip: int
    by_prefix: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    A connection that the ledger refused.

    @ivar time: Unix seconds.
    @ivar principal: C{None} before login.
    """

    time: float
    service: str
    peer: str
    principal: PrincipalId | None
    reason: str


class ILedger(Interface):
    """The ledger of connections: who holds how many, and may one more be opened."""

    def open(connection: IConnection) -> ILease:
        """
        Enter a new connection, before its greeting.

        @raise TooManyUnauthenticated: its address prefix holds too many that have not logged in.
        """

    def sessions() -> tuple[SessionFacts, ...]:
        """All connections, oldest first."""

    def connections() -> tuple[IConnection, ...]:
        """All connections, oldest first (for the shutdown)."""

    def usage(account: Account | None = None) -> tuple[Usage, ...]:
        """Slots taken, by account or subscription, most first; one row for a given account, if it takes none too."""

    def refusals() -> tuple[Refusal, ...]:
        """The last refusals, oldest first."""

    def kick(session: str | None = None, principal: PrincipalId | None = None) -> int:
        """Abort one session, or all of an account; how many there were."""


@dataclass(frozen=True, slots=True)
class Share:
    """
    A row of C{trekctl share list}.

    @ivar collection: C{calendars/NAME} or C{addressbooks/NAME}.
    @ivar grantee: an account, or L{EVERYONE}.
    @ivar is_shown: the grantee has it in their home.
    """

    collection: str
    grantee: PrincipalId
    right: Right
    is_shown: bool


class IShares(Interface):
    """What accounts share with others, changed in the name of their owners (C{trekctl share})."""

    def shares(owner: Account) -> Awaitable[tuple[Share, ...]]:
        """Who else may do what with an account's calendars and address books."""

    def change(owner: Account, collection: str, grantee: PrincipalId, right: Right | None) -> Awaitable[None]:
        """
        Give a right, and show the collection in the grantee's home where they may read it; C{None} takes it.

        @param collection: as L{Share} has it.
        @raise NoSuchCollection: the account has none of that name; nothing changed.
        @raise LimitReached: the grantee is shown too many; nothing changed.
        """


class IPeerPassword(Interface):
    """Credentials: a login name and a password, and from where they came."""

    username: str = Attribute("as typed")
    password: str = Attribute("as typed; never logged")
    peer: str = Attribute("the client's IP address")
    service: str = Attribute("for the log line")
    session: str = Attribute("for the log line")


@implementer(IPeerPassword)
@dataclass(frozen=True, slots=True)
class PeerPassword:
    """See L{IPeerPassword}; its C{repr} shows no password."""

    username: str
    password: str
    peer: str
    service: str
    session: str

    def __repr__(self) -> str:
        return f"<PeerPassword from {self.peer}>"


@dataclass(frozen=True, slots=True)
class Caller:
    """
    Who begins an exchange.

    @ivar peer: the client's IP address; C{service} and C{session} are for the log line.
    @ivar tls: gives the connection's TLS state, an C{OpenSSL.SSL.Connection}.
    """

    peer: str
    service: str
    session: str
    tls: Callable[[], Any]


class IPeerProof(Interface):
    """Credentials: a login name and a proof of its password, and from where they came."""

    username: str = Attribute("as typed")
    guess: str = Attribute("for the count of failures: unlike that of any other attempt")
    peer: str = Attribute("the client's IP address")
    service: str = Attribute("for the log line")
    session: str = Attribute("for the log line")
    answer: bytes = Attribute("our own proof, once verified: the client must see it and agree before it is logged in")

    def verify(keys: ScramKeys) -> None:
        """
        Verify the proof; C{answer} is there when it is right.

        @raise BadCredentials: it is wrong.
        @raise ChannelMismatch: it is right, but not for this connection.
        """


class IProofExchange(Interface):
    """The server's side of one exchange (RFC 5802 §3); messages are octets, decoded from base64."""

    def challenge(message: bytes) -> Awaitable[bytes]:
        """
        Take the client's first message; our answer to it, alike for names known and unknown.

        @raise SyntaxFault: it is none, or asks to act for somebody else.
        @raise ChannelBindingImpossible: this connection has no such binding.
        @raise DirectoryDown: no verdict.
        """

    def proof(message: bytes) -> IPeerProof:
        """
        Take the client's final message, once, after the challenge; credentials for the portal.

        @raise SyntaxFault: it is none.
        """


class IMechanisms(Interface):
    """SASL mechanisms beside PLAIN and LOGIN (RFC 4422 §3)."""

    names: tuple[str, ...] = Attribute("those that are offered inside TLS, in upper case")

    def begin(mechanism: str, caller: Caller) -> IProofExchange | None:
        """
        Begin an exchange.

        @param mechanism: in upper case; any text.
        @return: C{None} when it is not offered.
        """


class IMailUser(Interface):
    """
    The avatar: an account that is logged in.  It also provides C{twisted.mail.interfaces.IAccountIMAP} and
    C{IMessageDelivery} for plugins.
    """

    account: Account = Attribute("as the directory had it at login")
    store: IAccountStore = Attribute("its mailboxes")


Logout = Callable[[], None]
