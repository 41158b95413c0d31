"""C{trekctl calendar} and C{trekctl contacts} against a started daemon, and on its files when it is down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.clients.daemon import Daemon
from tests.clients.test_hostile_dav import HTTP

ALICE = "alice@example.com"


def event(uid: str, summary: str, *more: str) -> str:
    """One VEVENT."""
    lines = (f"UID:{uid}", "DTSTAMP:20260101T000000Z", "DTSTART:20260102T100000Z", f"SUMMARY:{summary}", *more)
    return "BEGIN:VEVENT\r\n" + "".join(line + "\r\n" for line in lines) + "END:VEVENT\r\n"


def calendar(*components: str) -> bytes:
    """A file."""
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\n{''.join(components)}END:VCALENDAR\r\n".encode()


def card(uid: str, name: str, version: str = "3.0") -> bytes:
    """One vCard."""
    return f"BEGIN:VCARD\r\nVERSION:{version}\r\nUID:{uid}\r\nFN:{name}\r\nN:{name};;;;\r\nEND:VCARD\r\n".encode()


@pytest.mark.parametrize("is_running", [True, False])
def test_a_calendar_comes_in_and_goes_out(own_daemon: Daemon, tmp_path: Path, is_running: bool) -> None:
    if is_running:
        own_daemon.start()
    (tmp_path / "in.ics").write_bytes(calendar(event("one", "first"), event("a/../b", "second"), event("", "third")))
    assert "3 entries added, 0 replaced, 0 skipped" in own_daemon.trekctl(
        "calendar", "import", ALICE, str(tmp_path / "in.ics")
    )
    (listed,) = [each for each in own_daemon.trekctl_json("calendar", "list", ALICE) if each["name"] == "calendar"]
    assert (listed["title"], listed["entries"]) == ("Calendar", 3)
    own_daemon.trekctl("calendar", "export", ALICE, "Calendar", str(tmp_path / "out.ics"))
    out = (tmp_path / "out.ics").read_text()
    assert out.count("BEGIN:VEVENT") == 3 and out.count("BEGIN:VCALENDAR") == 1
    assert {"SUMMARY:first", "SUMMARY:second", "SUMMARY:third", "UID:a/../b"} <= set(out.splitlines())
    assert "is there already" in own_daemon.trekctl("calendar", "export", ALICE, str(tmp_path / "out.ics"), status=1)
    assert "3 skipped" in own_daemon.trekctl("calendar", "import", ALICE, str(tmp_path / "out.ics"))
    assert "none with faults" in own_daemon.trekctl("check")


def test_entries_that_are_there_are_skipped_or_replaced(own_daemon: Daemon, tmp_path: Path) -> None:
    own_daemon.start()
    file = tmp_path / "in.ics"
    path = "/dav/calendars/alice@example.com/calendar/"
    with HTTP(own_daemon) as client:
        put = client.ask("PUT", path + "mine.ics", calendar(event("one", "mine")), Content_Type="text/calendar")
        assert put.status == 201
        file.write_bytes(calendar(event("one", "theirs"), event("two", "new")))
        assert "1 entries added, 0 replaced, 1 skipped" in own_daemon.trekctl("calendar", "import", ALICE, str(file))
        assert b"SUMMARY:mine" in client.ask("GET", path + "mine.ics").body
        told = own_daemon.trekctl("calendar", "import", "--existing", "replace", ALICE, "calendar", str(file))
        assert "0 entries added, 2 replaced, 0 skipped" in told
        assert b"SUMMARY:theirs" in client.ask("GET", path + "mine.ics").body
        assert b"SUMMARY:new" in client.ask("GET", path + "two.ics").body


def test_bad_entries_are_named_and_the_rest_goes_in(own_daemon: Daemon, tmp_path: Path) -> None:
    own_daemon.start()
    task = "BEGIN:VTODO\r\nUID:task\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:buy milk\r\nEND:VTODO\r\n"
    file = tmp_path / "in.ics"
    file.write_bytes(
        calendar(event("one", "x"), task, event("bad", "x", "RRULE:FREQ=SOMETIMES"), event("two", "x"))
    )
    told = own_daemon.trekctl("calendar", "import", ALICE, str(file), status=1)
    assert "2 entries added, 0 replaced, 0 skipped, 2 refused" in told
    assert "entry 2 (task): this calendar takes no VTODO" in told
    assert "entry 3 (bad): " in told
    told = json.loads(own_daemon.trekctl("--json", "calendar", "import", ALICE, "tasks", str(file), status=1))
    assert told["added"] == 1 and [each["number"] for each in told["failed"]] == [1, 3, 4]


def test_contacts_come_in_and_go_out(own_daemon: Daemon, tmp_path: Path) -> None:
    own_daemon.start()
    file = tmp_path / "in.vcf"
    many = b"".join(card(f"c{number}", f"Person {number}") for number in range(1000))
    file.write_bytes(many + card("four", "Vier", "4.0") + card("two", "Zwei", "2.1") + card("c7", "Twice"))
    told = own_daemon.trekctl("contacts", "import", ALICE, str(file), status=1)
    assert "1001 entries added, 0 replaced, 1 skipped, 1 refused" in told
    assert "entry 1002" in told and "2.1" in told
    with HTTP(own_daemon) as client:
        found = client.ask("GET", "/dav/addressbooks/alice@example.com/contacts/c7.vcf")
        assert found.status == 200 and b"FN:Person 7" in found.body
    out = own_daemon.trekctl("contacts", "export", ALICE, "-")
    assert out.count("BEGIN:VCARD") == out.count("END:VCARD") == 1001


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("calendar", "import", ALICE, "none", "{file}"), "there is no calendar or address book none"),
        (("calendar", "export", "nobody@example.com", "-"), "there is no account nobody@example.com"),
        (("calendar", "import", ALICE, "/does/not/exist"), "No such file"),
        (("contacts", "import", ALICE, "{garbage}"), "no vCard file"),
        (("calendar", "import", ALICE, "{garbage}"), "no iCalendar file"),
    ],
)
def test_what_cannot_be_is_told(own_daemon: Daemon, tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    (tmp_path / "garbage").write_bytes(b"\x00\xff garbage")
    (tmp_path / "file").write_bytes(calendar(event("one", "x")))
    places = {"{garbage}": str(tmp_path / "garbage"), "{file}": str(tmp_path / "file")}
    own_daemon.start()
    assert told in own_daemon.trekctl(*(places.get(word, word) for word in arguments), status=1)
