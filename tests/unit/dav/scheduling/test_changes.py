"""Implicit scheduling between accounts, and by mail (RFC 6638 §3, §4)."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.fakes.davsite import ALICE, BOB, DAVHost, Reply
from trekd.config.schema import DAVConfig
from trekd.dav.scheduling.journal import Entry, MemoryJournal, Message
from trekd.dav.scheduling.people import Local, persons_of
from trekd.dav.scheduling.scheduler import Scheduler
from trekd.errors import DirectoryDown, NoSuchRecipient, PlanForbidsRelay, TrekError
from trekd.queue.interfaces import MailTransaction, Outcome, Route, RouteKind
from trekd.store.collections import CollectionKind
from trekd.store.interfaces import IMessageSource
from trekd.values import Address, PrincipalId

CAROL = "carol@elsewhere.example"


@dataclass
class FakeFlow:
    """Takes mail for everybody elsewhere."""

    sent: list[tuple[MailTransaction, bytes]] = field(default_factory=list)

    async def resolve(self, account: Any, recipient: Address, accepted: Any = (), octets: int = 0) -> Route:
        if recipient.domain == "example.com":
            raise NoSuchRecipient()
        if recipient.domain == "forbidden.example":
            raise PlanForbidsRelay("nano")
        return Route(RouteKind.RELAY)

    async def accept(self, transaction: MailTransaction, message: IMessageSource) -> tuple[Outcome, ...]:
        self.sent.append((transaction, await message.octets()))
        return tuple(map(Outcome, transaction.recipients))


class Hosts(DAVHost):
    """A host with mail and a journal."""

    def __init__(self, config: DAVConfig | None = None) -> None:
        super().__init__(config)
        self.flow = FakeFlow()
        self.journal = MemoryJournal()
        flow: Any = self.flow
        self.scheduler = Scheduler(self.site, flow, self.journal)
        self.site.parts[Scheduler] = self.scheduler

    def items(self, user: str, name: str = "calendar") -> dict[str, bytes]:
        """What is in a calendar, or the inbox."""
        shelf = self.shelf(user)
        found = [each for each in self.run(shelf.collections()) if each.name == name and each.parent is None]
        if not found:
            return {}
        states = self.run(shelf.items(found[0].id))
        pairs = self.run(shelf.contents(found[0].id, [each.name for each in states]))
        return {state.name: octets.replace(b"\r\n ", b"") for state, octets in pairs}

    def only(self, user: str, name: str = "calendar") -> bytes:
        """The one item."""
        [found] = self.items(user, name).values()
        return found

    def put(self, user: str, text: str, name: str = "a.ics", **headers: str) -> Reply:
        return self.client(user).request("PUT", f"/dav/calendars/{user}/calendar/{name}", text, **headers)

    def path_of(self, user: str) -> str:
        [name] = self.items(user)
        return f"/dav/calendars/{user}/calendar/{name}"


@pytest.fixture
def host() -> Hosts:
    return Hosts()


def invitation(*attendees: str, more: str = "SUMMARY:Tea", uid: str = "u1", organizer: str = ALICE) -> str:
    lines = "".join(
        f"{each}\r\n" if each.startswith("ATTENDEE") else f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{each}\r\n"
        for each in attendees
    )
    start = "" if "DTSTART" in more else "DTSTART:20270301T100000Z\r\n"
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\n"
        f"{start}DURATION:PT1H\r\nORGANIZER:mailto:{organizer}\r\n{lines}{more}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )


def status_in(octets: bytes, address: str) -> str:
    [line] = [each for each in octets.decode().split("\r\n") if each.startswith("ATT") and each.endswith(address)]
    return line.partition("SCHEDULE-STATUS=")[2].partition(":")[0].partition(";")[0].strip('"')


def test_an_invitation_is_in_the_calendar_and_inbox_of_who_is_invited(host: Hosts) -> None:
    """RFC 6638 §3.2.1.1, §4.1; Schedule-Tag §8.2; what was rewritten has no ETag told (RFC 4791 §5.3.4)."""
    reply = host.put(ALICE, invitation(BOB))
    assert reply.status == 201 and reply.headers["schedule-tag"] and "etag" not in reply.headers
    assert b"PARTSTAT=NEEDS-ACTION:mailto:bob@example.com" in host.only(BOB)
    assert b"SCHEDULE-" not in host.only(BOB)
    assert b"METHOD:REQUEST" in host.only(BOB, "inbox")
    assert status_in(host.only(ALICE), BOB) == "1.2"
    assert host.journal.kept == {}
    shown = host.client(ALICE).request("GET", "/dav/calendars/alice@example.com/calendar/a.ics")
    assert shown.headers["schedule-tag"] == reply.headers["schedule-tag"]


def test_an_event_of_nobody_else_is_stored_as_it_came(host: Hosts) -> None:
    text = invitation().replace("ORGANIZER:mailto:alice@example.com\r\n", "")
    reply = host.put(ALICE, text)
    assert reply.status == 201 and "schedule-tag" not in reply.headers and reply.headers["etag"]
    alone = host.put(ALICE, invitation(uid="u2"), "b.ics")
    assert alone.headers["schedule-tag"] and alone.headers["etag"]
    assert host.items(BOB) == {}


def test_an_answer_comes_back(host: Hosts) -> None:
    """RFC 6638 §3.2.2.3, §4.2: the organizer's schedule tag stays, the etag does not."""
    tag = host.put(ALICE, invitation(BOB)).headers["schedule-tag"]
    path = host.path_of(BOB)
    text = host.client(BOB).request("GET", path).body.replace(b"PARTSTAT=NEEDS-ACTION", b"PARTSTAT=ACCEPTED")
    reply = host.client(BOB).request("PUT", path, text)
    assert reply.status == 204 and reply.headers["schedule-tag"] != tag
    assert b"PARTSTAT=ACCEPTED" in host.only(ALICE)
    assert status_in(host.only(ALICE), BOB) == "2.0"
    assert b"METHOD:REPLY" in host.only(ALICE, "inbox")
    assert b"ORGANIZER;SCHEDULE-STATUS=1.2" in host.only(BOB)
    shown = host.client(ALICE).request("GET", "/dav/calendars/alice@example.com/calendar/a.ics")
    assert shown.headers["schedule-tag"] == tag


def test_what_is_put_by_schedule_tag_keeps_answers(host: Hosts) -> None:
    """RFC 6638 §3.2.10.1, §8.3."""
    tag = host.put(ALICE, invitation(BOB)).headers["schedule-tag"]
    path = host.path_of(BOB)
    text = host.client(BOB).request("GET", path).body.replace(b"PARTSTAT=NEEDS-ACTION", b"PARTSTAT=ACCEPTED")
    host.client(BOB).request("PUT", path, text)
    reply = host.put(ALICE, invitation(BOB, more="SUMMARY:Cake"), If_Schedule_Tag_Match=tag)
    assert reply.status == 204
    assert b"PARTSTAT=ACCEPTED" in host.only(ALICE) and b"SUMMARY:Cake" in host.only(ALICE)
    assert b"SUMMARY:Cake" in host.only(BOB) and b"PARTSTAT=ACCEPTED" in host.only(BOB)
    assert host.put(ALICE, invitation(BOB), If_Schedule_Tag_Match=tag).status == 412
    assert host.put(ALICE, invitation(BOB), If_Schedule_Tag_Match='"').status == 400


def test_a_removed_event_is_cancelled_and_a_removed_copy_declines(host: Hosts) -> None:
    """RFC 6638 §3.2.1.3, §3.2.2.4."""
    host.put(ALICE, invitation(BOB))
    assert host.client(ALICE).request("DELETE", "/dav/calendars/alice@example.com/calendar/a.ics").status == 204
    assert b"STATUS:CANCELLED" in host.only(BOB)
    assert any(b"METHOD:CANCEL" in each for each in host.items(BOB, "inbox").values())
    host.put(ALICE, invitation(BOB, uid="u2"), "b.ics")
    [path] = [name for name, octets in host.items(BOB).items() if b"UID:u2" in octets]
    host.client(BOB).request("DELETE", f"/dav/calendars/bob@example.com/calendar/{path}")
    assert b"PARTSTAT=DECLINED" in host.only(ALICE)


def test_a_copy_can_be_removed_without_an_answer(host: Hosts) -> None:
    """Schedule-Reply (RFC 6638 §8.1)."""
    host.put(ALICE, invitation(BOB))
    host.client(BOB).request("DELETE", host.path_of(BOB), Schedule_Reply="F")
    assert host.items(BOB) == {}
    assert b"PARTSTAT=NEEDS-ACTION" in host.only(ALICE)


def test_a_removed_calendar_cancels_what_is_in_it(host: Hosts) -> None:
    """RFC 6638 §3.2.3.2, §4.3.1.1."""
    client = host.client(ALICE)
    client.request("MKCALENDAR", "/dav/calendars/alice@example.com/work/")
    client.request("PUT", "/dav/calendars/alice@example.com/work/a.ics", invitation(BOB))
    assert client.request("DELETE", "/dav/calendars/alice@example.com/work/").status == 204
    assert b"STATUS:CANCELLED" in host.only(BOB)
    reply = client.request("DELETE", "/dav/calendars/alice@example.com/calendar/")
    assert reply.status == 403 and reply.condition.endswith("}default-calendar-needed")


def test_who_is_elsewhere_gets_mail(host: Hosts) -> None:
    """RFC 6047 §2."""
    host.put(ALICE, invitation(BOB, CAROL, more="SUMMARY:Kaffee — früh\r\nLOCATION:Küche"))
    [(transaction, octets)] = host.flow.sent
    assert [str(each.address) for each in transaction.recipients] == [CAROL]
    assert transaction.recipients[0].notify == (), "a failure is told as of any mail"
    assert transaction.principal == ALICE and str(transaction.reverse_path) == ALICE
    mail: Any = email.message_from_bytes(octets, policy=email.policy.default)
    assert mail.get_content_type() == "multipart/alternative"
    assert "Kaffee — früh" in mail["Subject"] and mail["From"].addresses[0].addr_spec == ALICE
    text, calendar = mail.iter_parts()
    assert "Küche" in text.get_content() and text.get_content_type() == "text/plain"
    assert calendar.get_content_type() == "text/calendar" and calendar["Content-Type"].params["method"] == "REQUEST"
    assert calendar["Content-Type"].params["charset"] == "utf-8"
    assert "METHOD:REQUEST" in calendar.get_content() and "SCHEDULE-" not in calendar.get_content()
    assert status_in(host.only(ALICE), CAROL) == "1.1"
    host.client(ALICE).request("DELETE", "/dav/calendars/alice@example.com/calendar/a.ics")
    assert b'method="CANCEL"' in host.flow.sent[1][1]


@pytest.mark.parametrize(
    ("address", "status"),
    [("nobody@example.com", "3.7"), ("x@forbidden.example", "5.3"), ("no address", "3.7")],
)
def test_who_cannot_be_reached_is_told(host: Hosts, address: str, status: str) -> None:
    """RFC 6638 §3.2.9."""
    line = f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{address}"
    assert host.put(ALICE, invitation(BOB, line)).status == 201
    assert status_in(host.only(ALICE), address) == status
    assert status_in(host.only(ALICE), BOB) == "1.2"


def test_a_text_of_an_invitation_never_becomes_a_header(host: Hosts) -> None:
    host.put(ALICE, invitation(CAROL, more="SUMMARY:a\\nBcc: x@y.example\\r\\n\\nb\r\nDESCRIPTION:\\n.\\nx"))
    mail: Any = email.message_from_bytes(host.flow.sent[0][1], policy=email.policy.default)
    assert mail["Bcc"] is None and mail["Subject"].startswith("Invitation: a Bcc")


def test_the_outside_organizer_gets_the_answer_by_mail(host: Hosts) -> None:
    """An event that was stored from a mail (RFC 6638 §3.2.2.2)."""
    accepted = f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{BOB}"
    reply = host.put(BOB, invitation(accepted, organizer=CAROL))
    assert reply.status == 201
    [(transaction, octets)] = host.flow.sent
    assert [str(each.address) for each in transaction.recipients] == [CAROL]
    assert b'method="REPLY"' in octets and b"Subject: Accepted: Tea" in octets
    assert b"ORGANIZER;SCHEDULE-STATUS=1.1" in host.only(BOB)


def test_preconditions_of_scheduling(host: Hosts) -> None:
    """RFC 6638 §3.2.4."""
    host.put(ALICE, invitation(BOB))
    wrong = f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{BOB}"
    assert host.put(ALICE, invitation(wrong)).condition.endswith("}allowed-organizer-scheduling-object-change")
    path = host.path_of(BOB)
    text = host.client(BOB).request("GET", path).body.replace(b"SUMMARY:Tea", b"SUMMARY:Cake")
    changed = host.client(BOB).request("PUT", path, text)
    assert changed.status == 403 and changed.condition.endswith("}allowed-attendee-scheduling-object-change")
    two = invitation(BOB, uid="u3").replace("END:VCALENDAR\r\n", "") + invitation(BOB, uid="u3").partition(
        "PRODID:x\r\n")[2].replace("DURATION", "RECURRENCE-ID:20270301T100000Z\r\nDURATION").replace(
        f"ORGANIZER:mailto:{ALICE}", "ORGANIZER:mailto:x@example.com")
    assert host.put(ALICE, two, "two.ics").condition.endswith("}same-organizer-in-all-components")
    host.client(ALICE).request("MKCALENDAR", "/dav/calendars/alice@example.com/work/")
    again = host.client(ALICE).request("PUT", "/dav/calendars/alice@example.com/work/b.ics", invitation(BOB))
    assert again.status == 403 and again.condition.endswith("}unique-scheduling-object-resource")
    assert again.find("//D:href/text()") == ["/dav/calendars/alice@example.com/calendar/a.ics"]
    copied = host.client(ALICE).request(
        "COPY", "/dav/calendars/alice@example.com/calendar/a.ics",
        Destination="/dav/calendars/alice@example.com/work/a.ics")  # fmt: skip
    assert copied.condition.endswith("}unique-scheduling-object-resource")
    moved = host.client(ALICE).request(
        "MOVE", "/dav/calendars/alice@example.com/calendar/a.ics",
        Destination="/dav/calendars/alice@example.com/work/a.ics")  # fmt: skip
    assert moved.status == 201 and moved.headers["schedule-tag"]


def test_too_many_attendees_are_refused() -> None:
    host = Hosts(DAVConfig(max_attendees=10))
    many = [f"a{number}@elsewhere.example" for number in range(11)]
    reply = host.put(ALICE, invitation(*many))
    assert reply.status == 403 and reply.condition.endswith("}max-attendees-per-instance")
    assert host.flow.sent == []


def test_nobody_changes_what_somebody_else_organizes(host: Hosts) -> None:
    """A message about a known UID from another organizer is refused."""
    host.put(ALICE, invitation(BOB))
    mallory = invitation(BOB, organizer="mallory@elsewhere.example", more="SUMMARY:Mine")
    forged = mallory.replace("VERSION:2.0\r\n", "VERSION:2.0\r\nMETHOD:REQUEST\r\n").encode()
    bob = host.directory.accounts[BOB]
    status = host.run(host.scheduler.deliver(Local(bob, persons_of(bob)), Message("REQUEST", (BOB,), forged)))
    assert status == "5.3"
    assert b"SUMMARY:Tea" in host.only(BOB)


def test_messages_that_were_under_way_are_sent_at_the_next_start(host: Hosts) -> None:
    """The change was stored, and the daemon ended before anybody heard of it."""
    octets = invitation(BOB).replace("VERSION:2.0\r\n", "VERSION:2.0\r\nMETHOD:REQUEST\r\n").encode()
    host.put(ALICE, invitation())
    calendar = host.collection("calendar", CollectionKind.CALENDAR)
    [state] = host.run(host.shelf(ALICE).items(calendar.id))
    messages = (Message("REQUEST", (BOB,), octets),)
    stored = Entry(PrincipalId(ALICE), calendar.id, "a.ics", messages, state.schedule_tag)
    host.run(host.journal.add(stored))
    host.run(host.scheduler.recover())
    assert b"UID:u1" in host.only(BOB) and host.journal.kept == {}
    never = Entry(PrincipalId(ALICE), calendar.id, "a.ics", messages, "othertag")
    kept = Entry(PrincipalId(ALICE), calendar.id, "a.ics", messages, "", state.etag)
    host.client(BOB).request("DELETE", host.path_of(BOB), Schedule_Reply="F")
    host.run(host.journal.add(never))
    host.run(host.journal.add(kept))
    host.run(host.scheduler.recover())
    assert host.items(BOB) == {} and host.journal.kept == {}


def test_an_account_that_does_not_answer_is_told_as_such(host: Hosts) -> None:
    """RFC 6638 §3.2.9: 5.1."""
    opened = host.store.open

    def failing(principal: PrincipalId, quota: int = 0) -> Any:
        if principal == BOB:
            raise TrekError()
        return opened(principal, quota)

    host.store.open = failing  # type: ignore[method-assign]
    assert host.put(ALICE, invitation(BOB)).status == 201
    host.store.open = opened  # type: ignore[method-assign]
    assert status_in(host.only(ALICE), BOB) == "5.1"


def test_a_directory_that_does_not_answer_is_told_as_such(host: Hosts) -> None:
    found = host.directory.find

    async def find(address: Address) -> Any:
        if str(address) == BOB:
            raise DirectoryDown()
        return await found(address)

    host.directory.find = find  # type: ignore[method-assign]
    assert host.put(ALICE, invitation(BOB)).status == 201
    assert status_in(host.only(ALICE), BOB) == "5.1"


def test_many_are_told_after_the_answer(host: Hosts) -> None:
    """All of them, and the journal is empty again."""
    many = [f"a{number}@elsewhere.example" for number in range(60)]
    assert host.put(ALICE, invitation(BOB, *many)).status == 201
    for _ in range(50):
        host.clock.advance(0)
    [(transaction, _)] = host.flow.sent
    assert sorted(str(each.address) for each in transaction.recipients) == sorted(many)
    assert status_in(host.only(ALICE), BOB) == "1.2" and status_in(host.only(ALICE), many[59]) == "1.1"
    assert host.journal.kept == {}
