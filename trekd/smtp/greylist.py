"""
Greylisting: who writes for the first time is asked to come back (RFC 6647 §2).

What is known lives in memory, within bounds, and is gone after a restart: senders then come back once more.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import ip_address, ip_network

from twisted.internet.interfaces import IReactorTime

from trekd.config.reception import ReceptionConfig
from trekd.errors import Greylisted
from trekd.values import Address

_IPV4_BITS, _IPV6_BITS = 24, 64
"""Large senders come back from another address of the same network (RFC 6647 §4.1)."""


@dataclass(slots=True)
class _Seen:
    """
    A sender, once it was seen.

    @ivar first: Unix seconds of the first attempt.
    @ivar last: of the last mail, C{0.0} while it did not come back in time.
    """

    first: float
    last: float = 0.0


class Greylist:
    """Remembers (network, reverse-path, recipient)."""

    def __init__(self, config: ReceptionConfig, clock: IReactorTime) -> None:
        self._config = config
        self._clock = clock
        self._seen: OrderedDict[bytes, _Seen] = OrderedDict()

    def check(self, client: str, reverse_path: Address | None, recipient: Address) -> None:
        """
        Let a sender pass that came back in time.

        @raise Greylisted: it is new, came back too soon, or was forgotten.
        """
        now, key = self._clock.seconds(), _key(client, reverse_path, recipient)
        seen = self._seen.get(key)
        if seen is None or self._is_stale(seen, now):
            self._seen[key] = _Seen(now)
            self._seen.move_to_end(key)
            if len(self._seen) > self._config.greylist_entries:
                self._seen.popitem(last=False)
            raise Greylisted
        if not seen.last and now - seen.first < self._config.greylist_delay:
            raise Greylisted
        seen.last = now
        self._seen.move_to_end(key)

    def _is_stale(self, seen: _Seen, now: float) -> bool:
        if seen.last:
            return now - seen.last > self._config.greylist_keep
        return now - seen.first > self._config.greylist_retry


def _key(client: str, reverse_path: Address | None, recipient: Address) -> bytes:
    words = (_network(client), str(reverse_path or "").lower(), str(recipient).lower())
    return blake2b("\0".join(words).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _network(client: str) -> str:
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return client
    address = getattr(address, "ipv4_mapped", None) or address
    bits = _IPV4_BITS if address.version == 4 else _IPV6_BITS
    return str(ip_network(f"{address}/{bits}", strict=False))
