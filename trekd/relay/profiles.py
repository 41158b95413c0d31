"""
Own-SMTP profiles: who has which, whose mail takes which, and their secrets (DESIGN §7).

All settings are in memory, read once; a change is on disk before it is in force.  A secret is unsealed each time
that it is asked for, and kept nowhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger
from zope.interface import implementer

from trekd.directory.interfaces import Account
from trekd.errors import LaneClosed, NoSuchProfile, NotPermitted, ProfileExists, SecretSealed, SyntaxFault
from trekd.queue.interfaces import IProfiles
from trekd.relay.interfaces import EVERYBODY, IProfileAdministration, Profile, ProfileRecord, ProfileSettings
from trekd.relay.profilefile import ProfileFile, Row
from trekd.relay.sealing import KeyFile

log = Logger()

T = TypeVar("T")

MAX_SECRET = 1024
"""Octets of a password."""


class RunInThread(Protocol):
    """Runs a blocking call elsewhere."""

    def __call__(self, function: Callable[..., T], *args: Any) -> Awaitable[T]: ...


@implementer(IProfiles, IProfileAdministration)
class Profiles:
    """See L{IProfiles} and L{IProfileAdministration}."""

    def __init__(self, file: ProfileFile, keys: KeyFile, run_in_thread: RunInThread) -> None:
        """
        @param file: open already.
        @raise StoreFull: it cannot be read.
        """
        self._file = file
        self._keys = keys
        self._thread = run_in_thread
        self._turn = DeferredLock()
        self._watchers: list[Callable[[str], None]] = []
        rows, self._assignments = file.load()
        self._rows = {row.settings.name: row for row in rows}
        for record in self._records():
            if record.problem:
                why = record.problem
                log.error("SMTP profile {profile} cannot be used: {problem}", profile=record.name, problem=why)

    async def assigned(self, account: Account) -> str:
        """See L{IProfiles.assigned}."""
        for subject in (account.principal, account.address.domain, EVERYBODY):
            if subject in self._assignments:
                return self._assignments[subject]
        return ""

    async def open(self, name: str) -> Profile:
        """See L{IProfileStore.open<trekd.relay.interfaces.IProfileStore.open>}."""
        row = self._rows.get(name)
        if row is None:
            raise LaneClosed("", f"there is no SMTP profile {name} any more", "4.7.1")
        try:
            return _opened(row, self._secret(row))
        except SecretSealed:
            log.error("the password of SMTP profile {profile} cannot be unsealed", profile=name)
            text = "the password of your SMTP server cannot be read on this host; set it again"
            raise LaneClosed("", text, "4.7.8") from None

    def _secret(self, row: Row) -> str:
        return "" if row.sealed is None else self._keys.unseal(row.sealed, bound_to(row.settings))

    # Administration

    async def profiles(self) -> tuple[ProfileRecord, ...]:
        """See L{IProfileAdministration.profiles}."""
        return self._records()

    async def trial(self, settings: ProfileSettings, secret: str | None) -> Profile:
        """See L{IProfileAdministration.trial}."""
        check_settings(settings)
        if secret is None:
            secret = self._secret(self._row(settings.name)) if settings.name in self._rows else ""
        check_secret(secret, bool(settings.user))
        return _opened(Row(settings, None), secret)

    async def add(self, settings: ProfileSettings, secret: str) -> None:
        """See L{IProfileAdministration.add}."""
        check_settings(settings)
        check_secret(secret, bool(settings.user))

        async def add() -> None:
            if settings.name in self._rows:
                raise ProfileExists(settings.name)
            await self._put([self._sealed(replace(settings, revision=1), secret)])

        await self._alone(add())

    async def change(self, settings: ProfileSettings, secret: str | None) -> None:
        """See L{IProfileAdministration.change}."""
        check_settings(settings)

        async def change() -> None:
            old = self._row(settings.name)
            self._check_users(settings)
            opened = (self._secret(old) if settings.user else "") if secret is None else secret
            check_secret(opened, bool(settings.user))
            await self._put([self._sealed(replace(settings, revision=old.settings.revision + 1), opened)])

        await self._alone(change())
        self.tell(settings.name)

    async def remove(self, name: str) -> None:
        """See L{IProfileAdministration.remove}."""

        async def remove() -> None:
            users = self._users(self._row(name).settings.name)
            if users:
                raise NotPermitted(
                    f"profile {name} is used by {', '.join(users)}; give them another first: trekctl smtp use"
                )
            await self._thread(self._file.remove, name)
            del self._rows[name]

        await self._alone(remove())

    async def use(self, subject: str, profile: str | None) -> None:
        """See L{IProfileAdministration.use}."""

        async def use() -> None:
            if profile:
                owner = self._row(profile).settings.owner
                if not may_use(owner, subject):
                    raise NotPermitted(f"profile {profile} belongs to {owner}; {_named(subject)} cannot use it")
            await self._thread(self._file.assign, subject, profile)
            if profile is None:
                self._assignments.pop(subject, None)
            else:
                self._assignments[subject] = profile

        await self._alone(use())

    async def rekey(self) -> tuple[str, ...]:
        """See L{IProfileAdministration.rekey}."""

        async def rekey() -> tuple[str, ...]:
            opened, lost = [], []
            for row in self._rows.values():
                try:
                    opened.append((row, self._secret(row)))
                except SecretSealed:
                    lost.append(row.settings.name)
            await self._thread(self._keys.add_key)
            await self._put([self._sealed(row.settings, secret) for row, secret in opened if row.sealed is not None])
            if not lost:
                await self._thread(self._keys.drop_old_keys)
            return tuple(lost)

        return await self._alone(rekey())

    def watch(self, changed: Callable[[str], None]) -> None:
        """See L{IProfileAdministration.watch}."""
        self._watchers.append(changed)

    def tell(self, name: str) -> None:
        """See L{IProfileAdministration.tell}."""
        for watcher in self._watchers:
            watcher(name)

    async def close(self) -> None:
        """Close the file after what runs."""

        async def close() -> None:
            await self._thread(self._file.close)

        await self._alone(close())

    async def _alone(self, work: Awaitable[T]) -> T:
        """One change at a time: what was looked at still holds when it is written."""
        await self._turn.acquire()
        try:
            return await work
        finally:
            self._turn.release()

    async def _put(self, rows: list[Row]) -> None:
        await self._thread(self._file.put, rows)
        self._rows.update({row.settings.name: row for row in rows})

    def _row(self, name: str) -> Row:
        if name not in self._rows:
            raise NoSuchProfile(name)
        return self._rows[name]

    def _sealed(self, settings: ProfileSettings, secret: str) -> Row:
        if not settings.user:
            return Row(settings, None)
        may_make = all(row.sealed is None for row in self._rows.values())
        return Row(settings, self._keys.seal(secret, bound_to(settings), may_make))

    def _records(self) -> tuple[ProfileRecord, ...]:
        users: dict[str, list[str]] = {}
        for subject, name in sorted(self._assignments.items()):
            users.setdefault(name, []).append(subject)
        return tuple(
            ProfileRecord(row.settings, tuple(users.get(name, ())), self._problem(row))
            for name, row in sorted(self._rows.items())
        )

    def _problem(self, row: Row) -> str:
        try:
            self._secret(row)
        except SecretSealed as error:
            return str(error)
        return ""

    def _users(self, name: str) -> tuple[str, ...]:
        return tuple(_named(subject) for subject, profile in sorted(self._assignments.items()) if profile == name)

    def _check_users(self, settings: ProfileSettings) -> None:
        """A new owner must leave the profile to those who use it."""
        for subject, profile in self._assignments.items():
            if profile == settings.name and not may_use(settings.owner, subject):
                raise NotPermitted(f"{_named(subject)} uses profile {settings.name} and could not any more")


def may_use(owner: str, subject: str) -> bool:
    """Whether a subject (an address, a domain or L{EVERYBODY}) may use an owner's profile."""
    return owner in ("", subject) or ("@" not in owner and subject.endswith(f"@{owner}"))


def bound_to(settings: ProfileSettings) -> bytes:
    """
    What a secret is sealed for: it is sent to this host and nowhere else, also when somebody edits the database.
    """
    parts = (settings.name, settings.host, str(settings.port), settings.tls.value, settings.user)
    return b"own-smtp\0" + "\0".join(parts).encode()


def check_settings(settings: ProfileSettings) -> None:
    """
    See that a profile can be one.

    @raise SyntaxFault: a field cannot be what it is.
    """
    if not settings.is_named_well:
        raise SyntaxFault("a profile's name: lower-case letters, digits, '.', '-' and '_', not server or inherit")
    if not 1 <= settings.port <= 65535:
        raise SyntaxFault("a port from 1 to 65535")
    if len(settings.user) > 255 or not all(map(str.isprintable, settings.user)):
        raise SyntaxFault("a user name of at most 255 printable characters")


def check_secret(secret: str, is_needed: bool) -> None:
    """
    See that a password can be one; where there is no login there is none.

    @raise SyntaxFault: it cannot.
    """
    if not is_needed and secret:
        raise SyntaxFault("a user name with the password")
    try:
        octets = len(secret.encode())
    except UnicodeEncodeError:
        octets = 0
    if is_needed and (not 0 < octets <= MAX_SECRET or any(character in secret for character in "\0\r\n")):
        raise SyntaxFault(f"a password of one line, 1 to {MAX_SECRET} octets")


def _opened(row: Row, secret: str) -> Profile:
    of = row.settings
    return Profile(of.name, of.host, of.port, of.tls, of.user, secret if of.user else "", of.sender, of.revision)


def _named(subject: str) -> str:
    return "the default" if subject == EVERYBODY else subject
