"""
What a change of one item means for scheduling: worked out in a thread, from octets to octets.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass

from trekd.calendar.contentlines import Component, parse, write
from trekd.calendar.facts import ObjectFacts, calendar_facts
from trekd.calendar.itip import Persons, Scheduled, attendee_line, person, read_scheduled
from trekd.calendar.itipattendee import attendee_change
from trekd.calendar.itiporganizer import Change, organizer_change
from trekd.calendar.itipreceived import Received, applied, read_message, replied, with_current_people, with_delivery
from trekd.calendar.itipviews import Outgoing, membership, message, view
from trekd.calendar.objects import KINDS, calendar_object
from trekd.dav.calendars.limits import LIMITS
from trekd.dav.scheduling.journal import Message
from trekd.dav.scheduling.people import PENDING
from trekd.errors import (
    AttendeeChangeRefused,
    CollectionRefused,
    OrganizerChangeRefused,
    OrganizersDiffer,
    SyntaxFault,
    TooManyAttendees,
)
from trekd.store.collections import NewItem, PlainFacts

MEDIA_TYPE = "text/calendar; charset=utf-8"


def new_tag() -> str:
    """A schedule tag that was never given out."""
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What a change comes to.

    @ivar octets: what is to be stored; C{None}: what came.
    @ivar facts: of these.
    @ivar is_scheduling: it is a scheduling object resource (RFC 6638 §3.1), and so C{uid} is taken.
    """

    messages: tuple[Message, ...] = ()
    octets: bytes | None = None
    facts: ObjectFacts | None = None
    is_scheduling: bool = False
    uid: str = ""

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everybody who is sent something, once."""
        return tuple(dict.fromkeys(who for each in self.messages for who in each.recipients))


@dataclass(frozen=True, slots=True)
class Terms:
    """
    How a change is to be judged.

    @ivar own: the owner of the calendar.
    @ivar now: Unix seconds.
    @ivar most: attendees that one object may have.
    @ivar merges: statuses of others are those that are stored (RFC 6638 §3.2.10.1).
    @ivar replies: a removal is told to the organizer (RFC 6638 §8.1).
    """

    own: Persons
    now: int
    most: int
    merges: bool = False
    replies: bool = True


def planned(old: bytes | None, new: bytes | None, terms: Terms) -> Plan:
    """
    Work out a change.

    @param old: what is stored; C{None}: nothing.
    @param new: what is to be stored; C{None}: it is removed.
    @raise CollectionRefused: the change is not possible.
    """
    before = _scheduled(old, terms.own)
    after = None if new is None else _scheduled_required(new, terms)
    if before is not None and after is not None and before.uid == after.uid:
        _require_role(before, after, terms.own)
    elif before is not None and after is not None:
        # Another object in its place: the first one is gone.
        ended, begun = _change(before, None, terms), _change(None, after, terms)
        return _plan(after, Change(begun.found, (*ended.messages, *begun.messages)))
    if before is None and after is None:
        return Plan()
    if before is not None and after is not None and terms.merges:
        after = with_current_people(after, before, terms.own)
    return _plan(after, _change(before, after, terms))


def _scheduled(octets: bytes | None, own: Persons) -> Scheduled | None:
    """A stored object in whose scheduling somebody takes part; C{None} for any other."""
    if octets is None:
        return None
    try:
        found = read_scheduled(parse(octets))
    except (CollectionRefused, SyntaxFault):
        return None
    return found if _takes_part(found, own) else None


def _takes_part(found: Scheduled, own: Persons) -> bool:
    if not found.organizer:
        return False
    return found.organizer in own or any(attendee_line(part, own) for part in found.parts.values())


def _scheduled_required(octets: bytes, terms: Terms) -> Scheduled | None:
    """
    @raise OrganizersDiffer: it names two.
    @raise TooManyAttendees: more people than one object may have.
    """
    try:
        read_scheduled(parse(octets))
    except OrganizersDiffer:
        raise
    except (CollectionRefused, SyntaxFault):
        return None
    found = _scheduled(octets, terms.own)
    if found is not None and len(found.attendees) > terms.most:
        raise TooManyAttendees(terms.most)
    return found


def _require_role(before: Scheduled, after: Scheduled, own: Persons) -> None:
    """
    @raise CollectionRefused: the organizer is somebody else than before.
    """
    if before.organizer != after.organizer and not (before.organizer in own and after.organizer in own):
        raise OrganizerChangeRefused() if before.organizer in own else AttendeeChangeRefused("ORGANIZER")


def _change(before: Scheduled | None, after: Scheduled | None, terms: Terms) -> Change:
    source = after or before
    assert source is not None
    if source.organizer in terms.own:
        return organizer_change(before, after, terms.own, terms.now)
    change = attendee_change(before, after, terms.own, terms.now)
    return change if terms.replies or after is not None else Change(None)


def _plan(after: Scheduled | None, change: Change) -> Plan:
    messages = tuple(map(_message, change.messages))
    if after is None or change.found is None:
        return Plan(messages)
    found = with_delivery(change.found, {who: PENDING for each in messages for who in each.recipients})
    if found.calendar == after.calendar and not messages:
        return Plan(messages, None, None, True, found.uid)
    octets, facts = _written(found.calendar)
    return Plan(messages, octets, facts, True, found.uid)


def _message(outgoing: Outgoing) -> Message:
    return Message(outgoing.method, outgoing.recipients, write(outgoing.calendar))


def _written(calendar: Component, kinds: Collection[str] = KINDS) -> tuple[bytes, ObjectFacts]:
    return write(calendar), calendar_facts(calendar_object(calendar, kinds, LIMITS))


# --- What arrives ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What a message makes of a copy.

    @ivar new: to be stored; its C{schedule_tag} is C{None} where the old one stays.
    """

    new: NewItem


class Spoofed(CollectionRefused):
    """A message about an object that somebody else organizes."""


def received(name: str, stored: bytes | None, octets: bytes, own: Persons) -> Outcome | None:
    """
    Apply a message to what its receiver has.

    @param name: of the item.
    @param stored: C{None}: there is none yet.
    @param own: the receiver.
    @return: C{None} when nothing changes.
    @raise Spoofed: the copy is of another organizer.
    @raise CollectionRefused: what would come out cannot be stored.
    """
    told = read_message(octets)
    copy = None if stored is None else read_scheduled(parse(stored))
    if copy is not None and copy.organizer != told.found.organizer:
        raise Spoofed()
    if told.is_of_organizer:
        return _at_attendee(name, copy, told, own)
    if copy is None or copy.organizer not in own:
        return None
    found = replied(copy, told)
    if found is None:
        return None
    text, facts = _written(found.calendar)
    return Outcome(NewItem(name, text, facts, MEDIA_TYPE))


def _at_attendee(name: str, copy: Scheduled | None, told: Received, own: Persons) -> Outcome | None:
    if told.found.organizer in own or not _takes_part(told.found, own):
        raise Spoofed()
    result = applied(copy, told, own)
    if result is None:
        return None
    text, facts = _written(result.found.calendar)
    return Outcome(NewItem(name, text, facts, MEDIA_TYPE, new_tag() if result.is_consequential else None))


def inbox_item(name: str, octets: bytes) -> NewItem:
    """A message as it is kept in the inbox, where one UID may come several times (RFC 6638 §2.2)."""
    told = read_message(octets)
    try:
        _, facts = _written(told.found.calendar)
    except CollectionRefused:
        return NewItem(name, octets, PlainFacts(told.found.kind), MEDIA_TYPE)
    spans = tuple(facts.spans)
    plain = PlainFacts(facts.component, "", spans, facts.open_from, facts.is_floating, tuple(facts.texts))
    return NewItem(name, octets, plain, MEDIA_TYPE)


def refreshed(stored: bytes, reply: bytes, own: Persons, now: int, most: int) -> tuple[Message, ...]:
    """
    What others are told after somebody has answered (RFC 6638 §4.2), as far as it is worth it.

    @param most: attendees up to which they are told.
    """
    found = read_scheduled(parse(stored))
    groups = membership(found)
    line = read_message(reply).respondent
    respondent = person(line.value) if line else ""
    if len(groups) > most:
        return ()
    return tuple(
        Message("REQUEST", (who,), write(message(found, "REQUEST", view(found, keys), now)))
        for who, keys in groups.items()
        if who not in own and who != respondent
    )


def with_statuses(name: str, stored: bytes, statuses: dict[str, str]) -> NewItem | None:
    """A stored object that tells what became of its messages; C{None}: it does so already."""
    found = read_scheduled(parse(stored))
    after = with_delivery(found, statuses)
    if after.calendar == found.calendar:
        return None
    octets, facts = _written(after.calendar)
    return NewItem(name, octets, facts, MEDIA_TYPE)
