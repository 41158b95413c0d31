"""
Scheduling objects: a calendar object with an organizer and attendees, and messages about it (RFC 5546, RFC 6638).

A calendar user is known by a C{person}: the mail address in lower case, or the URI as it is written.  Whoever calls
says by which persons somebody is known, since one has several addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from trekd.calendar.contentlines import Component, Property
from trekd.calendar.facts import mail_address
from trekd.calendar.objects import CalendarObject, calendar_object
from trekd.calendar.times import UTC
from trekd.calendar.timing import read_property_moment
from trekd.calendar.zones import ZoneTable
from trekd.errors import CollectionRefused, InvalidCalendarObject, OrganizersDiffer

Key = tuple[int, bool] | None
"""
Which part of an object: C{None} is the master, else RECURRENCE-ID in Unix seconds (a time without zone as in UTC), and
whether it stands for all that follow (RANGE=THISANDFUTURE).
"""

Parts = Mapping[Key, Component]

Persons = frozenset[str]

KINDS = ("VEVENT", "VTODO", "VJOURNAL")
"""Components about which people send messages (RFC 5546 §1.4)."""

REPLIED = "X-TREKMAIL-REPLIED"
"""Parameter of ATTENDEE in the organizer's copy: DTSTAMP of the last reply, so that an older one changes nothing."""

_OWN_PARAMETERS = frozenset(("SCHEDULE-AGENT", "SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND", REPLIED))

PRODUCT = Property("PRODID", "-//TrekMail//EN")


def person(value: str) -> str:
    """Whom a CAL-ADDRESS names."""
    return mail_address(value) or value.strip()


@dataclass(frozen=True, slots=True)
class Scheduled:
    """
    An object, or what a message says of one.

    @ivar calendar: the whole, without METHOD.
    @ivar kind: of its components, in upper case.
    @ivar organizer: a person; C{""}: it is nobody's, and no scheduling object.
    """

    calendar: Component
    kind: str
    uid: str
    organizer: str
    parts: Parts
    zones: ZoneTable

    @property
    def master(self) -> Component | None:
        """The part that is no exception."""
        return self.parts.get(None)

    @property
    def organizer_line(self) -> Property | None:
        """ORGANIZER, as the first part has it that has one."""
        return next((line for part in self.parts.values() if (line := part.first("ORGANIZER"))), None)

    @property
    def attendees(self) -> dict[str, list[Key]]:
        """Who is invited to which parts, in the order they stand."""
        found: dict[str, list[Key]] = {}
        for key, part in self.parts.items():
            for who in dict.fromkeys(person(line.value) for line in part.every("ATTENDEE")):
                found.setdefault(who, []).append(key)
        return found

    def understood(self) -> CalendarObject:
        """
        The object with all its times.

        @raise CollectionRefused: it cannot be stored as it is.
        """
        return calendar_object(self.calendar)

    def with_parts(self, parts: Parts) -> Scheduled:
        """The same with other parts; zones that are not needed any more stay."""
        others = tuple(each for each in self.calendar.components if each.kind != self.kind)
        calendar = replace(self.calendar, components=(*others, *ordered(parts)))
        return replace(self, calendar=calendar, parts=dict(parts))


def ordered(parts: Parts) -> list[Component]:
    """The master, then the others by time."""
    return [parts[key] for key in sorted(parts, key=lambda key: (key is not None, key or (0, False)))]


def read_scheduled(calendar: Component) -> Scheduled:
    """
    Read an object for scheduling.

    @raise InvalidCalendar: a RECURRENCE-ID is no time.
    @raise InvalidCalendarObject: these are not parts of one object, or of one that nobody sends messages about.
    @raise OrganizersDiffer: two parts have different organizers (RFC 6638 §3.2.4.2).
    """
    plain = replace(calendar, properties=tuple(each for each in calendar.properties if not each.is_named("METHOD")))
    zones = ZoneTable(plain)
    inner = [each for each in plain.components if each.kind != "VTIMEZONE"]
    kinds, uids = {each.kind for each in inner}, {each.value("UID").strip() for each in inner}
    if len(kinds) != 1 or len(uids) != 1 or not kinds <= {*KINDS} or "" in uids:
        raise InvalidCalendarObject("not one event or task")
    parts: dict[Key, Component] = {}
    for each in inner:
        key = part_key(each, zones)
        if key in parts:
            raise InvalidCalendarObject("two components for the same time")
        parts[key] = each
    organizers = {person(line.value) for each in inner if (line := each.first("ORGANIZER"))}
    if len(organizers) > 1:
        raise OrganizersDiffer
    return Scheduled(plain, kinds.pop(), uids.pop(), "".join(organizers), parts, zones)


def part_key(part: Component, zones: ZoneTable) -> Key:
    """
    Which part of an object this is.

    @raise InvalidCalendar: its RECURRENCE-ID is no time.
    @raise InvalidCalendarObject: that time is in an unknown zone.
    """
    line = part.first("RECURRENCE-ID")
    if line is None:
        return None
    seconds = read_property_moment(line, zones).seconds(UTC)
    return seconds, (line.parameter("RANGE") or "").upper() == "THISANDFUTURE"


# --- Lines ----------------------------------------------------------------------------------------


def with_parameters(line: Property, values: Mapping[str, str | None]) -> Property:
    """
    A line with other parameters.

    @param values: by name in upper case; C{None} takes one away.
    """
    kept = tuple(each for each in line.parameters if each[0].upper() not in values)
    return replace(line, parameters=(*kept, *((name, (value,)) for name, value in values.items() if value is not None)))


def without(component: Component, *names: str) -> Component:
    """
    A component without some of its properties.

    @param names: in upper case.
    """
    return replace(component, properties=tuple(each for each in component.properties if each.name.upper() not in names))


def with_line(component: Component, line: Property) -> Component:
    """A component with this line instead of all of its name."""
    name = line.name.upper()
    lines = list(component.properties)
    place = next((at for at, each in enumerate(lines) if each.is_named(name)), len(lines))
    kept = [each for each in lines[place:] if not each.is_named(name)]
    return replace(component, properties=(*lines[:place], line, *kept))


def with_people(component: Component, change: Callable[[Property], Property]) -> Component:
    """A component whose ATTENDEE lines are changed."""
    return replace(
        component,
        properties=tuple(change(each) if each.is_named("ATTENDEE") else each for each in component.properties),
    )


def attendee_line(component: Component, who: Persons) -> Property | None:
    """The line of somebody."""
    return next((line for line in component.every("ATTENDEE") if person(line.value) in who), None)


def partstat(line: Property | None) -> str:
    """The participation status (RFC 5545 §3.2.12), in upper case."""
    return ((line.parameter("PARTSTAT") if line else None) or "NEEDS-ACTION").upper()


def agent(line: Property | None) -> str:
    """Who sends messages to this person: C{SERVER}, C{CLIENT} or C{NONE} (RFC 6638 §7.1)."""
    said = ((line.parameter("SCHEDULE-AGENT") if line else None) or "SERVER").upper()
    return said if said in ("SERVER", "CLIENT") else "NONE"


def forced(line: Property | None) -> str:
    """The message that is to be sent in any case (RFC 6638 §7.2), in upper case; C{""} for none."""
    return ((line.parameter("SCHEDULE-FORCE-SEND") if line else None) or "").upper()


def sequence(component: Component) -> int:
    """SEQUENCE, 0 where it says nothing (RFC 5545 §3.8.7.4)."""
    value = component.value("SEQUENCE").strip()
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else 0


def stamp(component: Component) -> str:
    """DTSTAMP in UTC, which sorts as text; C{""} without one."""
    return component.value("DTSTAMP").strip().upper()


def is_cancelled(component: Component) -> bool:
    """Whether it does not take place."""
    return component.value("STATUS").strip().upper() == "CANCELLED"


def published(line: Property) -> Property:
    """A line as others may see it (RFC 6638 §7.1, §7.2, §7.3)."""
    if not any(name.upper() in _OWN_PARAMETERS for name, _ in line.parameters):
        return line
    return replace(line, parameters=tuple(each for each in line.parameters if each[0].upper() not in _OWN_PARAMETERS))


def moments(component: Component, name: str, zones: ZoneTable) -> set[int]:
    """
    The times of EXDATE or RDATE, Unix seconds, of a period its start; what cannot be read is left out.
    """
    found: set[int] = set()
    for line in component.every(name):
        for value in line.value.split(","):
            one = replace(line, value=value.partition("/")[0])
            try:
                found.add(read_property_moment(one, zones).seconds(UTC))
            except CollectionRefused:
                continue
    return found


def people_of(parts: Iterable[Component]) -> Iterator[Property]:
    """All ATTENDEE lines."""
    return (line for part in parts for line in part.every("ATTENDEE"))
