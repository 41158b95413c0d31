"""
Are these credentials good?  The one place that answers (STYLE §7).

Order of events: names and passwords that cannot be are refused before any directory is asked; an address prefix or
account with too many failures is refused before its password is looked at; every refusal of credentials lasts equally
long and says the same, whatever was wrong.  A directory's outage passes through and counts as no failure.  Passwords
and proofs of passwords (SCRAM) are judged alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeGuard

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from trekd.directory.interfaces import Account, IDirectory, IScramDirectory, Status, is_possible_password
from trekd.errors import (
    AccountSuspended,
    AddressIncomplete,
    BadCredentials,
    ChannelMismatch,
    Refused,
    SyntaxFault,
    TooManyFailures,
    Unavailable,
)
from trekd.portal.guessing import Guessing
from trekd.portal.interfaces import IPeerPassword, IPeerProof, PeerPassword
from trekd.values import Address

MAX_LOGIN = 400
"""Longest login name looked at, in characters: a local part of 64 octets, an @, a domain of 253 and some."""


Verify = Callable[[Address | None], Awaitable[Account]]


@implementer(ICredentialsChecker)
class FullAddressChecker:
    """
    Verifies full addresses and passwords, or proofs of them, against a directory.

    The avatar id is the account's canonical address in UTF-8.  Errors are ours (L{BadCredentials},
    L{AddressIncomplete}, L{AccountSuspended}, L{TooManyFailures}, L{DirectoryDown<trekd.errors.DirectoryDown>}); for
    plain C{IUsernamePassword} credentials, which protocols that are not ours bring, a refusal is C{UnauthorizedLogin}.
    """

    credentialInterfaces = (IPeerPassword, IPeerProof, IUsernamePassword)
    log = Logger()

    def __init__(
        self,
        directory: IDirectory,
        domains: Sequence[str],
        guessing: Guessing,
        clock: IReactorTime,
        keys: IScramDirectory | None = None,
    ) -> None:
        """
        @param domains: served domains; C{*} among them is whatever the directory knows.
        @param keys: for proofs; C{None} takes none.
        """
        self._directory = directory
        self._keys = keys
        self._domains = frozenset(domains)
        self._guessing = guessing
        self._clock = clock
        self.results: Counter[str] = Counter()

    def requestAvatarId(self, credentials: ICredentials) -> Deferred[bytes | tuple[()]]:
        """See C{ICredentialsChecker}."""
        if IPeerPassword.providedBy(credentials):
            return Deferred.fromCoroutine(self.check(IPeerPassword(credentials)))
        if IPeerProof.providedBy(credentials):
            return Deferred.fromCoroutine(self.check_proof(IPeerProof(credentials)))
        return Deferred.fromCoroutine(self._check_plain(IUsernamePassword(credentials)))

    async def check(self, credentials: IPeerPassword) -> bytes | tuple[()]:
        """
        Verify credentials.

        @return: the avatar id.
        @raise BadCredentials: unknown, wrong, impossible or not served; L{AddressIncomplete} without a domain.
        @raise AccountSuspended: the password is right, the account may not log in.
        @raise TooManyFailures: not looked at; try later.
        @raise DirectoryDown: no verdict.
        """
        verify = partial(self._verify, credentials.password)
        return await self._judge(credentials, credentials.password, verify)

    async def check_proof(self, proof: IPeerProof) -> bytes | tuple[()]:
        """
        Verify a proof against the keys that the account has now; as L{check}.

        @raise ChannelMismatch: (a L{BadCredentials}) right, but not for this connection.
        """
        return await self._judge(proof, proof.guess, partial(self._verify_proof, proof))

    async def _judge(self, credentials: IPeerPassword | IPeerProof, guess: str, verify: Verify) -> bytes:
        """
        Run one attempt through all that every attempt meets.

        @param guess: what a repeated attempt has again.
        """
        started = self._clock.seconds()
        address, login = _address(credentials.username), login_name(credentials.username)
        try:
            self._guessing.check(credentials.peer, login)
            if "@" not in credentials.username:
                raise AddressIncomplete()
            account = await verify(address)
        except BadCredentials as refusal:
            due = started + self._guessing.failed(credentials.peer, login, guess)
            self._log_refusal(credentials, _REASONS[type(refusal)])
            await self._sleep_until(due)
            raise
        except TooManyFailures:
            self._log_refusal(credentials, "too many failed logins")
            raise
        except Unavailable as outage:
            self._log_refusal(credentials, f"no verdict ({type(outage).__name__})")
            raise
        self._guessing.succeeded(credentials.peer, login)
        if account.status is not Status.ACTIVE:
            self._log_refusal(credentials, f"account {account.status.value}")
            raise AccountSuspended(account.principal)
        self.results["accepted"] += 1
        return account.principal.encode()

    async def _verify(self, password: str, address: Address | None) -> Account:
        """Ask the directory about what can be asked."""
        if not self._is_served(address) or not is_possible_password(password):
            raise BadCredentials()
        return await self._directory.authenticate(address, password)

    async def _verify_proof(self, proof: IPeerProof, address: Address | None) -> Account:
        if self._keys is None or not self._is_served(address):
            raise BadCredentials()
        account, keys = await self._keys.scram_keys(address.principal)
        proof.verify(keys)
        if account is None:
            raise BadCredentials()
        return account

    def _is_served(self, address: Address | None) -> TypeGuard[Address]:
        return address is not None and (address.domain in self._domains or "*" in self._domains)

    async def _check_plain(self, credentials: IUsernamePassword) -> bytes | tuple[()]:
        try:
            username, password = _text(credentials.username), _text(credentials.password)
            return await self.check(PeerPassword(username, password, "", "", ""))
        except Refused as refusal:
            raise UnauthorizedLogin() from refusal

    async def _sleep_until(self, due: float) -> None:
        wait = due - self._clock.seconds()
        if wait > 0:
            await deferLater(self._clock, wait)

    def _log_refusal(self, credentials: IPeerPassword | IPeerProof, reason: str) -> None:
        self.results[reason] += 1
        self.log.info(
            "refused login {login!r} from {peer}: {reason}",
            login=credentials.username[:MAX_LOGIN],
            peer=credentials.peer,
            service=credentials.service,
            session=credentials.session,
            reason=reason,
        )


_REASONS: dict[type[BadCredentials], str] = {
    BadCredentials: "wrong name or password",
    AddressIncomplete: "not a full address",
    ChannelMismatch: "made for another TLS connection; somebody may stand in between",
}


def login_name(username: str) -> str:
    """The name as typed, as counts of failures and directories know it: in lower case, of bounded length."""
    address = _address(username)
    return address.principal if address else username[:MAX_LOGIN].lower()


def _address(username: str) -> Address | None:
    """The login name as an address, C{None} when it is none."""
    try:
        return Address.parse(username) if len(username) <= MAX_LOGIN else None
    except SyntaxFault:
        return None


def _text(octets: bytes | str) -> str:
    return octets.decode("utf-8", "surrogateescape") if isinstance(octets, bytes) else octets
