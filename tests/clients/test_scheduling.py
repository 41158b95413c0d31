"""Invitations between two people with curl and a CalDAV library, and by mail, on a started daemon."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.programs import require, run
from tests.clients.test_imaplib import log_in

CAROL = "carol@outside.example"
PATIENCE = 30.0


class Conversation(socketserver.StreamRequestHandler):
    """SMTP as far as a smart host needs it."""

    def handle(self) -> None:
        self.wfile.write(b"220 sink ESMTP\r\n")
        while line := self.rfile.readline():
            verb = line.strip().upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = list(iter(self.rfile.readline, b".\r\n"))
                server: Any = self.server
                server.mails.append(b"".join(lines))
            self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 OK\r\n")


class Sink(socketserver.ThreadingTCPServer):
    """A smart host that keeps what it gets."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.mails: list[bytes] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class World:
    """The daemon, and its smart host."""

    def __init__(self, directory: Path) -> None:
        self.sink = Sink()
        relay = f'[relay]\nsmarthost = "127.0.0.1:{self.sink.server_address[1]}"\nsmarthost_tls = "none"\n'
        self.daemon = Daemon(directory, relay, reception="lmtp_verified = true")
        self.daemon.add_accounts({"alice@example.com": "pro", "bob@example.com": "pro"})
        self.daemon.start()

    def close(self) -> None:
        self.daemon.close()
        self.sink.shutdown()
        self.sink.server_close()

    def curl(self, user: str, method: str, path: str, *options: str, input: str = "") -> bytes:
        """What the server said, header included."""
        url = f"https://localhost:{self.daemon.ports['https']}/dav/calendars/{user}@example.com/{path}"
        command = (require("curl"), "--silent", "--show-error", "--include", "--cacert", self.daemon.certificate)
        login = ("--user", f"{user}@example.com:{PASSWORD}", "--request", method)
        body = ("--data-binary", "@-", "--header", "Content-Type: text/calendar") if input else ()
        return run(*command, *login, *body, *options, url, input=input.encode()).stdout

    def items(self, user: str, calendar: str = "calendar") -> list[str]:
        """Names in a calendar."""
        answer = self.curl(user, "PROPFIND", f"{calendar}/", "--header", "Depth: 1").decode()
        found = [each.partition("</")[0] for each in answer.split("href>") if ".ics" in each]
        return sorted({each.rpartition("/")[2] for each in found})

    def mails(self, count: int) -> list[Any]:
        """What the smart host got, once it is so many."""
        deadline = time.monotonic() + PATIENCE
        while len(self.sink.mails) < count:
            assert time.monotonic() < deadline, self.daemon.log
            time.sleep(0.1)
        return [email.message_from_bytes(each, policy=email.policy.default) for each in self.sink.mails]

    def until(self, text: bytes, user: str, path: str) -> bytes:
        """An item, once it says something."""
        deadline = time.monotonic() + PATIENCE
        while text not in (found := self.curl(user, "GET", path).replace(b"\r\n ", b"")):
            assert time.monotonic() < deadline, (found, self.daemon.log)
            time.sleep(0.1)
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("scheduling"))
    yield made
    made.close()


def invitation(uid: str, *attendees: str, organizer: str = "alice@example.com", method: str = "") -> str:
    lines = "".join(f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{each}\r\n" for each in attendees)
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n" + (f"METHOD:{method}\r\n" if method else "") +
        f"BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20270301T100000Z\r\nDURATION:PT1H\r\n"
        f"SUMMARY:Tea\r\nORGANIZER:mailto:{organizer}\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )  # fmt: skip


def test_two_people_here(world: World) -> None:
    """An invitation, its answer, a change, the end; over a restart."""
    answer = world.curl("alice", "PUT", "calendar/a.ics", input=invitation("u-1", "bob@example.com"))
    assert b" 201 " in answer and b"schedule-tag:" in answer.lower()
    [name] = world.items("bob")
    assert len(world.items("bob", "inbox")) == 1
    world.daemon.kill()
    world.daemon.start()
    copy = world.curl("bob", "GET", f"calendar/{name}").partition(b"\r\n\r\n")[2].decode()
    accepted = copy.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED")
    assert b" 204 " in world.curl("bob", "PUT", f"calendar/{name}", input=accepted)
    assert b"PARTSTAT=ACCEPTED" in world.curl("alice", "GET", "calendar/a.ics")
    assert b" 204 " in world.curl("alice", "DELETE", "calendar/a.ics")
    assert b"STATUS:CANCELLED" in world.curl("bob", "GET", f"calendar/{name}")


def test_somebody_elsewhere_is_invited_and_answers_by_mail(world: World) -> None:
    """RFC 6047: out through the smart host, back by LMTP."""
    answer = world.curl("alice", "PUT", "calendar/b.ics", input=invitation("u-2", CAROL))
    assert b" 201 " in answer
    assert b"SCHEDULE-STATUS=1.1" in world.curl("alice", "GET", "calendar/b.ics").replace(b"\r\n ", b"")
    [mail] = world.mails(1)
    assert mail["From"].addresses[0].addr_spec == "alice@example.com" and mail["To"].addresses[0].addr_spec == CAROL
    text, calendar = mail.iter_parts()
    assert "What: Tea" in text.get_content() and calendar["Content-Type"].params["method"] == "REQUEST"
    for sender, status in (("mallory@outside.example", "NEEDS-ACTION"), (CAROL, "ACCEPTED")):
        reply = invitation("u-2", CAROL, method="REPLY").replace("NEEDS-ACTION", "ACCEPTED")
        message = (
            f"From: {sender}\nTo: alice@example.com\nSubject: Re: Tea\nMIME-Version: 1.0\n"
            f"Content-Type: text/calendar; method=REPLY; charset=utf-8\n\n{reply}"
        )
        run(
            *(require("swaks"), "--protocol", "LMTP", "--socket", world.daemon.lmtp),
            *("--from", sender, "--to", "alice@example.com", "--data", message.replace("\r\n", "\n")),
        )
        world.until(f"PARTSTAT={status}".encode(), "alice", "calendar/b.ics")
    with log_in(world.daemon) as client:
        assert client.select("INBOX", readonly=True)[1] == [b"2"]


def test_an_invitation_from_elsewhere_is_answered_by_mail(world: World) -> None:
    before = len(world.sink.mails)
    names = set(world.items("bob"))
    message = (
        f"From: {CAROL}\nTo: bob@example.com\nSubject: Tea\nMIME-Version: 1.0\nContent-Type: text/calendar; "
        f"method=REQUEST; charset=utf-8\n\n{invitation('u-3', 'bob@example.com', organizer=CAROL, method='REQUEST')}"
    )
    run(
        *(require("swaks"), "--protocol", "LMTP", "--socket", world.daemon.lmtp),
        *("--from", CAROL, "--to", "bob@example.com", "--data", message.replace("\r\n", "\n")),
    )
    deadline = time.monotonic() + PATIENCE
    while not (new := set(world.items("bob")) - names):
        assert time.monotonic() < deadline, world.daemon.log
        time.sleep(0.1)
    [name] = new
    copy = world.curl("bob", "GET", f"calendar/{name}").partition(b"\r\n\r\n")[2].decode()
    declined = copy.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=DECLINED")
    assert b" 204 " in world.curl("bob", "PUT", f"calendar/{name}", input=declined)
    mails = world.mails(before + 1)
    assert any(mail["Subject"] == "Declined: Tea" for mail in mails)


def test_busy_times_and_a_library(world: World) -> None:
    """The CalDAV library finds inbox and outbox, and asks when somebody is busy (RFC 6638 §5)."""
    caldav = pytest.importorskip("caldav")
    url = f"https://localhost:{world.daemon.ports['https']}/dav/"
    client = caldav.DAVClient(
        url, username="alice@example.com", password=PASSWORD, ssl_verify_cert=str(world.daemon.certificate)
    )
    principal = client.principal()
    assert str(principal.schedule_inbox().url).endswith("/inbox/")
    assert "mailto:alice@example.com" in principal.calendar_user_address_set()
    world.curl("bob", "PUT", "calendar/busy.ics", input=invitation("u-4").replace("ORGANIZER", "X-NOBODY"))
    question = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nBEGIN:VFREEBUSY\r\nUID:q\r\nDTSTAMP:20260101T000000Z\r\n"
        "DTSTART:20270301T000000Z\r\nDTEND:20270302T000000Z\r\nORGANIZER:mailto:alice@example.com\r\n"
        "ATTENDEE:mailto:bob@example.com\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n"
    )
    answer = world.curl("alice", "POST", "outbox/", input=question)
    assert b" 200 " in answer and b"20270301T100000Z/20270301T110000Z" in answer and b"2.0;Success" in answer
