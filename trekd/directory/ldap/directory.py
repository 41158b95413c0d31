"""
An LDAP directory as the daemon sees it: asked in a few threads, with a bounded queue before them.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any, TypeVar

from twisted.internet.defer import ensureDeferred
from zope.interface import implementer

from trekd.config.schema import LDAPConfig
from trekd.directory.interfaces import (
    Account,
    Alias,
    DirectoryEntry,
    DirectoryServer,
    Group,
    IDirectory,
    IDirectoryDiagnosis,
    IDirectoryServers,
    Step,
    is_possible_password,
)
from trekd.directory.ldap.connection import Access
from trekd.directory.ldap.diagnosis import Diagnosis
from trekd.directory.ldap.entries import ISession
from trekd.directory.ldap.failover import Failover
from trekd.directory.ldap.lookup import Lookup
from trekd.directory.ldap.mapping import AccountMapping
from trekd.directory.ldap.notices import Notices
from trekd.directory.threads import Threads
from trekd.errors import BadCredentials, DirectoryDown
from trekd.values import Address

T = TypeVar("T")

MAX_ADDRESS = 320
MAX_SEARCH_TEXT = 200


@implementer(IDirectory, IDirectoryDiagnosis, IDirectoryServers)
class LDAPDirectory:
    """
    Accounts and distribution lists of LDAP servers.

    Passwords go to the server as typed; names that cannot be anybody's never do.
    """

    def __init__(self, config: LDAPConfig, plans: Container[str], reactor: Any, max_waiting: int = 200) -> None:
        """
        @param plans: names of the plans there are; may change while we run.
        @param max_waiting: questions that may wait before more are told C{DirectoryDown}.
        """
        self._notices = notices = Notices()
        access = Access(config, notices)
        self._tally = access.tally
        self._lookup = Lookup(config, AccountMapping(config, plans, notices), notices)
        # ldap3 takes the slash of ldap://host/ for a part of the name.
        uris = [uri.rstrip("/") for uri in config.uris]
        self._failover = Failover(uris, access.open, config.retry_down_after)
        self._threads = Threads(reactor, "ldap", config.connections, max_waiting)
        self._diagnosis = Diagnosis(config, self._lookup)

    async def authenticate(self, login: Address, password: str) -> Account:
        """See L{IDirectory.authenticate}; login names are ASCII."""
        octets = _octets(password)
        if octets is None or not _is_askable(login):
            raise BadCredentials()
        if not str(login).isascii():
            # mail is an IA5String: servers find nobody, or take full-width letters for plain ones.
            self._notices.warn("a login name that is not ASCII was refused; internationalised addresses cannot log in")
            raise BadCredentials()
        return await self._ask(lambda session: self._lookup.authenticate(session, login, octets))

    async def find(self, address: Address) -> Account | Group | Alias | None:
        """See L{IDirectory.find}."""
        if not _is_askable(address):
            return None
        return await self._ask(lambda session: self._lookup.find(session, address))

    async def search(self, text: str, limit: int) -> tuple[DirectoryEntry, ...]:
        """See L{IDirectory.search}."""
        if len(text) > MAX_SEARCH_TEXT or not text.isprintable() or limit < 1:
            return ()
        return await self._ask(lambda session: self._lookup.search(session, text, limit))

    async def describe(self, address: Address) -> DirectoryEntry | None:
        """See L{IDirectory.describe}."""
        if not _is_askable(address):
            return None
        return await self._ask(lambda session: self._lookup.describe(session, address))

    async def close(self) -> None:
        """See L{IDirectory.close}."""
        await self._threads.close()
        self._failover.close()

    async def explain(self, address: Address, password: str | None) -> tuple[Step, ...]:
        """See L{IDirectoryDiagnosis.explain}."""
        octets = None if password is None else _octets(password)
        if not _is_askable(address) or (password is not None and octets is None):
            return (Step("input", "this name or password is refused before the directory is asked", False),)
        steps: tuple[Step, ...] = ()
        try:
            steps = await self._ask(lambda session: self._diagnosis.explain(session, address, octets))
        except DirectoryDown as outage:
            steps = (Step("result", str(outage) or "the directory is down", False),)
        down = [Step("server", f"{each.uri}: {each.fault}", False) for each in self.servers() if each.fault]
        return (*down, *steps)

    def servers(self) -> tuple[DirectoryServer, ...]:
        """See L{IDirectoryServers.servers}."""
        return self._failover.servers()

    def results(self) -> Mapping[tuple[str, str], int]:
        """See L{IDirectoryServers.results}."""
        return self._tally.counts()

    def waiting(self) -> int:
        """See L{IDirectoryServers.waiting}."""
        return self._threads.waiting

    async def _ask(self, question: Callable[[ISession], T]) -> T:
        """Ask in a thread; afterwards one of them sees to servers that were down."""
        try:
            return await self._threads.run(self._failover.call, question)
        finally:
            if self._failover.is_try_due():
                ensureDeferred(self._try_fallen())

    async def _try_fallen(self) -> None:
        try:
            await self._threads.run(self._failover.try_fallen)
        except DirectoryDown:
            return  # so many wait that the next question must do it


def _octets(password: str) -> bytes | None:
    """A password as it was typed, in UTF-8 (RFC 4513 §5.1.3); C{None} for one that nobody can have."""
    if not is_possible_password(password):
        return None
    try:
        return password.encode()
    except UnicodeEncodeError:
        return None


def _is_askable(address: Address) -> bool:
    """Whether anybody can have the address, as far as length and characters tell."""
    text = str(address)
    return len(text) <= MAX_ADDRESS and bool(address.local) and text.isprintable()
