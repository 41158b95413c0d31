"""
CALDAV:filter: what a calendar-query asks for (RFC 4791 §9.7 to §9.9).

A filter is a value; L{matches} puts it to one object, L{index_question} and L{index_text} say what of it an index can
answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trekd.calendar.alarms import read_alarm
from trekd.calendar.availability import available_objects
from trekd.calendar.contentlines import Component, Property, unescape
from trekd.calendar.folding import COLLATIONS, collated, fold
from trekd.calendar.objects import KINDS, CalendarObject
from trekd.calendar.overlap import availability_span, free_busy_spans, is_within, span_of
from trekd.calendar.recurrence import BOUNDS, Bounds, Instance, instances, single
from trekd.calendar.rules import Budget
from trekd.calendar.times import ALWAYS, UTC, Window, Zone
from trekd.calendar.timing import Timing, read_property_moment
from trekd.errors import (
    InvalidCalendar,
    InvalidCalendarObject,
    TooManyInstances,
    UnsupportedCollation,
    UnsupportedFilter,
)

_TIMED_COMPONENTS = frozenset((*KINDS, "AVAILABLE", "VALARM"))
_INSTANCE_PROPERTIES = frozenset(("DTSTART", "DTEND", "DUE"))
_TIMED_PROPERTIES = _INSTANCE_PROPERTIES | {"COMPLETED", "CREATED", "DTSTAMP", "LAST-MODIFIED"}
_INDEXED = frozenset(("UID", "SUMMARY", "DESCRIPTION", "LOCATION", "COMMENT"))
_PEOPLE = frozenset(("ATTENDEE", "ORGANIZER"))


@dataclass(frozen=True, slots=True)
class TextMatch:
    """
    CALDAV:text-match (RFC 4791 §9.7.5).

    @ivar text: to be found anywhere in a value.
    @ivar collation: C{default} stands for C{i;ascii-casemap}.
    @raise UnsupportedCollation: nobody knows it.
    """

    text: str
    collation: str = "i;ascii-casemap"
    negate: bool = False

    def __post_init__(self) -> None:
        if self.collation == "default":
            object.__setattr__(self, "collation", "i;ascii-casemap")
        if self.collation not in COLLATIONS:
            raise UnsupportedCollation(self.collation)

    def finds(self, value: str) -> bool:
        """Whether an unescaped value fulfils it."""
        return (collated(self.text, self.collation) in collated(value, self.collation)) != self.negate


@dataclass(frozen=True, slots=True)
class ParamFilter:
    """
    CALDAV:param-filter (RFC 4791 §9.7.3).

    @ivar name: in upper case.
    @ivar is_not_defined: the other conditions do not matter then; likewise below.
    """

    name: str
    is_not_defined: bool = False
    match: TextMatch | None = None


@dataclass(frozen=True, slots=True)
class PropFilter:
    """
    CALDAV:prop-filter (RFC 4791 §9.7.2).

    @ivar name: in upper case.
    @raise UnsupportedFilter: a time range for a property that has none (RFC 4791 §9.9).
    """

    name: str
    is_not_defined: bool = False
    window: Window | None = None
    match: TextMatch | None = None
    params: tuple[ParamFilter, ...] = ()

    def __post_init__(self) -> None:
        if self.window is not None and self.name not in _TIMED_PROPERTIES:
            raise UnsupportedFilter(self.name)


@dataclass(frozen=True, slots=True)
class CompFilter:
    """
    CALDAV:comp-filter (RFC 4791 §9.7.1); the outermost one is for C{VCALENDAR}.

    @ivar name: in upper case.
    @raise UnsupportedFilter: a time range for a component that has none (RFC 4791 §9.9).
    """

    name: str
    is_not_defined: bool = False
    window: Window | None = None
    props: tuple[PropFilter, ...] = ()
    comps: tuple[CompFilter, ...] = ()

    def __post_init__(self) -> None:
        if self.window is not None and self.name not in _TIMED_COMPONENTS:
            raise UnsupportedFilter(self.name)


def matches(wanted: CompFilter, found: CalendarObject, floating: Zone = UTC, bounds: Bounds = BOUNDS) -> bool:
    """
    Whether an object fulfils a filter.

    @param wanted: for C{VCALENDAR}.
    @param floating: the zone of dates and of times without one (RFC 4791 §7.3).
    @param bounds: of one expansion; what cannot be decided within them counts as a match, since the client can see
        for itself what it got, but not what it did not get.
    """
    try:
        return _Question(found, floating, bounds).calendar(wanted)
    except TooManyInstances:
        return True


def index_question(wanted: CompFilter) -> tuple[str, Window] | None:
    """
    What a filter asks when it is about no more than a kind of component and a time range: the spans of
    L{ObjectFacts <trekd.calendar.facts.ObjectFacts>} answer it exactly.

    @return: the kind, C{""} for every one, and the time range; C{None} when the filter asks for more.
    """
    if wanted.name != "VCALENDAR" or wanted.is_not_defined or wanted.props or len(wanted.comps) > 1:
        return None
    if not wanted.comps:
        return "", ALWAYS
    (inner,) = wanted.comps
    if inner.name not in KINDS or inner.is_not_defined or inner.props or inner.comps:
        return None
    return inner.name, inner.window or ALWAYS


def index_hint(wanted: CompFilter) -> tuple[str, Window]:
    """
    The kind of component and the time range without which no object matches, whatever else a filter asks.

    @return: as L{index_question}; C{("", ALWAYS)} when every object may match.
    """
    timed = [each for each in wanted.comps if each.name in KINDS and not each.is_not_defined]
    if wanted.name != "VCALENDAR" or not timed:
        return "", ALWAYS
    return timed[0].name, timed[0].window or ALWAYS


def index_text(wanted: CompFilter) -> tuple[str, str] | None:
    """
    A text without which no object matches: the property's name and the folded text that
    L{ObjectFacts.texts <trekd.calendar.facts.ObjectFacts>} of it hold.

    @return: C{None} when there is no such text.
    """
    for inner in wanted.comps:
        if inner.name in KINDS and not inner.is_not_defined:
            for each in inner.props:
                asked = each.match
                if each.is_not_defined or not asked or not asked.text or asked.negate:
                    continue
                if each.name in _INDEXED:
                    return each.name, fold(asked.text)
                if each.name in _PEOPLE and (address := _address_part(fold(asked.text))):
                    return each.name, address
    return None


def _address_part(text: str) -> str:
    """
    What an address has to hold for a text to be in its C{mailto:} URI, which the index keeps without its scheme.

    @param text: folded.
    @return: C{""} when the scheme alone may hold it, or it would be escaped there.
    """
    scheme, colon, rest = text.strip().partition(":")
    if any(each in text for each in "\\,;\n") or (not colon and scheme in "mailto"):
        return ""
    return rest.strip() if colon and "mailto".endswith(scheme) else text.strip()


class _Question:
    """One filter put to one object."""

    def __init__(self, found: CalendarObject, floating: Zone, bounds: Bounds) -> None:
        self._found = found
        self._floating = floating
        self._bounds = bounds
        self._budget = Budget(4 * bounds.steps)

    def calendar(self, wanted: CompFilter) -> bool:
        if wanted.name != "VCALENDAR":
            return wanted.is_not_defined
        if wanted.is_not_defined:
            return False
        calendar = self._found.calendar
        return all(self._property(each, calendar, None) for each in wanted.props) and all(
            self._component(each) for each in wanted.comps
        )

    def _component(self, wanted: CompFilter) -> bool:
        """A comp-filter within VCALENDAR."""
        if wanted.name != self._found.component:
            return self._plain(wanted, self._found.calendar)
        if wanted.is_not_defined:
            return False
        fitting = [each for each in self._found.timings if self._conditions(wanted, each)]
        if wanted.window is None or not fitting:
            return bool(fitting)
        if self._found.component == "VFREEBUSY":
            spans = (span for each in fitting for span in free_busy_spans(each))
            return any(is_within(span, wanted.window) for span in spans)
        if self._found.component == "VAVAILABILITY":
            return any(is_within(availability_span(each, self._floating), wanted.window) for each in fitting)
        chosen = set(map(id, fitting))
        return any(
            id(each.timing) in chosen and is_within(span_of(each), wanted.window)
            for each in self._instances(self._found, wanted.window)
        )

    def _instances(self, found: CalendarObject, window: Window) -> Iterator[Instance]:
        """With a second more on either side, which a VTODO's conditions ask for."""
        start, end = window.start, window.end
        wider = Window(None if start is None else start - 1, None if end is None else end + 1)
        return instances(found, wider, self._floating, self._bounds, self._budget)

    def _conditions(self, wanted: CompFilter, timing: Timing) -> bool:
        """The properties and inner components that a comp-filter asks for, but its time range."""
        return all(self._property(each, timing.component, timing) for each in wanted.props) and all(
            self._inner(each, timing) for each in wanted.comps
        )

    def _inner(self, wanted: CompFilter, timing: Timing) -> bool:
        """A comp-filter within the object's components."""
        window = wanted.window
        if window is None or wanted.is_not_defined:
            return self._plain(wanted, timing.component)
        inside = [
            each for each in timing.component.inside(wanted.name)
            if all(self._property(prop, each, None) for prop in wanted.props)
            and all(self._plain(comp, each) for comp in wanted.comps)
        ]  # fmt: skip
        if wanted.name == "VALARM":
            return any(self._rings(each, timing, window) for each in inside)
        chosen = set(map(id, inside))
        return any(
            id(each.timing.component) in chosen and is_within(span_of(each), window)
            for available in available_objects(timing, self._found.zones)
            for each in self._instances(available, window)
        )

    def _rings(self, component: Component, timing: Timing, window: Window) -> bool:
        alarm = read_alarm(component)
        if alarm is None:
            return False
        if alarm.instant is not None:
            return alarm.rings_within(window, single(timing, self._floating))
        if timing.start is None and timing.end is None:
            return False
        return any(alarm.rings_within(window, each) for each in self._described(timing, alarm.reach(window)))

    def _plain(self, wanted: CompFilter, scope: Component) -> bool:
        """A comp-filter on components that have no instances of their own."""
        inside = list(scope.inside(wanted.name))
        if wanted.is_not_defined:
            return not inside
        if wanted.window is not None:
            return False
        return any(
            all(self._property(prop, each, None) for prop in wanted.props)
            and all(self._plain(comp, each) for comp in wanted.comps)
            for each in inside
        )

    # Properties

    def _property(self, wanted: PropFilter, scope: Component, timing: Timing | None) -> bool:
        named = list(scope.every(wanted.name))
        if wanted.is_not_defined:
            return not named
        if wanted.window is not None:
            fitting = [each for each in named if all(_parameter(inner, each) for inner in wanted.params)]
            if timing is not None and wanted.name in _INSTANCE_PROPERTIES:
                computed = not named and not wanted.params and _is_computed(wanted.name, timing)
                return bool(fitting or computed) and self._instance_property(wanted.name, timing, wanted.window)
            return any(self._takes_place(each, wanted.window) for each in fitting)
        return any(
            (wanted.match is None or wanted.match.finds(unescape(each.value)))
            and all(_parameter(inner, each) for inner in wanted.params)
            for each in named
        )

    def _instance_property(self, name: str, timing: Timing, window: Window) -> bool:
        """DTSTART, DTEND or DUE of any instance that a component describes (RFC 4791 §9.9)."""
        ends = (each.start if name == "DTSTART" else each.end for each in self._described(timing, window))
        return any(is_within((at, at, "F"), window) for at in ends)

    def _described(self, timing: Timing, window: Window) -> Iterator[Instance]:
        """The instances in a window that a component describes: an override only its own."""
        if timing.recurrence_id is not None and not timing.and_future:
            return iter((single(timing, self._floating),))
        every = instances(self._found, window, self._floating, self._bounds, self._budget)
        return (each for each in every if each.timing is timing)

    def _takes_place(self, each: Property, window: Window) -> bool:
        try:
            at = read_property_moment(each, self._found.zones).seconds(self._floating)
        except (InvalidCalendar, InvalidCalendarObject):
            return False
        return is_within((at, at, "F"), window)


def _is_computed(name: str, timing: Timing) -> bool:
    """Whether a DURATION stands for the DTEND or DUE that is missing (RFC 4791 §9.9)."""
    if timing.duration is None or timing.start is None:
        return False
    return name == ("DUE" if timing.kind == "VTODO" else "DTEND")


def _parameter(wanted: ParamFilter, each: Property) -> bool:
    values = [values for name, values in each.parameters if name.upper() == wanted.name]
    if wanted.is_not_defined:
        return not values
    if wanted.match is None:
        return bool(values)
    return any(wanted.match.finds(value) for several in values for value in several)
