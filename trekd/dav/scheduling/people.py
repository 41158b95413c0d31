"""
Whom a calendar user address names: an account of this host, somebody elsewhere, or nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

from trekd.calendar.itip import Persons
from trekd.dav.paths import MOUNT, quoted, read_path
from trekd.directory.interfaces import Account, Alias, IDirectory, Status
from trekd.errors import (
    NoSuchRecipient,
    PlanForbidsRelay,
    RelayDenied,
    SyntaxFault,
    TrekError,
    Unavailable,
)
from trekd.queue.interfaces import IMailFlow, Route
from trekd.values import Address

# SCHEDULE-STATUS (RFC 6638 §3.2.9)
PENDING, SENT, DELIVERED = "1.0", "1.1", "1.2"
UNKNOWN, NO_RIGHT = "3.7", "3.8"
FAILED, NO_WAY, REJECTED = "5.1", "5.2", "5.3"


@dataclass(frozen=True, slots=True)
class Local:
    """
    An account of this host.

    @ivar own: by what it is known, the address that was asked about among it.
    """

    account: Account
    own: Persons


@dataclass(frozen=True, slots=True)
class Outside:
    """Somebody who is reached by mail: elsewhere, or several at once."""

    address: Address
    route: Route


@dataclass(frozen=True, slots=True)
class Nobody:
    """
    There is no way.

    @ivar status: why, as SCHEDULE-STATUS says it.
    """

    status: str


Found = Local | Outside | Nobody


def persons_of(account: Account) -> Persons:
    """By what an account is known in calendars: its addresses, and the address of its principal."""
    mail = {str(each).lower() for each in (account.address, *account.aliases)}
    principal = account.principal
    paths = {f"/{MOUNT}/principals/{name}" for name in (principal, quoted(principal), principal.replace("@", "%40"))}
    return frozenset(mail | paths | {path + "/" for path in paths})


def address_of(person: str) -> Address | None:
    """The mail address of a person; C{None} for an URI that says nothing here."""
    try:
        if person.startswith("/"):
            location = read_path(person.encode("utf-8", "replace"))
            if location is None or len(location.segments) != 2 or location.segments[0] != "principals":
                return None
            return Address.parse(location.segments[1])
        return Address.parse(person)
    except SyntaxFault:
        return None


def status_of(error: TrekError) -> str:
    """What a failure is told as."""
    if isinstance(error, PlanForbidsRelay):
        return REJECTED
    if isinstance(error, NoSuchRecipient | RelayDenied):
        return UNKNOWN
    return FAILED if isinstance(error, Unavailable) else NO_WAY


async def find(directory: IDirectory, mail: IMailFlow | None, sender: Account, person: str) -> Found:
    """
    Whom a person is, to somebody who writes to them.

    A list, and an address that stands for several, is reached by mail: its members are its own affair.

    @param mail: C{None}: this host sends none.
    """
    address = address_of(person)
    if address is None:
        return Nobody(UNKNOWN)
    try:
        entry = await directory.find(address)
        if isinstance(entry, Alias) and len(entry.targets) == 1:
            target = await directory.find(entry.targets[0])
            entry = target if isinstance(target, Account) else entry
        if isinstance(entry, Account):
            if entry.status is Status.DISABLED:
                return Nobody(UNKNOWN)
            return Local(entry, persons_of(entry) | {person})
        if mail is None:
            return Nobody(UNKNOWN)
        return Outside(address, await mail.resolve(sender, address))
    except TrekError as error:
        return Nobody(status_of(error))
