"""
Write locks (RFC 4918 §6, §7), in memory: a restart ends them, as a timeout would.

A lock covers its root and, with Depth infinity, everything below.  Each account's part of the tree has its own bounded
list, so that a question looks at no more than that.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from twisted.internet.interfaces import IReactorTime

from trekd.dav.errors import Fault
from trekd.dav.paths import Location
from trekd.dav.xml.names import dav
from trekd.dav.xml.writing import element, escape, href
from trekd.values import PrincipalId


@dataclass(frozen=True, slots=True)
class Lock:
    """
    One lock.

    @ivar token: a URI (RFC 4918 §6.5).
    @ivar owner: C{DAV:owner} as the client wrote it, '' for none.
    @ivar principal: who took it.
    @ivar expires: on the site's clock, in seconds.
    @ivar is_folder: its root is a collection.
    """

    token: str
    root: Location
    is_folder: bool
    is_deep: bool
    is_exclusive: bool
    owner: str
    principal: PrincipalId
    expires: float

    def covers(self, location: Location) -> bool:
        """Whether a resource is in its scope."""
        return location == self.root or (self.is_deep and location.is_within(self.root))


class LockTable:
    """All locks of the host."""

    def __init__(self, clock: IReactorTime, most: int) -> None:
        """
        @param most: locks in one account's part of the tree.
        """
        self._clock = clock
        self._most = most
        self._areas: dict[tuple[str, ...], dict[str, Lock]] = {}

    def covering(self, location: Location) -> tuple[Lock, ...]:
        """The locks that a resource is under."""
        return tuple(lock for lock in self._area(location) if lock.covers(location))

    def below(self, location: Location) -> tuple[Lock, ...]:
        """The locks whose roots are below a collection."""
        return tuple(
            lock for lock in self._area(location) if lock.root != location and lock.root.is_within(location)
        )

    def seconds_left(self, lock: Lock) -> int:
        """Seconds until a lock ends."""
        return max(0, round(lock.expires - self._clock.seconds()))

    def take(self, lock: Lock, seconds: float) -> Lock:
        """
        Take a lock with a new token.

        @raise Fault: another lock is in its way (RFC 4918 §7), or there are too many.
        """
        rivals = set(self.covering(lock.root))
        if lock.is_deep:
            rivals.update(self.below(lock.root))
        in_the_way = [other for other in rivals if lock.is_exclusive or other.is_exclusive]
        if in_the_way:
            raise Fault(423, dav("no-conflicting-lock"), "It is locked.", _roots(in_the_way))
        area = self._areas.setdefault(_area_key(lock.root), {})
        if len(area) >= self._most:
            raise Fault(503, text="There are too many locks; release some.", headers=((b"retry-after", b"60"),))
        taken = replace(lock, token=uuid.uuid4().urn, expires=self._clock.seconds() + seconds)
        area[taken.token] = taken
        return taken

    def refresh(self, lock: Lock, seconds: float) -> Lock:
        """Let a lock last from now on (RFC 4918 §6.6)."""
        renewed = replace(lock, expires=self._clock.seconds() + seconds)
        self._areas[_area_key(lock.root)][lock.token] = renewed
        return renewed

    def release(self, lock: Lock) -> None:
        """End a lock."""
        self._areas.get(_area_key(lock.root), {}).pop(lock.token, None)

    def forget_within(self, location: Location) -> None:
        """A resource is gone, and its locks with it (RFC 4918 §7.4)."""
        for lock in self._area(location):
            if lock.root.is_within(location):
                self.release(lock)

    def _area(self, location: Location) -> tuple[Lock, ...]:
        """The living locks of the part of the tree in which a location is."""
        key = _area_key(location)
        area = self._areas.get(key)
        if area is None:
            return ()
        now = self._clock.seconds()
        for token in [token for token, lock in area.items() if lock.expires <= now]:
            del area[token]
        if not area:
            del self._areas[key]
        return tuple(area.values())


def _area_key(location: Location) -> tuple[str, ...]:
    return location.segments[:2]


def _roots(locks: Iterable[Lock]) -> bytes:
    return b"".join(href(lock.root.path(lock.is_folder)) for lock in locks)


def require_unlocked(
    table: LockTable,
    location: Location,
    submitted: frozenset[str],
    principal: PrincipalId,
    *,
    is_deep: bool = False,
    changes_parent: bool = False,
) -> None:
    """
    Make sure that a change respects the locks: for one of each scope's locks the token was submitted, by who took it.

    @param submitted: tokens of the If field (RFC 4918 §10.4.1).
    @param is_deep: everything below changes too.
    @param changes_parent: a member is added or removed (RFC 4918 §7.4).
    @raise Fault: 423, with the roots that stand in the way.
    """
    concerned = set(table.covering(location))
    if is_deep:
        concerned.update(table.below(location))
    if changes_parent:
        concerned.update(table.covering(location.parent))
    missing = [lock for lock in concerned if not (lock.token in submitted and lock.principal == principal)]
    held = {lock.root for lock in concerned if lock not in missing}
    # Of several shared locks one is enough.
    missing = [lock for lock in missing if lock.is_exclusive or lock.root not in held]
    if missing:
        raise Fault(423, dav("lock-token-submitted"), "It is locked.", _roots(missing))


def lock_elements(table: LockTable, locks: Iterable[Lock]) -> bytes:
    """C{DAV:activelock} for each (RFC 4918 §14.1)."""
    return b"".join(_active(table, lock) for lock in locks)


def _active(table: LockTable, lock: Lock) -> bytes:
    return element(dav("activelock"), b"".join(_parts(table, lock)))


def _parts(table: LockTable, lock: Lock) -> Iterator[bytes]:
    yield element(dav("locktype"), element(dav("write")))
    yield element(dav("lockscope"), element(dav("exclusive" if lock.is_exclusive else "shared")))
    yield element(dav("depth"), b"infinity" if lock.is_deep else b"0")
    yield lock.owner.encode()
    yield element(dav("timeout"), b"Second-%d" % table.seconds_left(lock))
    yield element(dav("locktoken"), element(dav("href"), escape(lock.token)))
    yield element(dav("lockroot"), href(lock.root.path(lock.is_folder)))
