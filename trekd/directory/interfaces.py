"""
The contract of the directory: who has an address, and is the password right.

All methods are asynchronous.  A directory that does not answer raises L{DirectoryDown
<trekd.errors.DirectoryDown>}, never a refusal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from zope.interface import Attribute, Interface

from trekd.values import Address, PrincipalId

MAX_PASSWORD_OCTETS = 1024


def is_possible_password(password: str) -> bool:
    """
    Whether anybody can have this password: 1 to 1024 octets of UTF-8 without NUL.

    A directory must never be asked about another one: some take an empty password for an anonymous success.
    """
    return 0 < len(password.encode("utf-8", "surrogatepass")) <= MAX_PASSWORD_OCTETS and "\0" not in password


class Status(Enum):
    """What an account may do."""

    ACTIVE = "active"
    SUSPENDED = "suspended"  # no login; mail is kept and still arrives
    DISABLED = "disabled"  # no login; mail is refused


@dataclass(frozen=True, slots=True)
class Account:
    """
    A mail account as the directory knows it.

    @ivar address: the canonical address: what the directory says, never what was typed.
    @ivar display_name: for people; may be empty.
    @ivar aliases: further addresses at which mail arrives, and from which the account may send.
    @ivar senders: further addresses from which the account may send.
    @ivar plan: name of a plan of the configuration.
    @ivar quota: octets; C{None} is the plan's.
    @ivar subscription: accounts with the same value share connection slots when C{limits.scope} is
        C{"subscription"}; empty is the account alone.
    @ivar forwards: where its mail goes on to, as the directory says; C{forward_keep}: a copy stays here.
    @ivar vacation: text of the answer that its senders get, empty for none.
    """

    address: Address
    plan: str
    display_name: str = ""
    aliases: tuple[Address, ...] = ()
    senders: tuple[Address, ...] = ()
    quota: int | None = None
    status: Status = Status.ACTIVE
    subscription: str = ""
    forwards: tuple[Address, ...] = ()
    forward_keep: bool = True
    vacation: str = ""

    @property
    def principal(self) -> PrincipalId:
        """The key of everything that belongs to the account."""
        return self.address.principal


@dataclass(frozen=True, slots=True)
class Group:
    """
    A distribution list.

    @ivar members: addresses, in the directory's order; they may be groups themselves.
    """

    address: Address
    members: tuple[Address, ...]
    display_name: str = ""


@dataclass(frozen=True, slots=True)
class Alias:
    """An address that stands for others (a forward); C{targets} may lie anywhere."""

    address: Address
    targets: tuple[Address, ...]


class Phone(Enum):
    """What a telephone number is for; the values are RFC 6350 §6.4.1's types."""

    WORK = "work"
    HOME = "home"
    CELL = "cell"
    FAX = "fax"


@dataclass(frozen=True, slots=True)
class PostalAddress:
    """Where somebody is reached by post (RFC 6350 §6.3.1); what is not known is empty."""

    street: str = ""
    locality: str = ""
    region: str = ""
    code: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """
    A person or group of the organisation's address list, with what a vCard can tell (RFC 6350); what is not known is
    empty.

    @ivar phones: what for, and the number as it is written.
    @ivar unit: of the organisation.
    @ivar photo: JPEG; L{IDirectory.describe} alone gives it.
    @ivar is_group: a distribution list.
    """

    address: Address
    display_name: str
    given_name: str = ""
    family_name: str = ""
    phones: tuple[tuple[Phone, str], ...] = ()
    organization: str = ""
    unit: str = ""
    title: str = ""
    post: PostalAddress = PostalAddress()
    note: str = ""
    photo: bytes = b""
    is_group: bool = False


class IDirectory(Interface):
    """Accounts, aliases and groups."""

    def authenticate(login: Address, password: str) -> Awaitable[Account]:
        """
        Verify a password.  An alias logs in as its account.

        @return: the account, whatever its status: the portal decides what that means.
        @raise BadCredentials: unknown or wrong, in the same time.
        @raise DirectoryDown: no verdict.
        """

    def find(address: Address) -> Awaitable[Account | Group | Alias | None]:
        """
        Who gets mail for the address; letter case is ignored, an account's own aliases find the account.

        @raise DirectoryDown: no verdict.
        """

    def search(text: str, limit: int) -> Awaitable[tuple[DirectoryEntry, ...]]:
        """
        At most C{limit} entries whose name or address contains the text, by name; disabled accounts are left out.

        @raise DirectoryDown: no verdict.
        """

    def describe(address: Address) -> Awaitable[DirectoryEntry | None]:
        """
        The entry of the address list that has the address, as its own or as an alias; C{None} for a disabled account
        and for an address that nobody has.

        @raise DirectoryDown: no verdict.
        """

    def close() -> Awaitable[None]:
        """End connections and threads."""


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """
    What a server keeps of a password for SCRAM-SHA-256 (RFC 5802 §3): enough to verify a proof, not to make one.

    @ivar salt: told to everybody who asks; so is C{iterations}.
    @ivar stored_key: H(ClientKey), 32 octets.
    @ivar server_key: with which the server proves that it knows the account, 32 octets.
    """

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes

    def __repr__(self) -> str:
        return f"<ScramKeys of {self.iterations} iterations>"


class IScramDirectory(Interface):
    """What a directory adds that keeps SCRAM keys of its accounts; one that only verifies passwords cannot."""

    def scram_keys(login: str) -> Awaitable[tuple[Account | None, ScramKeys]]:
        """
        The keys for a login name, an account's address or one of its aliases, as they are now.

        A name that nobody has, and an account that has no keys yet, get keys that no password has: always the same
        ones for the name, and no caller can tell them from others but by the account.

        @param login: in lower case; any text.
        @return: C{None} for an account without keys, too; else the account, whatever its status.
        @raise DirectoryDown: no verdict.
        """


@dataclass(frozen=True, slots=True)
class Step:
    """
    One thing that a directory did for a login or a delivery, and what came of it.

    @ivar name: what was done or found, in a word or two; indented for details of the step before.
    @ivar text: for an administrator; never a password.
    @ivar is_good: a login or delivery can go on from here.
    """

    name: str
    text: str
    is_good: bool = True


@dataclass(frozen=True, slots=True)
class DirectoryServer:
    """
    A server that a directory asks.

    @ivar fault: why it is passed over now; empty while it is up.
    @ivar outages: how often it was found to be down since the start.
    """

    uri: str
    fault: str = ""
    outages: int = 0


class IDirectoryServers(Interface):
    """What a directory adds that asks servers: how they are."""

    def servers() -> tuple[DirectoryServer, ...]:
        """The servers, in the order in which they are tried."""

    def results() -> Mapping[tuple[str, str], int]:
        """Answers since the start, by operation (C{search}, C{bind}) and name of the result code (RFC 4511 §4.1.9)."""

    def waiting() -> int:
        """Questions that are asked now or wait."""


class IDirectoryDiagnosis(Interface):
    """What a directory adds that can say how it comes to its answers (C{trekctl directory test})."""

    def explain(address: Address, password: str | None) -> Awaitable[tuple[Step, ...]]:
        """
        Do what a login and a delivery would, past any cache; an outage is a step too, not an error.

        @param password: C{None} is not tested.
        """


@dataclass(frozen=True, slots=True)
class NewAccount:
    """
    An account to be made.

    @ivar password: C{None} makes an account that cannot log in yet.
    """

    address: Address
    plan: str
    password: str | None = None
    display_name: str = ""
    quota: int | None = None


Progress = Callable[[int], None]
"""Told how many of a long list are done."""


def no_progress(done: int) -> None:
    """Ignore progress."""


class IAccountAdministration(Interface):
    """What a directory that we own adds: its accounts can be changed (C{trekctl account})."""

    def add(accounts: Sequence[NewAccount], progress: Progress = no_progress) -> Awaitable[None]:
        """
        Add accounts, all or none.

        @param progress: called, in the reactor's thread, as the passwords are hashed: some 30 ms each.
        @raise SyntaxFault: a password that nobody can have; nothing was added.
        @raise AccountExists: an address is taken (the error names the first); nothing was added.
        """

    def accounts() -> Awaitable[tuple[Account, ...]]:
        """All accounts by address."""

    def set_password(address: Address, password: str) -> Awaitable[None]:
        """
        Change a password.

        @raise SyntaxFault: a password that nobody can have; nothing changed.
        @raise NoSuchAccount: nothing changed.
        """

    def change(account: Account) -> Awaitable[None]:
        """
        Store the account's fields under its canonical address.

        @raise NoSuchAccount: nothing changed.
        @raise AccountExists: a new alias is taken; nothing changed.
        """

    def remove(address: Address) -> Awaitable[None]:
        """
        Remove an account and its aliases; its mail is not touched.

        @raise NoSuchAccount: nothing changed.
        """


class IDirectoryProvider(Interface):
    """A plugin that makes directories (C{directory.backend} names it)."""

    name: str = Attribute("the name that the configuration uses")

    def make(config: object, reactor: object) -> IDirectory:
        """
        Make the directory.

        @param config: L{trekd.config.schema.Config}.
        @raise ConfigFault: its section cannot be used.
        """
