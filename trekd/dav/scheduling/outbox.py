"""
Questions about busy times, by POST to the outbox (RFC 6638 §5, RFC 5546 §3.3).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from trekd.calendar.availability import availability_spans, read_availabilities
from trekd.calendar.contentlines import Property, TreeLimits, parse
from trekd.calendar.freebusy import FreeBusy, busy_periods, free_busy_calendar, with_availability
from trekd.calendar.itip import person
from trekd.calendar.spans import Span
from trekd.calendar.times import UTC, Window
from trekd.calendar.timing import read_property_moment
from trekd.calendar.zones import ZoneTable
from trekd.dav.calendars.freebusy import busy_spans, unavailable_spans
from trekd.dav.errors import Fault
from trekd.dav.exchange import Answer, Exchange, xml_answer
from trekd.dav.nodes import CollectionNode, Node
from trekd.dav.paths import Location
from trekd.dav.rights import collection_permission
from trekd.dav.scheduling.people import Local, Nobody, find, persons_of
from trekd.dav.scheduling.places import OutboxNode, calendars_of, inbox_state
from trekd.dav.scheduling.properties import is_transparent
from trekd.dav.scheduling.scheduler import scheduler_of
from trekd.dav.xml.names import caldav
from trekd.dav.xml.reading import parse as parse_xml
from trekd.dav.xml.writing import document, element, escape, href, text_element
from trekd.errors import CollectionRefused, SyntaxFault, TrekError
from trekd.portal.access import Permission
from trekd.store.collections import CollectionState, ICollections

MAX_OCTETS = 256 * 1024
"""Of a question."""

LONGEST = 3 * 366 * 86400
"""Seconds about which one can ask at once."""

AVAILABILITY = caldav("calendar-availability")

_LIMITS = TreeLimits(lines=10_000, line=65536, depth=4)

_SUCCESS, _NO_USER, _NO_RIGHT, _FAILED = "2.0;Success", "3.7;Invalid calendar user", "3.8;No authority", "5.1;Try later"


def takes(exchange: Exchange, node: Node) -> bool:
    """Whether a request is for the outbox."""
    return isinstance(node, OutboxNode)


@dataclass(frozen=True, slots=True)
class Question:
    """
    When are these people busy?

    @ivar organizer: who asks.
    @ivar start: Unix seconds; C{end} after it.
    """

    uid: str
    organizer: Property
    attendees: tuple[Property, ...]
    start: int
    end: int


async def perform(exchange: Exchange, node: OutboxNode) -> Answer:
    """
    Tell of each attendee when they are busy.

    @raise Fault: it is no such question, or one that somebody else asks.
    """
    if exchange.header("content-type").partition(";")[0].strip().lower() not in ("", "text/calendar"):
        raise Fault(415, caldav("supported-calendar-data"), "The outbox takes text/calendar.")
    question = _question(await exchange.body.octets(MAX_OCTETS))
    if person(question.organizer.value) not in persons_of(exchange.user.account):
        raise Fault(403, caldav("valid-organizer"), "Who asks is the organizer.")
    if len(question.attendees) > exchange.site.config.max_attendees:
        raise Fault(403, caldav("max-attendees-per-instance"), "Too many people are asked about.")
    found = [await _response(exchange, question, line) for line in question.attendees]
    return xml_answer(200, document(caldav("schedule-response"), b"".join(found)))


def _question(octets: bytes) -> Question:
    """
    @raise Fault: it breaks the rules of RFC 5546 §3.3.2.
    """
    try:
        calendar = parse(octets, _LIMITS)
    except SyntaxFault:
        raise Fault(400, caldav("valid-calendar-data"), "This is no iCalendar.") from None
    parts = [each for each in calendar.components if each.kind != "VTIMEZONE"]
    is_request = calendar.value("METHOD").strip().upper() == "REQUEST"
    if calendar.kind != "VCALENDAR" or not is_request or [each.kind for each in parts] != ["VFREEBUSY"]:
        raise _invalid("one VFREEBUSY with METHOD REQUEST")
    [part] = parts
    organizer, attendees = part.first("ORGANIZER"), tuple(part.every("ATTENDEE"))
    start, end = part.first("DTSTART"), part.first("DTEND")
    if organizer is None or not attendees or start is None or end is None:
        raise _invalid("ORGANIZER, ATTENDEE, DTSTART and DTEND")
    try:
        zones = ZoneTable(calendar)
        first, last = (read_property_moment(each, zones).seconds(UTC) for each in (start, end))
    except CollectionRefused:
        raise _invalid("DTSTART and DTEND that are times") from None
    if not 0 < last - first <= LONGEST:
        raise _invalid("a time of three years at most")
    return Question(part.value("UID") or str(uuid.uuid4()), organizer, attendees, first, last)


def _invalid(rule: str) -> Fault:
    return Fault(400, caldav("valid-scheduling-message"), f"A question about busy times has {rule}.")


async def _response(exchange: Exchange, question: Question, line: Property) -> bytes:
    """C{CALDAV:response} about one attendee (RFC 6638 §10.2)."""
    octets: bytes | None = None
    try:
        status, octets = await _answer(exchange, question, line)
    except TrekError:
        status = _FAILED
    inside = element(caldav("recipient"), href(escape(line.value)))
    inside += text_element(caldav("request-status"), status)
    if octets is not None:
        inside += text_element(caldav("calendar-data"), octets.decode("utf-8", "replace"))
    return element(caldav("response"), inside)


async def _answer(exchange: Exchange, question: Question, line: Property) -> tuple[str, bytes | None]:
    to = await find(exchange.site.directory, None, exchange.user.account, person(line.value))
    if not isinstance(to, Local):
        known = isinstance(to, Nobody) and to.status.startswith("5")
        return (_FAILED if known else _NO_USER), None
    shelf = await scheduler_of(exchange.site).shelf_of(to.account)
    states = await shelf.collections()
    members = await _visible(exchange, shelf, states)
    if members is None:
        return _NO_RIGHT, None
    window = Window(question.start, question.end)
    busy: list[Span] = []
    unavailable: list[Span] = []
    for each in members:
        busy += await busy_spans(exchange, each, window)
        unavailable += await unavailable_spans(exchange, each, window)
    inbox = inbox_state(states)
    kept = inbox.properties.get(AVAILABILITY, "") if inbox is not None else ""
    octets = await exchange.site.off_reactor(
        _written, (question, line, int(exchange.site.time_of_day())), (busy, unavailable), kept
    )
    return _SUCCESS, octets


async def _visible(
    exchange: Exchange, shelf: ICollections, states: Sequence[CollectionState]
) -> list[CollectionNode] | None:
    """
    The calendars that tell when somebody is busy; C{None}: who asks may not know (RFC 6638 §6.1.4).
    """
    home = Location(("calendars", shelf.principal))
    calendars = calendars_of(states)
    if not _is_open(exchange, shelf):
        allowed = [await collection_permission(exchange, shelf, each) for each in calendars]
        calendars = [each for each, may in zip(calendars, allowed, strict=True) if Permission.SEE_BUSY in may]
        if not calendars:
            return None
    return [
        CollectionNode(home.child(each.name), shelf.principal, shelf, each)
        for each in calendars
        if not is_transparent(each)
    ]


def _is_open(exchange: Exchange, shelf: ICollections) -> bool:
    """Whether the configuration lets one account know of the other."""
    policy = exchange.site.config.free_busy
    if policy == "host" or shelf.principal == exchange.principal:
        return True
    return policy == "domain" and shelf.principal.rpartition("@")[2] == exchange.principal.rpartition("@")[2]


def _written(about: tuple[Question, Property, int], spans: tuple[list[Span], list[Span]], kept: str) -> bytes:
    """
    @param spans: busy ones, and those of VAVAILABILITY in calendars.
    @param kept: the inbox's availability (RFC 7953 §7.2.4), serialised; '' for none.
    """
    question, attendee, now = about
    window = Window(question.start, question.end)
    busy, unavailable = spans
    if kept:
        try:
            text = parse_xml(kept.encode()).text or ""
            unavailable = [*unavailable, *availability_spans(read_availabilities(text.encode()), window, UTC)]
        except (CollectionRefused, SyntaxFault):
            pass
    people = (question.organizer, attendee)
    shown = FreeBusy(question.start, question.end, now, question.uid, method="REPLY", people=people)
    merged = with_availability(busy_periods(busy, window), unavailable)
    return free_busy_calendar(shown, busy_periods(merged, window))
