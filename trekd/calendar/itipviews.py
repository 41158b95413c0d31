"""
What others get to see of an object: an attendee's view, and messages made of it (RFC 5546 §3.2, RFC 6638 §3.2.6).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from trekd.calendar.contentlines import Component, Property
from trekd.calendar.itip import (
    PRODUCT,
    Key,
    Parts,
    Persons,
    Scheduled,
    agent,
    attendee_line,
    ordered,
    person,
    published,
    sequence,
    with_line,
    with_people,
    without,
)
from trekd.calendar.objects import CalendarObject
from trekd.calendar.recurrence import Instance, instances
from trekd.calendar.times import UTC, Moment, Window, utc_value
from trekd.errors import CollectionRefused

METHODS = ("REQUEST", "REPLY", "CANCEL", "ADD", "COUNTER", "DECLINECOUNTER", "REFRESH")
"""What one sends to another (RFC 5546 §1.4); PUBLISH is for everybody."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """
    A message to be sent.

    @ivar recipients: persons, each once.
    @ivar calendar: with METHOD.
    """

    method: str
    recipients: tuple[str, ...]
    calendar: Component


def membership(found: Scheduled, agents: Iterable[str] = ("SERVER",)) -> dict[str, tuple[Key, ...]]:
    """
    Who is invited to which parts, in the order they stand.

    @param agents: of those whom messages reach that way (RFC 6638 §7.1).
    """
    keys: dict[str, dict[Key, None]] = {}
    for key, part in found.parts.items():
        for line in part.every("ATTENDEE"):
            if agent(line) in agents:
                keys.setdefault(person(line.value), {})[key] = None
    return {who: tuple(each) for who, each in keys.items()}


def view(found: Scheduled, keys: Iterable[Key]) -> Parts:
    """
    The parts that somebody is invited to, with EXDATE in the master for the others (RFC 6638 §3.2.6).
    """
    seen = set(keys)
    parts = {key: public(found.parts[key]) for key in found.parts if key in seen}
    if None in parts:
        lines = [excluding(each) for key, each in found.parts.items() if key not in seen]
        master = parts[None]
        parts[None] = replace(master, properties=(*master.properties, *(line for line in lines if line)))
    return parts


def excluding(override: Component) -> Property | None:
    """EXDATE for the time that a part stands for."""
    line = override.first("RECURRENCE-ID")
    if line is None:
        return None
    return Property("EXDATE", line.value, tuple(each for each in line.parameters if each[0].upper() != "RANGE"))


def public(part: Component) -> Component:
    """A part without what is its owner's alone: alarms, and how messages are sent."""
    return replace(
        part,
        properties=tuple(
            published(line) if line.is_named("ATTENDEE") or line.is_named("ORGANIZER") else line
            for line in part.properties
        ),
        components=tuple(each for each in part.components if each.kind != "VALARM"),
    )


def message(found: Scheduled, method: str, parts: Parts, now: int) -> Component:
    """
    A whole iCalendar object of some parts, stamped now.

    @param now: Unix seconds.
    """
    dtstamp = Property("DTSTAMP", utc_value(now))
    stamped = tuple(with_line(part, dtstamp) for part in ordered(parts))
    needed = {line.parameter("TZID") for part in stamped for line in part.properties if line.parameters}
    zones = tuple(each for each in found.calendar.inside("VTIMEZONE") if each.value("TZID") in needed)
    head = (Property("VERSION", "2.0"), PRODUCT, Property("METHOD", method))
    return Component("VCALENDAR", head, (*zones, *stamped))


def cancelled(part: Component, number: int) -> Component:
    """
    A part as CANCEL tells of it (RFC 5546 §3.2.5).

    @param number: SEQUENCE.
    """
    names = ("DTSTART", "DTEND", "DUE", "DURATION", "SUMMARY", "LOCATION", "UID", "ORGANIZER", "ATTENDEE", "RRULE")
    kept = tuple(line for line in public(part).properties if line.name.upper() in (*names, "RECURRENCE-ID", "EXDATE"))
    shown = Component(part.name, kept)
    return with_line(with_line(shown, Property("SEQUENCE", str(number))), Property("STATUS", "CANCELLED"))


def response(part: Component, own: Persons, status: str | None = None) -> Component:
    """
    A part as REPLY answers it (RFC 5546 §3.2.3).

    @param status: PARTSTAT; C{None} is the one that the part has.
    """
    names = ("DTSTART", "DTEND", "DUE", "DURATION", "SUMMARY", "LOCATION", "UID", "ORGANIZER", "SEQUENCE", "COMMENT")
    shown = public(part)
    line = attendee_line(shown, own)
    lines = [each for each in shown.properties if each.name.upper() in (*names, "RECURRENCE-ID")]
    if line is not None:
        kept = tuple(each for each in line.parameters if each[0].upper() != "RSVP")
        if status is not None:
            kept = (*(each for each in kept if each[0].upper() != "PARTSTAT"), ("PARTSTAT", (status,)))
        lines.append(replace(line, parameters=kept))
    lines.append(Property("REQUEST-STATUS", "2.0;Success"))
    return Component(part.name, tuple(lines))


# --- Instances ------------------------------------------------------------------------------------


MOST_LOOKUPS = 300
"""Instances that one message or change may name beside those that have a part of their own already."""


class Occurrences:
    """The instances of an object, looked up one by one."""

    def __init__(self, found: Scheduled) -> None:
        self._found = found
        self._understood: CalendarObject | None = None
        self._left = MOST_LOOKUPS

    def at(self, seconds: int) -> Component | None:
        """
        An instance of a recurring master as a part of its own; C{None} when it does not take place then, has a part
        already, or too many were looked up.

        @param seconds: of its RECURRENCE-ID.
        """
        if self._found.master is None or self._left <= 0:
            return None
        self._left -= 1
        try:
            if self._understood is None:
                self._understood = self._found.understood()
            for each in instances(self._understood, Window(seconds - 86400, seconds + 86400), UTC):
                if each.recurrence_id is not None and each.recurrence_id.seconds(UTC) == seconds:
                    return _part_of(each, self._found) if each.timing.recurrence_id != each.recurrence_id else None
        except CollectionRefused:
            self._left = 0
        return None


_OF_SERIES = ("RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID")


def _part_of(each: Instance, found: Scheduled) -> Component:
    base, start, rid = each.timing.component, each.moment, each.recurrence_id
    assert start is not None and rid is not None
    part = without(base, *_OF_SERIES)
    old = part.first("DTSTART")
    assert old is not None
    part = with_line(part, replace(old, value=start.value))
    for name, end in (("DTEND", each.timing.end), ("DUE", each.timing.end)):
        line = part.first(name)
        if line is not None and end is not None:
            part = with_line(part, replace(line, value=_at(end, each.end).value))
    master = found.master
    named = master.first("DTSTART") if master else None
    line = Property("RECURRENCE-ID", rid.value, named.parameters if named else old.parameters)
    return with_line(part, line)


def _at(pattern: Moment, seconds: int) -> Moment:
    """An instant, said as C{pattern} is."""
    return pattern.at((pattern.zone or UTC).local(seconds))


def with_status(part: Component, who: Persons, status: str) -> Component:
    """A part where somebody takes part like this."""

    def change(line: Property) -> Property:
        if person(line.value) not in who:
            return line
        kept = tuple(each for each in line.parameters if each[0].upper() != "PARTSTAT")
        return replace(line, parameters=(*kept, ("PARTSTAT", (status,))))

    return with_people(part, change)


def raised(part: Component, least: int) -> Component:
    """A part whose SEQUENCE is at least this."""
    if sequence(part) >= least:
        return part
    return with_line(part, Property("SEQUENCE", str(least)))
