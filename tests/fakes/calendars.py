"""Calendars as tests write them, and requests about them."""

from __future__ import annotations

from collections.abc import Iterable

from tests.fakes.davsite import DAVClient, Reply

HOME = "/dav/calendars/alice@example.com/"
CALENDAR = HOME + "calendar/"
TASKS = HOME + "tasks/"
NAMESPACES = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
JANUARY = '<C:time-range start="20260101T000000Z" end="20260201T000000Z"/>'


def calendar(*lines: str, kind: str = "VEVENT") -> str:
    """An iCalendar object with one component."""
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Test//EN")
    return "\r\n".join([*head, f"BEGIN:{kind}", *lines, f"END:{kind}", "END:VCALENDAR", ""])


def event(uid: str, *more: str, start: str = "20260105T100000Z") -> str:
    """An event of one hour."""
    return calendar(f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"DTSTART:{start}", "DURATION:PT1H", *more)


def report(client: DAVClient, body: str, path: str = CALENDAR, depth: str = "1") -> Reply:
    """A REPORT."""
    return client.request("REPORT", path, body, Depth=depth)


def query_body(filter: str, data: str = "<C:calendar-data/>", more: str = "", kind: str = "VEVENT") -> str:
    """
    A calendar-query.

    @param filter: what stands inside the comp-filter of C{kind}.
    """
    return (
        f"<C:calendar-query {NAMESPACES}><D:prop><D:getetag/>{data}</D:prop><C:filter>"
        f'<C:comp-filter name="VCALENDAR"><C:comp-filter name="{kind}">{filter}</C:comp-filter></C:comp-filter>'
        f"</C:filter>{more}</C:calendar-query>"
    )


def multiget_body(references: Iterable[str], data: str = "<C:calendar-data/>") -> str:
    """A calendar-multiget."""
    hrefs = "".join(f"<D:href>{each}</D:href>" for each in references)
    return f"<C:calendar-multiget {NAMESPACES}><D:prop><D:getetag/>{data}</D:prop>{hrefs}</C:calendar-multiget>"


def names(reply: Reply) -> list[str]:
    """The last segments of the resources of a multistatus."""
    assert reply.status == 207, reply.body
    return [href.rpartition("/")[2] for href in reply.hrefs]


def data_of(reply: Reply) -> list[str]:
    """The calendar-data of a multistatus."""
    return [str(each.text) for each in reply.find("//C:calendar-data")]
