"""
Whole calendars in one stream: many objects to one C{.ics}, and back by UID.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from trekd.calendar.contentlines import Component, Property, TreeLimits, parse_all, write
from trekd.calendar.objects import KINDS, OBJECT_LIMITS, CalendarObject, ObjectLimits, calendar_object
from trekd.calendar.zones import named_zone
from trekd.errors import CollectionRefused

IMPORT_LIMITS = TreeLimits(lines=20_000_000)
"""A calendar is larger than one object."""


# --- Many to one ----------------------------------------------------------------------------------


def joined(calendars: Iterable[Component], properties: Iterable[Property] = ()) -> Iterator[bytes]:
    """
    One iCalendar object of many, piece by piece; each VTIMEZONE stands in it once, where it is first needed.

    Zones that share a TZID and say different things: the first is kept when the name is known by itself, else the
    later ones get another name.

    @param properties: of the whole beside VERSION, such as PRODID or X-WR-CALNAME.
    """
    joiner = Joiner()
    yield joiner.head(properties)
    for calendar in calendars:
        yield joiner.inside(calendar)
    yield joiner.tail


class Joiner:
    """One iCalendar object made of many, for those who get them one after the other; see L{joined}."""

    tail = b"END:VCALENDAR\r\n"

    def __init__(self) -> None:
        self._zones: dict[str, dict[Component, int]] = {}

    def head(self, properties: Iterable[Property] = ()) -> bytes:
        """What stands before all objects."""
        return write(Component("VCALENDAR", (Property("VERSION", "2.0"), *properties))).removesuffix(self.tail)

    def inside(self, calendar: Component) -> bytes:
        """The components of the next object, and those of its zones that are new."""
        renamed: dict[str, str] = {}
        pieces = []
        for zone in calendar.inside("VTIMEZONE"):
            tzid = zone.value("TZID")
            known = self._zones.setdefault(tzid, {})
            if zone not in known and (not known or named_zone(tzid) is None):
                known[zone] = len(known) + 1
                pieces.append(write(_renamed(zone, {tzid: _name(tzid, known[zone])})))
            if zone in known:
                renamed[tzid] = _name(tzid, known[zone])
        pieces += [write(_renamed(each, renamed)) for each in calendar.components if each.kind != "VTIMEZONE"]
        return b"".join(pieces)


def _name(tzid: str, number: int) -> str:
    return tzid if number == 1 else f"{tzid} ({number})"


def _renamed(component: Component, names: dict[str, str]) -> Component:
    """The same with other TZIDs."""
    if all(old == new for old, new in names.items()):
        return component
    return Component(
        component.name,
        tuple(_with_zone(each, names, component.kind) for each in component.properties),
        tuple(_renamed(each, names) for each in component.components),
    )


def _with_zone(each: Property, names: dict[str, str], kind: str) -> Property:
    if kind == "VTIMEZONE" and each.is_named("TZID"):
        return replace(each, value=names.get(each.value, each.value))
    if each.parameter("TZID") not in names:
        return each
    changed = tuple(
        (name, tuple(names.get(value, value) for value in values)) if name.upper() == "TZID" else (name, values)
        for name, values in each.parameters
    )
    return replace(each, parameters=changed)


# --- One to many ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Imported:
    """
    One object of an imported calendar.

    @ivar octets: as it is to be stored.
    @ivar found: C{None} when it cannot be stored.
    @ivar fault: why not.
    """

    uid: str
    octets: bytes
    found: CalendarObject | None
    fault: CollectionRefused | None = None


def split(
    octets: bytes, limits: ObjectLimits = OBJECT_LIMITS, tree: TreeLimits = IMPORT_LIMITS
) -> Iterator[Imported]:
    """
    The calendar objects of one or more iCalendar objects that stand one after the other, in the order of their UIDs'
    first appearance, each with the zones it needs.

    METHOD is left out; a component without UID gets one made of its content, the same each time.

    @param limits: of each object.
    @param tree: of all together.
    @raise SyntaxFault: these are no content lines; nothing was given out.
    """
    calendars = parse_all(octets, tree)
    zones: dict[str, Component] = {}
    groups: dict[tuple[str, str], list[Component]] = {}
    outer: dict[tuple[str, str], Component] = {}
    for calendar in calendars:
        for each in calendar.components:
            if each.kind == "VTIMEZONE":
                zones.setdefault(each.value("TZID"), each)
            elif each.kind in KINDS:
                named = _with_uid(each)
                key = (named.value("UID").strip(), each.kind)
                outer.setdefault(key, calendar)
                groups.setdefault(key, []).append(named)
    for (uid, kind), components in groups.items():
        yield _imported(uid, kind, _with_zones(outer[uid, kind], components, zones), limits)


def _imported(uid: str, kind: str, calendar: Component, limits: ObjectLimits) -> Imported:
    octets = write(calendar)
    try:
        return Imported(uid, octets, calendar_object(calendar, (kind,), limits))
    except CollectionRefused as fault:
        return Imported(uid, octets, None, fault)


def _with_uid(component: Component) -> Component:
    if component.value("UID").strip():
        return component
    uid = hashlib.sha256(write(component)).hexdigest()[:32]
    rest = tuple(each for each in component.properties if not each.is_named("UID"))
    return replace(component, properties=(Property("UID", uid), *rest))


def _with_zones(outer: Component, components: list[Component], zones: dict[str, Component]) -> Component:
    """Components of one UID as an iCalendar object of their own."""
    kept = [each for each in outer.properties if each.name.upper() in ("VERSION", "PRODID", "CALSCALE")]
    needed = dict.fromkeys(tzid for each in components for tzid in _zone_names(each) if tzid in zones)
    return Component("VCALENDAR", tuple(kept), (*(zones[tzid] for tzid in needed), *components))


def _zone_names(component: Component) -> Iterator[str]:
    for each in component.properties:
        if each.parameters and (tzid := each.parameter("TZID")):
            yield tzid
    for inner in component.components:
        yield from _zone_names(inner)
