"""
Delivery of a message to an account of this host: its copy changes, then the message is in its inbox (RFC 6638 §4).

Messages of others change an account's calendars whatever rights it gave them there; what they can do is what
L{trekd.calendar} makes of a message, and only to objects of which they are the organizer or an attendee.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.logger import Logger

from trekd.calendar.itip import Persons
from trekd.calendar.itipreceived import Received, read_message
from trekd.dav.defaults import make_first_collections
from trekd.dav.scheduling.people import DELIVERED, FAILED, NO_WAY, REJECTED
from trekd.dav.scheduling.places import calendars_of, default_calendar, inbox_state, make_inbox
from trekd.dav.scheduling.planning import Outcome, Spoofed, inbox_item, received
from trekd.errors import CollectionRefused, ConditionFailed, NoSuchItem, TrekError, UIDTaken, Unavailable
from trekd.store.collections import CollectionId, Condition, ICollections, ItemState

log = Logger()

TRIES = 5
"""Times that a change is worked out anew because somebody else was faster."""

OffReactor = Callable[..., Awaitable[Any]]


class NoCalendar(CollectionRefused):
    """The account has no calendar that takes such entries."""


class Delivery:
    """
    One message for one account.

    @param own: by what the account is known.
    @param is_quiet: the inbox does not show it.
    """

    def __init__(self, shelf: ICollections, own: Persons, off_reactor: OffReactor, is_quiet: bool = False) -> None:
        self._shelf = shelf
        self._own = own
        self._off_reactor = off_reactor
        self._is_quiet = is_quiet
        self.changed: tuple[CollectionId, str] | None = None

    async def deliver(self, octets: bytes) -> str:
        """
        Deliver; durable when this returns, and the copy's place is C{changed} where it changed.

        @return: SCHEDULE-STATUS; never raises but for a fault of ours.
        """
        try:
            told: Received = await self._off_reactor(read_message, octets)
            is_known = await self._apply(told, octets)
            if is_known and not self._is_quiet:
                await self._show(told, octets)
        except (Spoofed, NoCalendar):
            return REJECTED
        except Unavailable:
            return FAILED
        except (ConditionFailed, UIDTaken):
            return FAILED
        except TrekError as error:
            log.info("message not delivered: {error}", principal=self._shelf.principal, error=type(error).__name__)
            return NO_WAY
        return DELIVERED

    async def _apply(self, told: Received, octets: bytes) -> bool:
        """
        Change the copy.

        @return: whether the account hears of the message: it has a copy, or gets one.
        """
        await make_first_collections(self._shelf)
        for attempt in range(TRIES):
            place, state, stored = await self._copy(told)
            name = state.name if state is not None else _name_for(told.found.uid)
            outcome: Outcome | None = await self._off_reactor(received, name, stored, octets, self._own)
            if outcome is None:
                return state is not None
            when = Condition(is_absent=True) if state is None else Condition(etags=(state.etag,))
            try:
                await self._shelf.put(place, outcome.new, when)
            except (ConditionFailed, UIDTaken, NoSuchItem):
                if attempt == TRIES - 1:
                    raise
                continue
            self.changed = (place, name)
            return True
        return False

    async def _copy(self, told: Received) -> tuple[CollectionId, ItemState | None, bytes | None]:
        """
        The account's copy, or where a new one goes.

        @raise NoCalendar: nowhere.
        """
        for place, state in await self._shelf.scheduled(told.found.uid):
            found = await self._shelf.contents(place, (state.name,))
            if found:
                return place, found[0][0], found[0][1]
        states = await self._shelf.collections()
        inbox = inbox_state(states)
        properties = inbox.properties if inbox is not None else {}
        calendar = default_calendar(properties, calendars_of(states), told.found.kind)
        if calendar is None:
            raise NoCalendar()
        return calendar.id, None, None

    async def _show(self, told: Received, octets: bytes) -> None:
        """Put the message into the inbox; one that says more than an earlier one takes its place."""
        inbox = inbox_state(await self._shelf.collections()) or await make_inbox(self._shelf)
        line = None if told.is_of_organizer else told.respondent
        about = f"{told.method}\n{told.found.uid}\n{line.value if line else ''}"
        name = hashlib.sha256(about.encode()).hexdigest()[:40] + ".ics"
        await self._shelf.put(inbox.id, await self._off_reactor(inbox_item, name, octets))


def _name_for(uid: str) -> str:
    """A name for a new copy; UIDs are whatever others make of them."""
    return hashlib.sha256(uid.encode("utf-8", "replace")).hexdigest()[:40] + ".ics"
