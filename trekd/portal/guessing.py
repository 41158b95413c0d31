"""
Failed logins: what they cost, by address prefix and by account.

Every failure within a window of time counts.  The more there were, the longer the answer to the next one takes; past
a limit, attempts are refused untried until old ones no longer count.  Memory is bounded: the prefixes and accounts
with the oldest failures are forgotten first.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from hashlib import blake2b
from typing import Generic, TypeVar

from twisted.internet.interfaces import IReactorTime

from trekd.config.schema import LimitsConfig
from trekd.errors import TooManyFailures
from trekd.portal.prefixes import Prefixes

K = TypeVar("K")
V = TypeVar("V")


class _Recent(OrderedDict[K, V], Generic[K, V]):
    """A mapping that drops the entries put longest ago when it grows past its size."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._most = size

    def put(self, key: K, value: V) -> None:
        self[key] = value
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)


class _Tally:
    """
    A count over a sliding window: this window's, and the last one's as far as the window still covers it.
    """

    __slots__ = ("_before", "_now", "_start")

    def __init__(self, time: float) -> None:
        self._start = time
        self._now = self._before = 0

    def add(self, time: float, window: float) -> None:
        """Count one more."""
        self._roll(time, window)
        self._now += 1

    def value(self, time: float, window: float) -> float:
        """The count now."""
        self._roll(time, window)
        return self._now + self._before * (1 - (time - self._start) / window)

    def _roll(self, time: float, window: float) -> None:
        passed = (time - self._start) // window
        if passed >= 1:
            self._before = self._now if passed == 1 else 0
            self._now = 0
            self._start += passed * window


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
        self._by_prefix: _Recent[str, _Tally] = _Recent(size)
        self._by_account: _Recent[str, _Tally] = _Recent(size)
        self._guesses: _Recent[bytes, float] = _Recent(size)
        self._welcome: _Recent[tuple[str, str], None] = _Recent(size)

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

    def _value(self, tallies: _Recent[str, _Tally], key: str) -> float:
        tally = tallies.get(key)
        return tally.value(self._clock.seconds(), self._limits.failure_window) if tally else 0

    def _add(self, tallies: _Recent[str, _Tally], key: str) -> None:
        tally = tallies.get(key) or _Tally(self._clock.seconds())
        tally.add(self._clock.seconds(), self._limits.failure_window)
        tallies.put(key, tally)

    def _is_repeated(self, prefix: str, login: str, password: str) -> bool:
        """Whether the guess was made within the window; it is now."""
        octets = "\0".join((prefix, login, password)).encode("utf-8", "surrogatepass")
        guess = blake2b(octets, digest_size=16, key=self._key).digest()
        known = self._guesses.get(guess)
        self._guesses.put(guess, self._clock.seconds())
        return known is not None and self._clock.seconds() - known < self._limits.failure_window
