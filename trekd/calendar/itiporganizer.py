"""
What an organizer's change of an object comes to: the object to be stored, and messages to attendees (RFC 6638 §3.2.1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from trekd.calendar.contentlines import Component, Property
from trekd.calendar.itip import (
    REPLIED,
    Key,
    Parts,
    Persons,
    Scheduled,
    agent,
    attendee_line,
    forced,
    is_cancelled,
    moments,
    partstat,
    person,
    sequence,
    stamp,
    with_line,
    with_parameters,
    with_people,
)
from trekd.calendar.itipviews import Outgoing, cancelled, membership, message, raised, view
from trekd.calendar.times import utc_value
from trekd.errors import OrganizerChangeRefused

UNKNOWN_FORCE = "2.3"
"""SCHEDULE-STATUS of a message that nobody knows how to force (RFC 6638 §7.2)."""


@dataclass(frozen=True, slots=True)
class Change:
    """
    What a change comes to.

    @ivar found: the object to be stored; C{None} when it was removed.
    @ivar messages: in the order in which they are to be sent.
    """

    found: Scheduled | None
    messages: tuple[Outgoing, ...] = ()


def organizer_change(old: Scheduled | None, new: Scheduled | None, own: Persons, now: int) -> Change:
    """
    Judge and complete an organizer's change.

    Deviates from RFC 6638 §3.2.1: in a new object PARTSTAT of others is set back instead of refused, because
    programs that split a series make new objects of old ones.

    @param old: C{None} makes a new one; C{new}: C{None} removes it.
    @param own: the organizer.
    @param now: Unix seconds.
    @raise OrganizerChangeRefused: somebody else's PARTSTAT was changed.
    """
    if new is None:
        return Change(None, tuple(_all_cancelled(old, own, now)) if old else ())
    forces = {person(line.value) for line in _people(new) if forced(line) == "REQUEST" and agent(line) == "SERVER"}
    completed = _completed(old, new, own, now)
    return Change(completed, tuple(_messages(_Comparison(old, completed), own, forces, now)))


def _people(found: Scheduled) -> Iterable[Property]:
    return (line for part in found.parts.values() for line in part.every("ATTENDEE"))


def _all_cancelled(old: Scheduled, own: Persons, now: int) -> Iterable[Outgoing]:
    groups: dict[tuple[Key, ...], list[str]] = {}
    for who, keys in membership(old).items():
        if who not in own:
            groups.setdefault(keys, []).append(who)
    for keys, persons in groups.items():
        parts = _cancelled_parts(old, keys, 1)
        if parts:
            yield Outgoing("CANCEL", tuple(persons), message(old, "CANCEL", parts, now))


def _cancelled_parts(old: Scheduled, keys: Iterable[Key], more: int) -> Parts:
    """The master alone when it is among them: it stands for everything."""
    shown = view(old, keys)
    if None in shown:
        shown = {None: shown[None]}
    return {
        key: cancelled(part, sequence(part) + more)
        for key, part in shown.items()
        if not is_cancelled(old.parts[key]) or None in shown
    }


# --- What is stored -------------------------------------------------------------------------------


def _completed(old: Scheduled | None, new: Scheduled, own: Persons, now: int) -> Scheduled:
    """The new object with statuses and numbers that are the server's business (RFC 6638 §3.2.5, §3.2.8)."""
    parts: dict[Key, Component] = {}
    # CANCEL stands behind all parts that were there, and what is sent later has to count more.
    least = max(map(sequence, old.parts.values()), default=0) + 1 if old is not None and _loses(old, new) else 0
    for key, part in new.parts.items():
        before = None if old is None else old.parts.get(key) or old.master
        rescheduled = before is not None and is_rescheduled(before, part, key, old, new)
        made = with_people(part, lambda line: _kept(line, before, own, rescheduled))  # noqa: B023
        if not stamp(made):
            made = with_line(made, Property("DTSTAMP", utc_value(now)))
        if before is not None:
            is_higher = rescheduled or _is_other_time(before, part, key)
            made = raised(made, sequence(before) + (1 if is_higher else 0))
        parts[key] = raised(made, least)
    return new.with_parts(parts)


def _loses(old: Scheduled, new: Scheduled) -> bool:
    """Whether somebody is not invited any more to something."""
    after = {who: frozenset(keys) for who, keys in membership(new).items()}
    return any(key not in after.get(who, ()) for who, keys in membership(old).items() for key in keys)


def _kept(line: Property, before: Component | None, own: Persons, rescheduled: bool) -> Property:
    """
    An attendee's line in what is stored.

    @raise OrganizerChangeRefused: the organizer answers for somebody else.
    """
    who, says = person(line.value), forced(line)
    values: dict[str, str | None] = {"SCHEDULE-FORCE-SEND": None, REPLIED: None}
    if who in own:
        return with_parameters(line, {**values, "SCHEDULE-STATUS": None})
    was = attendee_line(before, frozenset((who,))) if before is not None else None
    if was is not None:
        values[REPLIED] = was.parameter(REPLIED)
    if agent(line) == "SERVER":
        status = partstat(line)
        if status != "NEEDS-ACTION" and (before is None or was is None or rescheduled):
            values["PARTSTAT"] = "NEEDS-ACTION"
        elif status not in ("NEEDS-ACTION", partstat(was)):
            raise OrganizerChangeRefused
        if says not in ("", "REQUEST"):
            values["SCHEDULE-STATUS"] = UNKNOWN_FORCE
    return with_parameters(line, values)


_TIMES = ("DTSTART", "DTEND", "DUE", "DURATION")


def _is_other_time(before: Component, after: Component, key: Key) -> bool:
    """Whether SEQUENCE rises (RFC 5546 §2.1.4), however small the change."""
    names = (*_TIMES, "STATUS") if key is not None else (*_TIMES, "STATUS", "RRULE", "RDATE", "EXDATE")
    if key is not None and before.first("RECURRENCE-ID") is None:
        return False
    return any(_values(before, name) != _values(after, name) for name in names)


def _values(part: Component, name: str) -> Counter[str]:
    return Counter(f"{line.parameter('TZID')}:{line.value.strip().upper()}" for line in part.every(name))


def is_rescheduled(
    before: Component, after: Component, key: Key, old: Scheduled | None, new: Scheduled
) -> bool:
    """
    Whether attendees have to answer again (RFC 6638 §3.2.8).

    @param before: the same part, or the master that described that time.
    """
    assert old is not None
    if key is not None and before.first("RECURRENCE-ID") is None:
        return _is_moved(before, after, key, old, new)
    if any(_values(before, name) != _values(after, name) for name in _TIMES):
        return True
    if key is not None:
        return False
    return (
        _is_longer_rule([line.value for line in before.every("RRULE")], [line.value for line in after.every("RRULE")])
        or not moments(after, "RDATE", new.zones) <= moments(before, "RDATE", old.zones)
        or not moments(before, "EXDATE", old.zones) <= moments(after, "EXDATE", new.zones)
    )


def _is_moved(master: Component, override: Component, key: Key, old: Scheduled, new: Scheduled) -> bool:
    """Whether a new exception takes place at another time than the master had it."""
    assert key is not None
    starts = moments(override, "DTSTART", new.zones)
    return starts != {key[0]} or _length(override, new) != _length(master, old)


def _length(part: Component, found: Scheduled) -> object:
    starts = moments(part, "DTSTART", found.zones)
    ends = moments(part, "DTEND", found.zones) | moments(part, "DUE", found.zones)
    return min(ends) - min(starts) if starts and ends else part.value("DURATION").strip().upper()


def _is_longer_rule(before: list[str], after: list[str]) -> bool:
    """Whether rules may give other times than before; one that only ends earlier does not."""
    if len(before) != 1 or len(after) != 1:
        return Counter(before) != Counter(after) and bool(after)
    old, new = _rule(before[0]), _rule(after[0])
    ends = ("COUNT", "UNTIL")
    if {name: value for name, value in old.items() if name not in ends} != {
        name: value for name, value in new.items() if name not in ends
    }:
        return True
    if not any(name in old for name in ends):
        return False
    if "COUNT" in old and "COUNT" in new:
        return int(new["COUNT"]) > int(old["COUNT"]) if (new["COUNT"] + old["COUNT"]).isdecimal() else True
    if "UNTIL" in old and "UNTIL" in new:
        return new["UNTIL"] > old["UNTIL"]
    return True


def _rule(value: str) -> dict[str, str]:
    pieces = (piece.partition("=") for piece in value.strip().upper().split(";") if piece)
    return {name: said for name, _, said in pieces}


# --- What is sent ---------------------------------------------------------------------------------


@dataclass(slots=True)
class _Comparison:
    """Two objects, and the views of them that were made already: many attendees share one."""

    old: Scheduled | None
    new: Scheduled
    _views: dict[tuple[bool, tuple[Key, ...]], Parts] = field(default_factory=dict)

    def views(self, before: tuple[Key, ...], after: tuple[Key, ...]) -> tuple[Parts, Parts]:
        """What somebody saw, and sees."""
        return self._view(self.old, False, before), self._view(self.new, True, after)

    def _view(self, found: Scheduled | None, is_new: bool, keys: tuple[Key, ...]) -> Parts:
        if found is None or not keys:
            return {}
        if (is_new, keys) not in self._views:
            self._views[is_new, keys] = view(found, keys)
        return self._views[is_new, keys]


def _messages(both: _Comparison, own: Persons, forces: set[str], now: int) -> Iterable[Outgoing]:
    before = membership(both.old) if both.old else {}
    after = membership(both.new)
    groups: dict[tuple[tuple[Key, ...], tuple[Key, ...], bool], list[str]] = {}
    for who in {**before, **after}:
        if who not in own:
            group = (before.get(who, ()), after.get(who, ()), who in forces)
            groups.setdefault(group, []).append(who)
    for (was, will, is_forced), persons in groups.items():
        for method, parts in _changes(both, was, will, is_forced):
            source = both.new if method == "REQUEST" or both.old is None else both.old
            yield Outgoing(method, tuple(persons), message(source, method, parts, now))


def _changes(
    both: _Comparison, was: tuple[Key, ...], will: tuple[Key, ...], is_forced: bool
) -> Iterable[tuple[str, Parts]]:
    """What is to be told to those who saw and see these parts."""
    before, after = both.views(was, will)
    gone = _gone(both, before, after)
    if gone:
        yield "CANCEL", gone
    if after and (is_forced or _is_to_be_told(both, before, after, bool(gone))):
        if not gone and all(map(is_cancelled, after.values())) and before:
            yield "CANCEL", {key: cancelled(part, sequence(part)) for key, part in after.items()}
        else:
            yield "REQUEST", after


def _gone(both: _Comparison, before: Parts, after: Parts) -> Parts:
    """The parts of CANCEL for what somebody is not invited to any more."""
    old, new = both.old, both.new
    if old is None or not before:
        return {}
    least = max((sequence(part) for part in new.parts.values()), default=0)
    if None in before and None not in after:
        return {None: cancelled(before[None], max(sequence(before[None]) + 1, least))}
    if None in before:
        return _gone_instances(both, before, after)
    return {
        key: cancelled(part, max(sequence(part) + 1, least)) for key, part in before.items()
        if key not in after and None not in after
    }  # fmt: skip


def _gone_instances(both: _Comparison, before: Parts, after: Parts) -> Parts:
    """Instances that were taken out of a series which is otherwise the same (RFC 5546 §3.2.5)."""
    assert both.old is not None
    removed = moments(after[None], "EXDATE", both.new.zones) - moments(before[None], "EXDATE", both.old.zones)
    if not removed or not _is_same_series(both, before, after, removed):
        return {}
    number = sequence(after[None])
    found: dict[Key, Component] = {}
    for line in after[None].every("EXDATE"):
        for value in line.value.split(","):
            one = replace(line, value=value.strip())
            alone = moments(Component("VEVENT", (one,)), "EXDATE", both.new.zones)
            if alone and alone <= removed:
                key = (alone.pop(), False)
                rid = replace(one, name="RECURRENCE-ID")
                base = before.get(key) or replace(before[None], properties=_timeless(before[None]))
                starts = (replace(one, name="DTSTART"),) if key not in before else ()
                part = replace(base, properties=(*base.properties, *starts))
                found[key] = cancelled(with_line(part, rid), number)
    return found


def _timeless(part: Component) -> tuple[Property, ...]:
    names = (*_TIMES, "RRULE", "RDATE", "EXDATE")
    return tuple(line for line in part.properties if line.name.upper() not in names)


def _is_same_series(both: _Comparison, before: Parts, after: Parts, removed: set[int]) -> bool:
    """Whether nothing but the removed instances differs."""
    assert both.old is not None
    if not moments(before[None], "EXDATE", both.old.zones) <= moments(after[None], "EXDATE", both.new.zones):
        return False
    left = {key: part for key, part in before.items() if key is None or key[0] not in removed}
    if set(left) != set(after):
        return False
    return all(essence(left[key], ("EXDATE",)) == essence(after[key], ("EXDATE",)) for key in left)


def _is_to_be_told(both: _Comparison, before: Parts, after: Parts, has_cancelled: bool) -> bool:
    if has_cancelled and None in before and None in after:
        return False
    if set(before) != set(after):
        return True
    return any(essence(before[key]) != essence(after[key]) for key in after)


_PASSING = frozenset(
    ("DTSTAMP", "LAST-MODIFIED", "CREATED", "SEQUENCE", "TRANSP", "PERCENT-COMPLETE", "COMPLETED", "REQUEST-STATUS")
)
_PASSING_PARAMETERS = frozenset(("PARTSTAT", "RSVP"))


def essence(part: Component, ignored: Iterable[str] = ()) -> Counter[tuple[str, str, frozenset[tuple[str, str]]]]:
    """
    What of a part matters to others: two that are alike need no message, whatever the statuses in them.
    """
    found: Counter[tuple[str, str, frozenset[tuple[str, str]]]] = Counter()
    for line in part.properties:
        name = line.name.upper()
        if name in _PASSING or name in ignored or name.startswith("X-"):
            continue
        is_person = name in ("ATTENDEE", "ORGANIZER")
        value = person(line.value) if is_person else line.value.strip()
        said: Mapping[str, str] = {
            each.upper(): ",".join(values)
            for each, values in line.parameters
            if not (is_person and (each.upper() in _PASSING_PARAMETERS or _is_own(each.upper())))
        }
        found[name, value, frozenset(said.items())] += 1
    return found


def _is_own(name: str) -> bool:
    return name.startswith(("X-", "SCHEDULE-"))
