"""Questions about busy times (RFC 6638 §5)."""

from __future__ import annotations

import pytest

from tests.fakes.davsite import ALICE, BOB, DAVHost, Reply
from trekd.config.schema import DAVConfig

OUTBOX = "/dav/calendars/alice@example.com/outbox/"
C = "urn:ietf:params:xml:ns:caldav"


def question(*attendees: str, organizer: str = ALICE, end: str = "20270302T000000Z", method: str = "REQUEST") -> str:
    people = "".join(f"ATTENDEE:mailto:{each}\r\n" for each in attendees)
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:{method}\r\nBEGIN:VFREEBUSY\r\nUID:q\r\nDTSTAMP:20260101T000000Z\r\n"
        f"DTSTART:20270301T000000Z\r\nDTEND:{end}\r\nORGANIZER:mailto:{organizer}\r\n{people}"
        "END:VFREEBUSY\r\nEND:VCALENDAR\r\n"
    )


def event(uid: str, hour: int, more: str = "") -> str:
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\n"
        f"DTSTART:20270301T{hour:02}0000Z\r\nDURATION:PT1H\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )


def busy_host(config: DAVConfig | None = None) -> DAVHost:
    host = DAVHost(config)
    bob = host.client(BOB)
    home = "/dav/calendars/bob@example.com/"
    bob.request("PUT", home + "calendar/a.ics", event("a", 10))
    bob.request("PUT", home + "calendar/b.ics", event("b", 12, "TRANSP:TRANSPARENT\r\n"))
    bob.request("PUT", home + "calendar/c.ics", event("c", 14, "STATUS:TENTATIVE\r\n"))
    bob.request("MKCALENDAR", home + "free/")
    bob.request("PUT", home + "free/d.ics", event("d", 16))
    value = "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>"
    body = f'<D:propertyupdate xmlns:D="DAV:" xmlns:C="{C}"><D:set><D:prop>{value}</D:prop></D:set></D:propertyupdate>'
    bob.request("PROPPATCH", home + "free/", body)
    return host


def ask(host: DAVHost, text: str, user: str = ALICE, path: str = OUTBOX) -> Reply:
    return host.client(user).request("POST", path, text, Content_Type="text/calendar; charset=utf-8")


def test_busy_times_of_each_are_told() -> None:
    """RFC 6638 §5, §9.1, §10; what takes no time is not told, nor what it is about."""
    reply = ask(busy_host(), question(BOB, "nobody@example.com"))
    assert reply.status == 200
    statuses = reply.find("/C:schedule-response/C:response/C:request-status/text()")
    assert statuses == ["2.0;Success", "3.7;Invalid calendar user"]
    assert reply.find("//C:response/C:recipient/D:href/text()") == [f"mailto:{BOB}", "mailto:nobody@example.com"]
    [data] = reply.find("//C:calendar-data/text()")
    assert "FREEBUSY;FBTYPE=BUSY:20270301T100000Z/20270301T110000Z" in data
    assert "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20270301T140000Z/20270301T150000Z" in data
    assert "T120000Z" not in data and "T160000Z" not in data
    assert "METHOD:REPLY" in data and f"ATTENDEE:mailto:{BOB}" in data and "UID:q" in data


def test_availability_counts() -> None:
    """RFC 7953 §5, §7.2.4."""
    host = busy_host()
    availability = (
        "BEGIN:VCALENDAR&#13;\nVERSION:2.0&#13;\nBEGIN:VAVAILABILITY&#13;\nUID:v&#13;\nDTSTAMP:20260101T000000Z&#13;\n"
        "BEGIN:AVAILABLE&#13;\nUID:w&#13;\nDTSTAMP:20260101T000000Z&#13;\nDTSTART:20270301T080000Z&#13;\n"
        "DTEND:20270301T180000Z&#13;\nEND:AVAILABLE&#13;\nEND:VAVAILABILITY&#13;\nEND:VCALENDAR"
    )
    value = f"<C:calendar-availability>{availability}</C:calendar-availability>"
    body = f'<D:propertyupdate xmlns:D="DAV:" xmlns:C="{C}"><D:set><D:prop>{value}</D:prop></D:set></D:propertyupdate>'
    host.client(BOB).request("PROPPATCH", "/dav/calendars/bob@example.com/inbox/", body)
    [data] = ask(host, question(BOB)).find("//C:calendar-data/text()")
    assert "FBTYPE=BUSY-UNAVAILABLE:20270301T000000Z/20270301T080000Z" in data.replace("\r\n ", "").replace("\n ", "")


def test_who_may_not_know_is_not_told() -> None:
    """RFC 6638 §6.1.4."""
    reply = ask(busy_host(DAVConfig(free_busy="shared")), question(BOB))
    assert reply.find("//C:request-status/text()") == ["3.8;No authority"]
    assert reply.find("//C:calendar-data") == []
    own = ask(busy_host(DAVConfig(free_busy="shared")), question(ALICE))
    assert own.find("//C:request-status/text()") == ["2.0;Success"]


@pytest.mark.parametrize(
    ("text", "status", "condition"),
    [
        ("x", 400, "valid-calendar-data"),
        (question(BOB, method="PUBLISH"), 400, "valid-scheduling-message"),
        (question(), 400, "valid-scheduling-message"),
        (question(BOB, end="20270201T000000Z"), 400, "valid-scheduling-message"),
        (question(BOB, end="20470201T000000Z"), 400, "valid-scheduling-message"),
        (question(BOB, end="never"), 400, "valid-scheduling-message"),
        (event("a", 10), 400, "valid-scheduling-message"),
        (question(BOB, organizer=BOB), 403, "valid-organizer"),
        (question(*(f"{number}@example.com" for number in range(501))), 403, "max-attendees-per-instance"),
    ],
)
def test_what_is_no_question_is_refused(text: str, status: int, condition: str) -> None:
    """RFC 6638 §5.2."""
    reply = ask(DAVHost(), text)
    assert reply.status == status and reply.condition == f"{{{C}}}{condition}"


def test_nobody_asks_in_the_name_of_others() -> None:
    assert ask(DAVHost(), question(BOB), user=BOB).status == 403
