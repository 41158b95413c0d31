"""
Messages that arrive: what they make of the receiver's copy (RFC 5546 §3.2, RFC 6638 §4).

An old message never overwrites a newer one: parts are compared by SEQUENCE, then DTSTAMP (RFC 5546 §2.1.5).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from trekd.calendar.contentlines import TREE_LIMITS, Component, Property, TreeLimits, parse
from trekd.calendar.itip import (
    REPLIED,
    Key,
    Persons,
    Scheduled,
    attendee_line,
    is_cancelled,
    moments,
    partstat,
    person,
    read_scheduled,
    sequence,
    stamp,
    with_line,
    with_parameters,
    with_people,
    without,
)
from trekd.calendar.itiporganizer import essence
from trekd.calendar.itipviews import METHODS, Occurrences, excluding, public
from trekd.errors import InvalidCalendar, InvalidCalendarObject, SyntaxFault


@dataclass(frozen=True, slots=True)
class Received:
    """
    A message.

    @ivar method: in upper case, one of L{METHODS}.
    """

    method: str
    found: Scheduled

    @property
    def is_of_organizer(self) -> bool:
        """Whether the organizer alone may send it; an attendee sends the others."""
        return self.method in ("REQUEST", "CANCEL", "ADD", "DECLINECOUNTER")

    @property
    def respondent(self) -> Property | None:
        """Who answers: the one ATTENDEE of a message from an attendee; C{None} when there is not exactly one."""
        lines = [line for part in self.found.parts.values() for line in part.every("ATTENDEE")]
        return lines[0] if len({person(line.value) for line in lines}) == 1 else None


@dataclass(frozen=True, slots=True)
class Applied:
    """
    What a message makes of a copy.

    @ivar found: to be stored.
    @ivar is_consequential: more than the statuses of attendees is different (RFC 6638 §3.2.10).
    """

    found: Scheduled
    is_consequential: bool = True


def read_message(octets: bytes, limits: TreeLimits = TREE_LIMITS) -> Received:
    """
    Read a message.

    @raise InvalidCalendar: it is no iCalendar.
    @raise InvalidCalendarObject: it is no scheduling message.
    @raise OrganizersDiffer: it has two organizers.
    """
    try:
        calendar = parse(octets, limits)
    except SyntaxFault as fault:
        raise InvalidCalendar(str(fault)) from None
    method = calendar.value("METHOD").strip().upper()
    if calendar.kind != "VCALENDAR" or method not in METHODS:
        raise InvalidCalendarObject("METHOD")
    # The instances that ADD brings have no RECURRENCE-ID; each is a part by its start (RFC 5546 §3.2.4).
    named = replace(calendar, components=tuple(map(_named, calendar.components))) if method == "ADD" else calendar
    found = read_scheduled(named)
    if not found.organizer:
        raise InvalidCalendarObject("no ORGANIZER")
    return Received(method, found)


def _named(part: Component) -> Component:
    start = part.first("DTSTART")
    if part.kind == "VTIMEZONE" or start is None or part.first("RECURRENCE-ID"):
        return part
    return with_line(part, replace(start, name="RECURRENCE-ID"))


def is_newer(part: Component, known: Component) -> bool:
    """
    Whether a part of a message says more than the one that is known (RFC 5546 §2.1.5).

    What was cancelled and is sent again later is new, whatever its SEQUENCE: some organizers begin again at 0.
    """
    if is_cancelled(known) and not is_cancelled(part) and stamp(part) > stamp(known):
        return True
    return (sequence(part), stamp(part)) >= (sequence(known), stamp(known))


# --- At an attendee -------------------------------------------------------------------------------


def applied(copy: Scheduled | None, message: Received, own: Persons) -> Applied | None:
    """
    Apply an organizer's REQUEST, ADD or CANCEL to an attendee's copy.

    @param copy: C{None}: there is none yet.
    @param own: the attendee.
    @return: C{None} when there is nothing to change: the message is old, or about nothing that is known.
    """
    if message.method == "CANCEL":
        return None if copy is None else _cancelled(copy, message.found)
    if message.method not in ("REQUEST", "ADD"):
        return None
    if copy is None:
        return Applied(_new(message.found)) if message.method == "REQUEST" else None
    if message.method == "REQUEST" and message.found.master is not None:
        return _replaced(copy, message.found, own)
    return _merged(copy, message.found)


def _new(found: Scheduled) -> Scheduled:
    return found.with_parts({key: public(part) for key, part in found.parts.items()})


def _replaced(copy: Scheduled, found: Scheduled, own: Persons) -> Applied | None:
    """The whole object is told again."""
    assert found.master is not None
    if copy.master is not None and not is_newer(found.master, copy.master):
        return None
    parts: dict[Key, Component] = {}
    hidden = moments(copy.master, "EXDATE", copy.zones) if copy.master else set()
    excluded: list[Property] = []
    for key, part in found.parts.items():
        known = copy.parts.get(key)
        if known is not None and not is_newer(part, known):
            parts[key] = known
            continue
        if key is not None and key[0] in hidden and partstat(attendee_line(part, own)) == "DECLINED":
            line = excluding(part)
            excluded += [line] if line else []
            continue
        parts[key] = _with_own(public(part), known)
    master = parts[None]
    parts[None] = replace(master, properties=(*master.properties, *excluded))
    return _outcome(copy, found.with_parts(parts))


def _with_own(part: Component, known: Component | None) -> Component:
    """A part with what the attendee has set for itself: alarms, whether it takes time."""
    if known is None:
        return part
    alarms = tuple(known.inside("VALARM"))
    line = known.first("TRANSP")
    made = replace(part, components=(*part.components, *alarms))
    return with_line(made, line) if line is not None else made


def _merged(copy: Scheduled, found: Scheduled) -> Applied | None:
    """Some instances are told."""
    parts = dict(copy.parts)
    occurrences = Occurrences(copy)
    changed = False
    for key, part in found.parts.items():
        known = copy.parts.get(key)
        if known is not None and not is_newer(part, known):
            continue
        changed = True
        parts[key] = _with_own(public(part), known)
        if key is not None and None in parts and not (known or occurrences.at(key[0])):
            parts[None] = _including(parts[None], part, key[0], copy)
    if not changed:
        return None
    zones = {each.value("TZID") for each in copy.calendar.inside("VTIMEZONE")}
    more = tuple(each for each in found.calendar.inside("VTIMEZONE") if each.value("TZID") not in zones)
    calendar = replace(copy.calendar, components=(*more, *copy.calendar.components))
    return _outcome(copy, replace(copy, calendar=calendar).with_parts(parts))


def _including(master: Component, part: Component, seconds: int, copy: Scheduled) -> Component:
    """A master whose set has a time: its EXDATE goes, else RDATE comes."""
    line = part.first("RECURRENCE-ID")
    assert line is not None
    if seconds not in moments(master, "EXDATE", copy.zones):
        kept = tuple(each for each in line.parameters if each[0].upper() != "RANGE")
        return replace(master, properties=(*master.properties, Property("RDATE", line.value, kept)))
    lines: list[Property] = []
    for each in master.properties:
        if not each.is_named("EXDATE"):
            lines.append(each)
            continue
        values = [value for value in each.value.split(",") if seconds not in _one(each, value, copy)]
        lines += [replace(each, value=",".join(values))] if values else []
    return replace(master, properties=tuple(lines))


def _one(line: Property, value: str, copy: Scheduled) -> set[int]:
    return moments(Component("VEVENT", (replace(line, value=value),)), "EXDATE", copy.zones)


def _cancelled(copy: Scheduled, found: Scheduled) -> Applied | None:
    """All of it, or some instances, do not take place (RFC 5546 §3.2.5)."""
    parts = dict(copy.parts)
    occurrences = Occurrences(copy)
    changed = False
    for key, part in found.parts.items():
        if key is None:
            known = copy.master or next(iter(copy.parts.values()))
            if is_newer(part, known):
                parts = {each: _ended(old, part) for each, old in parts.items()}
                changed = True
            continue
        target = copy.parts.get(key) or occurrences.at(key[0])
        if target is None or not is_newer(part, target):
            continue
        line = part.first("RECURRENCE-ID")
        if key not in copy.parts and line is not None:
            target = with_line(target, line)
        parts[key] = _ended(target, part)
        changed = True
    return _outcome(copy, copy.with_parts(parts)) if changed else None


def _ended(part: Component, told: Component) -> Component:
    ended = with_line(part, Property("STATUS", "CANCELLED"))
    ended = with_line(ended, Property("SEQUENCE", str(max(sequence(part), sequence(told)))))
    line = told.first("DTSTAMP")
    return with_line(ended, line) if line is not None else ended


def _outcome(before: Scheduled, after: Scheduled) -> Applied | None:
    if before.parts == after.parts:
        return None
    same = set(before.parts) == set(after.parts) and all(
        essence(part) == essence(after.parts[key]) for key, part in before.parts.items()
    )
    return Applied(after, not same)


# --- At the organizer -----------------------------------------------------------------------------


def replied(copy: Scheduled, message: Received) -> Scheduled | None:
    """
    Apply an attendee's REPLY to the organizer's copy (RFC 5546 §3.2.3, RFC 6638 §4.2).

    Who was not invited is not entered; the message in the inbox tells of it.

    @return: C{None} when there is nothing to change.
    """
    line = message.respondent
    if message.method != "REPLY" or line is None:
        return None
    who = frozenset((person(line.value),))
    parts = dict(copy.parts)
    occurrences = Occurrences(copy)
    for key, part in message.found.parts.items():
        known = parts.get(key)
        if known is None and key is not None:
            known = occurrences.at(key[0])
            rid = part.first("RECURRENCE-ID")
            if known is not None and key[1] and rid is not None:
                known = with_line(known, rid)
        if known is None or attendee_line(known, who) is None or not _answers(part, known, who):
            continue
        parts[key] = _answered(known, part, who)
        if key is None:
            parts.update(_open_ones(copy, message.found, part, who))
    return None if parts == copy.parts else copy.with_parts(parts)


def _open_ones(copy: Scheduled, told: Scheduled, part: Component, who: Persons) -> Iterator[tuple[Key, Component]]:
    """Exceptions that wait for an answer have it from one to the whole series."""
    for key, known in copy.parts.items():
        line = attendee_line(known, who)
        if key is None or key in told.parts or line is None:
            continue
        if partstat(line) == "NEEDS-ACTION" and _answers(part, known, who):
            yield key, _answered(known, part, who)


def _answers(part: Component, known: Component, who: Persons) -> bool:
    """Whether an answer is about what is asked now, and no older than the last one."""
    line = attendee_line(known, who)
    last = (line.parameter(REPLIED) if line else None) or ""
    return sequence(part) >= sequence(known) and stamp(part) >= last


def _answered(known: Component, part: Component, who: Persons) -> Component:
    said = attendee_line(part, who)
    assert said is not None
    statuses = ",".join(line.value.split(";")[0].strip() for line in part.every("REQUEST-STATUS"))
    values: dict[str, str | None] = {
        "PARTSTAT": partstat(said),
        "SCHEDULE-STATUS": statuses[:100] or "2.0",
        REPLIED: stamp(part)[:20] or None,
    }
    for name in ("DELEGATED-TO", "DELEGATED-FROM"):
        if said.parameter(name):
            values[name] = said.parameter(name)

    def change(line: Property) -> Property:
        return with_parameters(line, values) if person(line.value) in who else line

    return without(with_people(known, change), "REQUEST-STATUS")


# --- Merging --------------------------------------------------------------------------------------


def with_current_people(new: Scheduled, current: Scheduled, own: Persons) -> Scheduled:
    """
    What somebody stores, with what became of others meanwhile (RFC 6638 §3.2.10.1).

    @param own: whose copy it is; what is said about these is theirs.
    """
    parts: dict[Key, Component] = {}
    for key, part in new.parts.items():
        known = current.parts.get(key)
        parts[key] = with_people(part, lambda line: _current(line, known, own)) if known else part  # noqa: B023
    return new.with_parts(parts)


def _current(line: Property, known: Component, own: Persons) -> Property:
    who = person(line.value)
    was = attendee_line(known, frozenset((who,)))
    if who in own or was is None:
        return line
    return with_parameters(line, {name: was.parameter(name) for name in ("PARTSTAT", "SCHEDULE-STATUS", REPLIED)})


def with_delivery(found: Scheduled, statuses: dict[str, str]) -> Scheduled:
    """
    An object that tells what became of messages (RFC 6638 §3.2.9).

    @param statuses: by person: of attendees, or of the organizer.
    """

    def change(line: Property) -> Property:
        status = statuses.get(person(line.value))
        return line if status is None else with_parameters(line, {"SCHEDULE-STATUS": status})

    if found.organizer not in statuses:
        return found.with_parts({key: with_people(part, change) for key, part in found.parts.items()})
    parts: dict[Key, Component] = {}
    for key, part in found.parts.items():
        line = part.first("ORGANIZER")
        parts[key] = part if line is None else with_line(part, change(line))
    return found.with_parts(parts)

