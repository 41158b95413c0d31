"""
Failed logins: what they cost, by address prefix and by account.

Every failure within a window of time counts.  The more there were, the longer the answer to the next one takes; past
a limit, attempts are refused untried until old ones no longer count.  Memory is bounded: the prefixes and accounts
with the oldest failures are forgotten first.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b

from twisted.internet.interfaces import IReactorTime

from trekd.config.schema import LimitsConfig
from trekd.errors import TooManyFailures
from trekd.portal.prefixes import Prefixes
from trekd.portal.tallies import Recent, Tally


class Guessing:
    """
    Counts failed logins.  Methods are plain calls: nobody comes between a check and the count.

    The same wrong password again, from the same prefix for the same account, is no new guess (a phone with an old
    password repeats it all day and must not shut out its whole office); it is answered as slowly.  An account under
    attack stays open to the prefixes that logged in to it before.
    """

    def __init__(self, limits: LimitsConfig, prefixes: Prefixes, clock: IReactorTime, size: int = 20_000) -> None:
        """
        @param size: prefixes, accounts, guesses and known prefixes kept, of each.
        """
        self._limits = limits
        self._prefixes = prefixes
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._by_prefix: Recent[str, Tally] = Recent(size)
        self._by_account: Recent[str, Tally] = Recent(size)
        self._guesses: Recent[bytes, float] = Recent(size)
        self._welcome: Recent[tuple[str, str], None] = Recent(size)

    def reconfigure(self, limits: LimitsConfig, prefixes: Prefixes) -> None:
        """Take over other limits; what was counted stays counted."""
        self._limits = limits
        self._prefixes = prefixes

    def check(self, peer: str, login: str) -> None:
        """
        Ask before a password is looked at.

        @param peer: the client's address.
        @param login: the name as typed, in lower case.
        @raise TooManyFailures: try later; this attempt does not count.
        """
        prefix = self._prefixes.limited(peer)
        if prefix is not None and self._value(self._by_prefix, prefix) >= self._limits.failures_per_ip:
            raise TooManyFailures(prefix)
        if (login, self._prefixes.of(peer)) in self._welcome:
            return
        if self._value(self._by_account, login) >= self._limits.failures_per_account:
            raise TooManyFailures(login)

    def failed(self, peer: str, login: str, password: str) -> float:
        """
        Count a failed login.

        @return: seconds after its beginning when it may be answered.
        """
        prefix = self._prefixes.limited(peer)
        if not self._is_repeated(self._prefixes.of(peer), login, password):
            self._add(self._by_account, login)
            if prefix is not None:
                self._add(self._by_prefix, prefix)
        failures = self._value(self._by_account, login)
        if prefix is not None:
            failures = max(failures, self._value(self._by_prefix, prefix))
        doublings = min(max(int(failures) - 1, 0), 30)
        return float(min(self._limits.failure_delay * 2**doublings, self._limits.failure_delay_max))

    def succeeded(self, peer: str, login: str) -> None:
        """Remember that the prefix is one of the account's own."""
        self._welcome.put((login, self._prefixes.of(peer)), None)

    def failures(self) -> dict[str, int]:
        """The failures that count now, by prefix or account."""
        counts = {
            key: round(tally.value(self._clock.seconds(), self._limits.failure_window))
            for tallies in (self._by_prefix, self._by_account)
            for key, tally in tallies.items()
        }
        return {key: count for key, count in counts.items() if count}

    def forget(self, key: str | None = None) -> None:
        """Let failures of a prefix or account, or all of them, no longer count."""
        for tallies in (self._by_prefix, self._by_account):
            if key is None:
                tallies.clear()
            else:
                tallies.pop(key, None)

    def _value(self, tallies: Recent[str, Tally], key: str) -> float:
        tally = tallies.get(key)
        return tally.value(self._clock.seconds(), self._limits.failure_window) if tally else 0

    def _add(self, tallies: Recent[str, Tally], key: str) -> None:
        tally = tallies.get(key) or Tally(self._clock.seconds())
        tally.add(self._clock.seconds(), self._limits.failure_window)
        tallies.put(key, tally)

    def _is_repeated(self, prefix: str, login: str, password: str) -> bool:
        """Whether the guess was made within the window; it is now."""
        octets = "\0".join((prefix, login, password)).encode("utf-8", "surrogatepass")
        guess = blake2b(octets, digest_size=16, key=self._key).digest()
        known = self._guesses.get(guess)
        self._guesses.put(guess, self._clock.seconds())
        return known is not None and self._clock.seconds() - known < self._limits.failure_window
