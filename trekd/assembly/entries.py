"""
What entries of calendars and address books are, for those who import and export them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from trekd.calendar.collection import Joiner
from trekd.calendar.contentlines import Property, escape
from trekd.calendar.vcard import card_facts, read_card
from trekd.dav.calendars.answers import understood
from trekd.dav.calendars.storing import MEDIA_TYPE, read_object, supported
from trekd.dav.contacts.books import media_type
from trekd.dav.defaults import make_first_collections
from trekd.dav.xml import reading
from trekd.dav.xml.names import dav
from trekd.store.collections import CollectionKind, CollectionState, ItemFacts
from trekd.web.entries import EntryKind, EntryRules


def _title(state: CollectionState) -> str:
    kept = state.properties.get(dav("displayname"))
    return reading.text(reading.parse(kept.encode())) if kept else ""


def _read_event(octets: bytes, state: CollectionState) -> tuple[ItemFacts, str]:
    return read_object(octets, supported(state)), MEDIA_TYPE


def _read_card(octets: bytes, state: CollectionState) -> tuple[ItemFacts, str]:
    card = read_card(octets)
    return card_facts(card), media_type(card.version)


class _Events:
    """One iCalendar object of many; see L{trekd.web.entries.Joiner}."""

    def __init__(self, state: CollectionState) -> None:
        self._joiner = Joiner()
        self._title = _title(state)

    def head(self) -> bytes:
        """Version, product and the calendar's name."""
        named = (Property("X-WR-CALNAME", escape(self._title)),) if self._title else ()
        return self._joiner.head((Property("PRODID", "-//TrekMail//EN"), *named))

    def add(self, entries: Sequence[bytes]) -> bytes:
        """Their components, and the zones that are new."""
        found = map(understood, entries)
        return b"".join(self._joiner.inside(each.calendar) for each in found if each is not None)

    def tail(self) -> bytes:
        """The end of the object."""
        return self._joiner.tail


class _Cards:
    """Cards one after the other; see L{trekd.web.entries.Joiner}."""

    def __init__(self, state: CollectionState) -> None:
        pass

    def head(self) -> bytes:
        """Nothing."""
        return b""

    def add(self, entries: Sequence[bytes]) -> bytes:
        """As they are stored."""
        return b"".join(octets if octets.endswith(b"\n") else octets + b"\r\n" for octets in entries)

    def tail(self) -> bytes:
        """Nothing."""
        return b""


def entry_rules(off_reactor: Callable[..., Awaitable[Any]]) -> EntryRules:
    """
    For the operations of C{trekctl}.

    @param off_reactor: calls a function in a thread.
    """
    calendars = EntryKind(CollectionKind.CALENDAR, "calendar", ".ics", _title, _read_event, _Events)
    contacts = EntryKind(CollectionKind.ADDRESS_BOOK, "contacts", ".vcf", _title, _read_card, _Cards)
    return EntryRules({"calendars": calendars, "contacts": contacts}, make_first_collections, off_reactor)
