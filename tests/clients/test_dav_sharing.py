"""Two people with curl, a started daemon and one calendar."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.programs import require, run
from tests.clients.vdirsyncer import Device

NAMES = {"D": "DAV:", "CS": "http://calendarserver.org/ns/"}
WORK = "/dav/calendars/alice@example.com/calendar/"
HOME = "/dav/calendars/bob@example.com/"
MOUNT = HOME + "calendar-alice@example.com/"
BOB = "<principal><href>/dav/principals/bob@example.com/</href></principal>"
SYNC = '<sync-collection xmlns="DAV:"><sync-token>%s</sync-token><sync-level>1</sync-level><prop><getetag/></prop>'
SYNC += "</sync-collection>"
EVENT = "\r\n".join(
    (
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example//test//EN", "BEGIN:VEVENT", "UID:%s"),
        *("DTSTAMP:20260101T000000Z", "DTSTART:20260105T100000Z", "DURATION:PT1H", "SUMMARY:%s"),
        *("END:VEVENT", "END:VCALENDAR", ""),
    )
)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with alice and bob."""
    made = Daemon(tmp_path_factory.mktemp("sharing"))
    made.add_accounts({"alice@example.com": "pro", "bob@example.com": "pro"})
    made.start()
    yield made
    made.close()


class Person:
    """Somebody with curl."""

    def __init__(self, daemon: Daemon, name: str) -> None:
        self._daemon = daemon
        self._name = name

    def ask(self, method: str, path: str, body: str = "", *fields: str) -> tuple[int, bytes]:
        """Status and body."""
        login = f"{self._name}@example.com:{PASSWORD}"
        command = [require("curl"), "--silent", "--show-error", "--cacert", self._daemon.certificate, "--user", login]
        command += ["--request", method, "--write-out", "%{http_code}"]
        for field in fields:
            command += ["--header", field]
        if body:
            command += ["--data-binary", "@-"]
        url = f"https://localhost:{self._daemon.ports['https']}{path}"
        output = run(*command, url, input=body.encode()).stdout
        return int(output[-3:]), output[:-3]

    def put(self, path: str, uid: str, summary: str = "Lunch") -> tuple[int, bytes]:
        """Store an event."""
        return self.ask("PUT", path, EVENT % (uid, summary), "Content-Type: text/calendar")

    def sync(self, path: str, token: str = "") -> tuple[str, dict[str, str]]:
        """The new token, and what changed with its status."""
        status, body = self.ask("REPORT", path, SYNC % token)
        assert status == 207, body
        root = etree.fromstring(body)
        changes = {
            _text(each, "D:href"): _text(each, "D:status | D:propstat/D:status").split()[1]
            for each in root.findall("D:response", NAMES)
        }
        return _text(root, "D:sync-token"), changes

    def listing(self, path: str) -> list[str]:
        """What is in a home."""
        body = '<propfind xmlns="DAV:"><prop><resourcetype/></prop></propfind>'
        root = etree.fromstring(self.ask("PROPFIND", path, body, "Depth: 1")[1])
        return [_text(each, "D:href") for each in root.findall("D:response", NAMES)]


def _text(parent: Any, path: str) -> str:
    return str(parent.xpath(path, namespaces=NAMES)[0].text)


def give(alice: Person, *privileges: str) -> None:
    """Alice opens her calendar to Bob."""
    granted = "".join(f"<privilege><{each}/></privilege>" for each in privileges)
    entry = f"<ace>{BOB}<grant>{granted}</grant></ace>" if privileges else ""
    assert alice.ask("ACL", WORK, f'<acl xmlns="DAV:">{entry}</acl>')[0] == 200


def test_a_calendar_is_shared_and_taken_back(daemon: Daemon) -> None:
    alice, bob = Person(daemon, "alice"), Person(daemon, "bob")
    assert alice.put(WORK + "1.ics", "one")[0] == 201
    assert bob.ask("GET", WORK + "1.ics")[0] == 403

    give(alice, "read")
    assert MOUNT in bob.listing(HOME)
    token, changes = bob.sync(MOUNT)
    assert changes == {MOUNT + "1.ics": "200"}
    assert b"UID:one" in bob.ask("GET", MOUNT + "1.ics")[1]
    status, refusal = bob.put(MOUNT + "2.ics", "two")
    assert status == 403
    assert etree.fromstring(refusal).xpath("string(D:need-privileges/D:resource/D:href)", namespaces=NAMES) == MOUNT
    alice.put(WORK + "3.ics", "three")
    alice.ask("DELETE", WORK + "1.ics")
    token, changes = bob.sync(MOUNT, token)
    assert changes == {MOUNT + "3.ics": "200", MOUNT + "1.ics": "404"}

    give(alice, "read", "write")
    assert bob.put(MOUNT + "2.ics", "two")[0] == 201
    assert b"UID:two" in alice.ask("GET", WORK + "2.ics")[1]
    multiget = '<C:calendar-multiget xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns="DAV:"><prop><getetag/></prop>'
    multiget += f"<href>{MOUNT}2.ics</href><href>{MOUNT}9.ics</href></C:calendar-multiget>"
    status, answer = bob.ask("REPORT", MOUNT, multiget)
    assert (status, answer.count(b"200 OK"), answer.count(b"404 Not Found")) == (207, 1, 1)
    wanted = '<propfind xmlns="DAV:"><prop><S:invite xmlns:S="http://calendarserver.org/ns/"/></prop></propfind>'
    assert b"mailto:bob@example.com" in alice.ask("PROPFIND", WORK, wanted, "Depth: 0")[1]

    give(alice)
    assert MOUNT not in bob.listing(HOME)
    assert bob.ask("GET", MOUNT + "2.ics")[0] == 404
    assert bob.ask("GET", WORK + "2.ics")[0] == 403
    assert bob.put(WORK + "2.ics", "two")[0] == 403


def test_shares_outlive_the_daemon(daemon: Daemon) -> None:
    alice, bob = Person(daemon, "alice"), Person(daemon, "bob")
    give(alice, "read")
    color = '<I:calendar-color xmlns:I="http://apple.com/ns/ical/">#112233FF</I:calendar-color>'
    change = f'<propertyupdate xmlns="DAV:"><set><prop>{color}</prop></set></propertyupdate>'
    assert bob.ask("PROPPATCH", MOUNT, change)[0] == 207
    daemon.stop()
    daemon.start()
    wanted = '<propfind xmlns="DAV:"><prop><calendar-color xmlns="http://apple.com/ns/ical/"/></prop></propfind>'
    assert b"#112233FF" in bob.ask("PROPFIND", MOUNT, wanted, "Depth: 0")[1]
    assert b"#112233FF" not in alice.ask("PROPFIND", WORK, wanted, "Depth: 0")[1]
    give(alice)


def test_an_administrator_shares(daemon: Daemon) -> None:
    bob = Person(daemon, "bob")
    assert "bob@example.com reads" in daemon.trekctl(
        "share", "add", "alice@example.com", "addressbooks/contacts", "bob@example.com"
    )
    shown = "/dav/addressbooks/bob@example.com/contacts-alice@example.com/"
    assert shown in bob.listing("/dav/addressbooks/bob@example.com/")
    assert "addressbooks/contacts" in daemon.trekctl("share", "list", "alice@example.com")
    daemon.trekctl("share", "remove", "alice@example.com", "addressbooks/contacts", "bob@example.com")
    assert shown not in bob.listing("/dav/addressbooks/bob@example.com/")


def test_vdirsyncer_keeps_what_is_shared(daemon: Daemon, tmp_path: Path) -> None:
    """As one more calendar of one's own: events and names go both ways, and it vanishes with the right."""
    alice, bob = Person(daemon, "alice"), Person(daemon, "bob")
    give(alice, "read", "write")
    alice.put(WORK + "s1.ics", "s1", "Hers")
    device = Device(daemon, tmp_path, "bob@example.com")
    device.discover()
    device.sync()
    copies = device.files / "calendar-alice@example.com"
    assert "UID:s1" in (copies / "s1.ics").read_text()
    (copies / "s2.ics").write_text(EVENT % ("s2", "His"))
    device.sync()
    assert any(b"UID:s2" in alice.ask("GET", href)[1] for href in alice.sync(WORK)[1])
    device.sync_metadata()
    assert (copies / "displayname").read_text() == "Calendar (alice@example.com)"
    (copies / "displayname").write_text("Alice's")
    device.sync_metadata()
    wanted = '<propfind xmlns="DAV:"><prop><displayname/></prop></propfind>'
    assert b"Alice's" in bob.ask("PROPFIND", MOUNT, wanted, "Depth: 0")[1]
    assert b"Alice's" not in alice.ask("PROPFIND", WORK, wanted, "Depth: 0")[1]
    give(alice)
    device.sync(status=1)
    assert (copies / "s1.ics").exists(), "nothing is lost by a share that ends"
