"""
Lanes: copies that share their way out, and with it their concurrency and their troubles.

A lane's window is how many of its messages may be on their way at once.  It begins with 2, grows by one for each round
that succeeds, and is halved when the server cannot be reached.  After three such failures in a row the lane rests, and
then one message alone tries the way again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from trekd.queue.entries import LOCAL_LANE
from trekd.queue.interfaces import Entry, LaneState
from trekd.queue.schedule import Schedule

FIRST_WINDOW = 2.0

FAILURES = 3
"""Times in a row that a server cannot be reached before its lane rests."""

LOCAL_WINDOW = 8.0

Group = tuple[Entry, ...]
"""Recipients of one message in one lane."""


@dataclass(slots=True)
class Lane:
    """
    One lane with something in it.

    @ivar window: how many messages may be on their way.
    @ivar active: those that are.
    @ivar failures: times in a row that the server could not be reached.
    @ivar probes: those after which the lane rested.
    @ivar rests_until: Unix seconds.
    @ivar closed: why nothing can be sent until its owner has changed something; C{""} when it can.
    @ivar since: Unix seconds since when it is closed or its server cannot be reached, 0 when neither.
    @ivar last_failed: Unix seconds of the last time that it could not.
    @ivar told: accounts that know it.
    @ivar is_holding: what came meanwhile is being held; C{has_more_to_hold}: and more came since.
    @ivar next_due: when more than what was taken is due; C{None} for never.
    @ivar new: what arrived just now and is due, kept from the spool's own way because the lane has room for it.
    @ivar ready: groups taken from the spool, due now.
    @ivar claimed: numbers of the entries taken and not yet settled.
    """

    name: str
    most: int
    window: float = FIRST_WINDOW
    active: int = 0
    failures: int = 0
    probes: int = 0
    rests_until: float = 0.0
    closed: str = ""
    last_failure: str = ""
    since: float = 0.0
    last_failed: float = 0.0
    told: set[str] = field(default_factory=set)
    is_holding: bool = False
    has_more_to_hold: bool = False
    next_due: float | None = None
    new: deque[Entry] = field(default_factory=deque)
    ready: deque[Group] = field(default_factory=deque)
    claimed: set[int] = field(default_factory=set)

    @property
    def is_local(self) -> bool:
        """Whether it leads into mailboxes here."""
        return self.name == LOCAL_LANE

    @property
    def is_troubled(self) -> bool:
        """Whether what waits there waits because of the lane."""
        return bool(self.closed) or self.failures >= FAILURES

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known to wait or to be under way."""
        return not (self.active or self.ready or self.claimed) and self.next_due is None

    @property
    def is_idle(self) -> bool:
        """Whether nothing would be forgotten with it."""
        return self.is_empty and not self.failures and not self.closed

    def state(self, now: float) -> LaneState:
        """What administrators see of it."""
        rests = self.rests_until if self.rests_until > now else 0.0
        return LaneState(
            self.name, int(self.window), self.active, self.closed, rests, self.last_failure, self.since
        )

    def has_room(self, now: float) -> bool:
        """Whether one more message may go."""
        if self.closed or self.rests_until > now:
            return False
        return self.active < (1 if self.is_troubled else int(self.window))

    def takes_new(self, now: float) -> bool:
        """Whether what arrives can go at once, because nothing that came before it waits and there is room."""
        if self.closed or self.is_troubled or self.rests_until > now:
            return False
        if self.next_due is not None and self.next_due <= now:
            return False
        return self.active + len(self.ready) + len(self.new) < int(self.window)

    def succeeded(self) -> None:
        """The server was reached."""
        self.failures = self.probes = 0
        self.rests_until = 0.0
        self.last_failure = ""
        if not self.closed:
            self.since = 0.0
        self.window = min(float(self.most), self.window + 1.0 / self.window)

    def failed(self, why: str, schedule: Schedule, now: float) -> bool:
        """
        The server could not be reached.

        @return: whether the lane begins to rest.
        """
        self.failures += 1
        self.since = self.since or now
        self.last_failed = now
        self.last_failure = why
        self.window = max(1.0, self.window / 2.0)
        if self.failures < FAILURES or self.rests_until > now:
            return False
        self.probes += 1
        self.rests_until = now + schedule.rest(self.probes)
        return True

    def reopen(self) -> None:
        """Whatever was wrong may be right now."""
        self.closed = self.last_failure = ""
        self.failures = self.probes = 0
        self.rests_until = self.since = 0.0
        self.told.clear()

    def release_ready(self) -> None:
        """What was taken and has not begun goes back."""
        for group in self.ready:
            self.claimed.difference_update(entry.number for entry in group)
        self.claimed.difference_update(entry.number for entry in self.new)
        self.ready.clear()
        self.new.clear()


def grouped(entries: tuple[Entry, ...], most: int) -> list[Group]:
    """Entries by message, in order, at most so many together."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.message, []).append(entry)
    return [tuple(whole[first : first + most]) for whole in groups.values() for first in range(0, len(whole), most)]
