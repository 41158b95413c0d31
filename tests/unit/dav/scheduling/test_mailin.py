"""Messages that come by mail (RFC 6047): who is believed, and what a mail may hold."""

from __future__ import annotations

import base64

import pytest

from tests.fakes.davsite import ALICE, BOB
from tests.unit.dav.scheduling.test_changes import CAROL, Hosts, invitation, status_in
from trekd.dav.scheduling.mailin import MailWitness, messages_in
from trekd.queue.interfaces import Incoming, MailTransaction
from trekd.store.interfaces import InMemory
from trekd.values import Address, PrincipalId


@pytest.fixture
def host() -> Hosts:
    return Hosts()


def mail(calendar: str, sender: str = CAROL, encoding: str = "8bit", charset: str = "utf-8") -> bytes:
    body = calendar.encode(charset)
    octets = base64.encodebytes(body).replace(b"\n", b"\r\n") if encoding == "base64" else body
    method = calendar.partition("METHOD:")[2].partition("\r\n")[0]
    head = (
        f"From: Somebody <{sender}>\r\nTo: x@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nWords.\r\n"
        f"--b\r\nContent-Type: text/calendar; charset={charset}; method={method}\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode() + octets + b"\r\n--b--\r\n"


def method(name: str, calendar: str) -> str:
    return calendar.replace("VERSION:2.0\r\n", f"VERSION:2.0\r\nMETHOD:{name}\r\n")


def arrive(
    host: Hosts, octets: bytes, to: str = ALICE, author: str = "elsewhere.example", principal: str | None = None,
    junk: bool = False,
) -> None:  # fmt: skip
    transaction = MailTransaction(
        Address.parse(CAROL), (), PrincipalId(principal) if principal else None, junk=junk, author=author
    )
    header = octets[: octets.index(b"\r\n\r\n") + 4]
    witness = MailWitness(host.scheduler)
    host.run(witness.delivered(host.directory.accounts[to], Incoming(transaction, header), InMemory(octets)))


def answer(status: str = "ACCEPTED", who: str = CAROL) -> str:
    return method("REPLY", invitation(f"ATTENDEE;PARTSTAT={status}:mailto:{who}"))


@pytest.mark.parametrize("encoding", ["8bit", "base64"])
def test_an_answer_by_mail_changes_the_event(host: Hosts, encoding: str) -> None:
    """RFC 6047 §2, RFC 6638 §4.2."""
    host.put(ALICE, invitation(CAROL))
    arrive(host, mail(answer(), encoding=encoding))
    assert b"PARTSTAT=ACCEPTED" in host.only(ALICE) and status_in(host.only(ALICE), CAROL) == "2.0"
    assert b"METHOD:REPLY" in host.only(ALICE, "inbox")


@pytest.mark.parametrize(
    ("sender", "author", "junk"),
    [
        (CAROL, "", False),
        (CAROL, "other.example", False),
        ("mallory@elsewhere.example", "elsewhere.example", False),
        (CAROL, "elsewhere.example", True),
        (f"{CAROL}>, <mallory@elsewhere.example", "elsewhere.example", False),
    ],
)
def test_a_forged_answer_changes_nothing(host: Hosts, sender: str, author: str, junk: bool) -> None:
    """RFC 6047 §2.2.1: the organizer ignores who answers for somebody else."""
    host.put(ALICE, invitation(CAROL))
    before = host.only(ALICE)
    arrive(host, mail(answer(), sender), author=author, junk=junk)
    assert host.only(ALICE) == before and host.items(ALICE, "inbox") == {}


def test_an_answer_of_somebody_here_counts_when_they_have_logged_in(host: Hosts) -> None:
    host.put(ALICE, invitation(f"ATTENDEE;SCHEDULE-AGENT=CLIENT;PARTSTAT=NEEDS-ACTION:mailto:{BOB}"))
    arrive(host, mail(answer(who=BOB), CAROL), principal=ALICE)
    assert b"PARTSTAT=NEEDS-ACTION" in host.only(ALICE)
    arrive(host, mail(answer(who=BOB), BOB), principal=BOB, author="")
    assert b"PARTSTAT=ACCEPTED" in host.only(ALICE)


def test_an_invitation_by_mail_is_in_the_calendar_changes_and_ends(host: Hosts) -> None:
    text = method("REQUEST", invitation(BOB, organizer=CAROL, more="SUMMARY:Köln"))
    arrive(host, mail(text, charset="iso-8859-1"), to=BOB)
    assert "SUMMARY:Köln".encode() in host.only(BOB) and b"PARTSTAT=NEEDS-ACTION" in host.only(BOB)
    assert b"METHOD:REQUEST" in host.only(BOB, "inbox")
    forged = method("CANCEL", invitation(BOB, organizer=CAROL, more="SEQUENCE:1\r\nSTATUS:CANCELLED"))
    arrive(host, mail(forged, "mallory@elsewhere.example"), to=BOB)
    assert b"CANCELLED" not in host.only(BOB)
    arrive(host, mail(forged), to=BOB)
    assert b"STATUS:CANCELLED" in host.only(BOB)


def test_an_invitation_for_somebody_else_is_not_entered(host: Hosts) -> None:
    arrive(host, mail(method("REQUEST", invitation("else@example.com", organizer=CAROL))), to=BOB)
    assert host.items(BOB) == {}


def test_the_answer_to_an_invitation_by_mail_leaves_by_mail(host: Hosts) -> None:
    arrive(host, mail(method("REQUEST", invitation(BOB, organizer=CAROL))), to=BOB)
    path = host.path_of(BOB)
    text = host.client(BOB).request("GET", path).body.replace(b"PARTSTAT=NEEDS-ACTION", b"PARTSTAT=TENTATIVE")
    assert host.client(BOB).request("PUT", path, text).status == 204
    [(transaction, octets)] = host.flow.sent
    assert [str(each.address) for each in transaction.recipients] == [CAROL] and b'method="REPLY"' in octets


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/calendar\r\n\r\n\xff\r\n--b--",
        mail("BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\n"),
        mail(method("PUBLISH", invitation())),
        b"Content-Type: text/calendar; charset=utf-7\r\n\r\n" + answer().encode() * 2,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 5000,
    ],
)
def test_a_mail_may_hold_anything(octets: bytes) -> None:
    messages_in(octets)


def test_many_calendars_in_one_mail_are_bounded() -> None:
    parts = "".join(
        f"--b\r\nContent-Type: text/calendar\r\n\r\n{method('REPLY', invitation(CAROL, uid=str(number)))}\r\n"
        for number in range(20)
    )
    octets = f"Content-Type: multipart/mixed; boundary=b\r\n\r\n{parts}--b--\r\n".encode()
    assert len(messages_in(octets)) == 3
