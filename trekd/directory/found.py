"""
A memory of who has an address, before directories that are asked over a network.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from trekd.directory.interfaces import Account, Alias, Group, IDirectory
from trekd.errors import DirectoryDown
from trekd.values import Address

Answer = Account | Group | Alias | None


@dataclass(frozen=True, slots=True)
class _Known:
    """An answer, and until when it holds (clock seconds)."""

    answer: Answer
    expires: float


class FoundAddresses:
    """
    Answers of L{IDirectory.find}, remembered by address.

    That nobody has an address is remembered for a short time only, so that a new account gets mail soon.
    """

    def __init__(
        self, directory: IDirectory, clock: IReactorTime, ttl: float, negative_ttl: float, stale: float, size: int
    ) -> None:
        """
        @param ttl: seconds for which an answer is remembered; 0 is not at all.
        @param stale: seconds after that for which somebody's address is still answered while the directory is down.
        @param size: answers remembered; the least recently used go first.
        """
        self._directory = directory
        self._clock = clock
        self._ttl = ttl
        self._negative_ttl = min(ttl, negative_ttl)
        self._stale = stale
        self._size = size
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._flushes = 0

    async def find(self, address: Address) -> Answer:
        """See L{IDirectory.find}."""
        known = self._known.get(_key(address))
        if known is not None and self._clock.seconds() < known.expires:
            self._known.move_to_end(_key(address))
            return known.answer
        try:
            return await self.ask(address)
        except DirectoryDown:
            known = self._known.get(_key(address))
            if known is None or known.answer is None or self._clock.seconds() >= known.expires + self._stale:
                raise
            return known.answer

    async def ask(self, address: Address) -> Answer:
        """The directory's own answer, which is remembered unless L{forget} overtook it."""
        flushes = self._flushes
        answer: Answer = await self._directory.find(address)
        if flushes == self._flushes:
            self._remember(address, answer)
        return answer

    def remember(self, account: Account) -> None:
        """Take over an account as a login just found it."""
        self._remember(account.address, account)

    def forget(self, address: Address | None) -> None:
        """Forget an address, and an account under all its names; C{None} is everything."""
        self._flushes += 1
        if address is None:
            self._known.clear()
            return
        stale = [key for key, known in self._known.items() if _is_of(known.answer, address)]
        for key in (*stale, _key(address)):
            self._known.pop(key, None)

    def _remember(self, address: Address, answer: Answer) -> None:
        ttl = self._negative_ttl if answer is None else self._ttl
        if ttl:
            key = _key(address)
            self._known[key] = _Known(answer, self._clock.seconds() + ttl)
            self._known.move_to_end(key)
            if len(self._known) > self._size:
                self._known.popitem(last=False)


def _key(address: Address) -> str:
    return str(address).lower()


def _is_of(answer: Answer, address: Address) -> bool:
    return answer is not None and answer.address.principal == address.principal
