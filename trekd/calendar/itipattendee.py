"""
What an attendee's change of a copy comes to: is it allowed, and what the organizer is told (RFC 6638 §3.2.2).
"""

from __future__ import annotations

from collections.abc import Mapping

from trekd.calendar.contentlines import Component, Property
from trekd.calendar.itip import (
    Key,
    Persons,
    Scheduled,
    agent,
    attendee_line,
    forced,
    is_cancelled,
    moments,
    partstat,
    person,
    with_line,
    with_parameters,
    with_people,
)
from trekd.calendar.itiporganizer import UNKNOWN_FORCE, Change
from trekd.calendar.itipviews import Occurrences, Outgoing, message, response
from trekd.errors import AttendeeChangeRefused

_FIXED = ("DTSTART", "DTEND", "DUE", "DURATION", "RRULE", "RDATE", "SUMMARY", "LOCATION", "ORGANIZER")
"""What the organizer alone decides.  Others of its properties are not looked at: programs rewrite them."""


def attendee_change(old: Scheduled | None, new: Scheduled | None, own: Persons, now: int) -> Change:
    """
    Judge and complete an attendee's change.

    @param old: C{None} makes a new copy; C{new}: C{None} removes it, which declines.
    @param own: the attendee.
    @param now: Unix seconds.
    @raise AttendeeChangeRefused: it changes what is the organizer's.
    """
    source = new or old
    assert source is not None
    line = source.organizer_line
    if agent(line) != "SERVER":
        return Change(new)
    if new is None:
        assert old is not None
        return Change(None, _reply(old, _declined(old, own), now))
    if old is not None:
        _require_allowed(old, new)
    is_forced = forced(line) == "REPLY"
    answers = _answers(old, new, own, is_forced)
    return Change(_completed(old, new, own), _reply(new, answers, now))


def _reply(found: Scheduled, answers: Mapping[Key, Component], now: int) -> tuple[Outgoing, ...]:
    if not answers:
        return ()
    return (Outgoing("REPLY", (found.organizer,), message(found, "REPLY", answers, now)),)


def _declined(old: Scheduled, own: Persons) -> dict[Key, Component]:
    """What a removed copy declines; nothing of what is cancelled, or declined already (RFC 6638 §3.2.2.4)."""
    return {
        key: response(part, own, "DECLINED")
        for key, part in old.parts.items()
        if (line := attendee_line(part, own)) is not None
        and partstat(line) != "DECLINED"
        and not is_cancelled(part)
        and not (key is not None and old.master is not None and is_cancelled(old.master))
    }


def _answers(old: Scheduled | None, new: Scheduled, own: Persons, is_forced: bool) -> dict[Key, Component]:
    """The parts whose status changed, and instances that were taken out (RFC 6638 §3.2.2.3)."""
    found: dict[Key, Component] = {}
    for key, part in new.parts.items():
        line = attendee_line(part, own)
        if line is None:
            continue
        before = old and (old.parts.get(key) or old.master)
        was = partstat(attendee_line(before, own)) if before else "NEEDS-ACTION"
        if is_forced or partstat(line) != was:
            found[key] = response(part, own)
    if old is not None and old.master is not None and new.master is not None:
        removed = moments(new.master, "EXDATE", new.zones) - moments(old.master, "EXDATE", old.zones)
        occurrences = Occurrences(old)
        for seconds in sorted(removed):
            key = (seconds, False)
            gone = old.parts.get(key) or occurrences.at(seconds)
            if gone is not None and partstat(attendee_line(gone, own)) != "DECLINED" and not is_cancelled(gone):
                found[key] = response(gone, own, "DECLINED")
    return found


def _completed(old: Scheduled | None, new: Scheduled, own: Persons) -> Scheduled:
    """The copy to be stored: what is said about others is what the organizer told last (RFC 6638 §3.2.2.1)."""
    parts = {}
    for key, part in new.parts.items():
        before = None if old is None else old.parts.get(key) or old.master
        made = with_people(part, lambda line: _kept(line, before, own))  # noqa: B023
        organizer = made.first("ORGANIZER")
        if organizer is not None and forced(organizer):
            status = None if forced(organizer) == "REPLY" else UNKNOWN_FORCE
            values = {"SCHEDULE-FORCE-SEND": None, **({"SCHEDULE-STATUS": status} if status else {})}
            made = with_line(made, with_parameters(organizer, values))
        parts[key] = made
    return new.with_parts(parts)


def _kept(line: Property, before: Component | None, own: Persons) -> Property:
    who = person(line.value)
    if who in own or before is None:
        return line
    was = attendee_line(before, frozenset((who,)))
    return line if was is None else with_parameters(line, {"PARTSTAT": was.parameter("PARTSTAT")})


def _require_allowed(old: Scheduled, new: Scheduled) -> None:
    """
    @raise AttendeeChangeRefused: something else than RFC 6638 §3.2.2.1 lists was changed.
    """
    occurrences = Occurrences(old)
    for key, part in new.parts.items():
        before = old.parts.get(key)
        if before is None and key is not None:
            before = occurrences.at(key[0])
        if before is None:
            raise AttendeeChangeRefused("RECURRENCE-ID")
        _require_same(before, part, old, new)
    if old.master is not None and new.master is None:
        raise AttendeeChangeRefused("RECURRENCE-ID")
    if new.master is not None:
        after = moments(new.master, "EXDATE", new.zones)
        if not moments(old.master or new.master, "EXDATE", old.zones) <= after:
            raise AttendeeChangeRefused("EXDATE")
        if any(key is not None and key not in new.parts and key[0] not in after for key in old.parts):
            raise AttendeeChangeRefused("RECURRENCE-ID")


def _require_same(before: Component, after: Component, old: Scheduled, new: Scheduled) -> None:
    for name in _FIXED:
        if _meaning(before, name, old) != _meaning(after, name, new):
            raise AttendeeChangeRefused(name)
    if {person(line.value) for line in before.every("ATTENDEE")} != {
        person(line.value) for line in after.every("ATTENDEE")
    }:
        raise AttendeeChangeRefused("ATTENDEE")


def _meaning(part: Component, name: str, found: Scheduled) -> object:
    if name in ("DTSTART", "DTEND", "DUE", "RDATE"):
        return moments(part, name, found.zones)
    if name == "RRULE":
        return {frozenset(line.value.strip().upper().strip(";").split(";")) for line in part.every(name)}
    if name == "ORGANIZER":
        return person(part.value(name))
    return {" ".join(line.text.split()) for line in part.every(name)} - {""}
