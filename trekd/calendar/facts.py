"""
What of a calendar object goes into an index: when it takes place, who and what it is about.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trekd.calendar.contentlines import Component, split_values, unescape
from trekd.calendar.folding import fold
from trekd.calendar.objects import CalendarObject
from trekd.calendar.overlap import SPAN_LIMIT, spans
from trekd.calendar.times import UTC

_TEXTS = frozenset(
    ("UID", "SUMMARY", "DESCRIPTION", "LOCATION", "CATEGORIES", "COMMENT", "CONTACT", "RESOURCES", "STATUS", "URL")
)
_PEOPLE = frozenset(("ATTENDEE", "ORGANIZER"))


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """
    What is kept about a calendar object to find it again.

    @ivar component: C{VEVENT}, C{VTODO}, C{VJOURNAL}, C{VFREEBUSY} or C{VAVAILABILITY}.
    @ivar spans: start and end in Unix seconds, half-open, an instant ends where it starts; C{B} busy, C{T} tentative,
        C{U} unavailable, C{F} none of these.  By start, at most 400.  A time range (RFC 4791 §9.9) matches the object
        exactly when it overlaps a span, whatever the kind: those of a VTODO are widened by the second that its
        conditions allow more.  Nothing is said about times 150 years or more after the first one.
    @ivar open_from: from this instant on there may be more; C{None} when the spans are all.
    @ivar is_floating: some time hangs in no zone; spans took it for UTC.
    @ivar texts: property name in capitals, and value L{folded <trekd.calendar.folding.fold>}.
    @ivar organizer: the address without C{mailto:}, in lower case; C{""} for none.
    @ivar attendees: the same of each attendee, every one once, in the order they stand.
    """

    component: str
    uid: str
    spans: tuple[tuple[int, int, str], ...]
    open_from: int | None
    is_floating: bool
    texts: tuple[tuple[str, str], ...]
    organizer: str
    attendees: tuple[str, ...]


def calendar_facts(found: CalendarObject) -> ObjectFacts:
    """
    What there is to know about a calendar object.

    Never raises: what cannot be worked out within bounds is left to C{open_from}.
    """
    known, open_from = spans(found, UTC, SPAN_LIMIT)
    components = [each.component for each in found.timings]
    attendees = dict.fromkeys(
        address for each in components for line in each.every("ATTENDEE") if (address := mail_address(line.value))
    )
    organizers = [address for each in components if (address := mail_address(each.value("ORGANIZER")))]
    return ObjectFacts(
        found.component,
        found.uid,
        known,
        open_from,
        any(each.is_floating for each in found.timings),
        tuple(dict.fromkeys(text for each in components for text in _texts(each))),
        organizers[0] if organizers else "",
        tuple(attendees),
    )


def mail_address(value: str) -> str:
    """The address of a CAL-ADDRESS in lower case (RFC 5545 §3.3.3); C{""} when it is no C{mailto:}."""
    scheme, colon, address = value.strip().partition(":")
    return address.strip().lower() if colon and scheme.lower() == "mailto" else ""


def _texts(component: Component) -> Iterator[tuple[str, str]]:
    """Folded text of a component, empty values left out."""
    for each in component.properties:
        name = each.name.upper()
        if name in _PEOPLE:
            person = each.parameter("CN")
            values = [mail_address(each.value) or each.value, *([person] if person else [])]
        elif name in _TEXTS:
            values = [unescape(value) for value in split_values(each.value)] if name in _LISTS else [each.text]
        else:
            continue
        yield from ((name, fold(value)) for value in values if value)


_LISTS = frozenset(("CATEGORIES", "RESOURCES"))
