"""
WebDAV against whoever means ill: hostile documents, paths, bodies and headers, a full disk, a kill in the middle.

Every answer is a clean status with a reason, memory stays bounded, others do not notice, and the daemon lives.
"""

from __future__ import annotations

import base64
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import unquote

import pytest
from lxml import etree

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.hostile import IMAP, Line, answer_time, bounded_memory, wait_until

MB = 1_000_000
PROMPT = 2.0
FILES = "/dav/files/alice@example.com/"
CHANGES = ("PUT", "PROPPATCH", "DELETE", "MKCOL", "COPY", "MOVE", "LOCK")
METHODS = ("GET", "HEAD", "PROPFIND", "REPORT", "OPTIONS", *CHANGES)
SECRET = b"s3cret words"


@dataclass(frozen=True)
class Reply:
    """An answer; C{status} is 0 when the server closed without one."""

    status: int
    headers: dict[str, str]
    body: bytes


class HTTP(Line):
    """A client of WebDAV that says anything."""

    def __init__(self, daemon: Daemon, name: str = "alice", password: str = PASSWORD) -> None:
        """
        @param name: whose credentials are sent, '' for none.
        """
        super().__init__(daemon, "https")
        token = base64.b64encode(f"{name}@example.com:{password}".encode()).decode()
        self._login = f"Authorization: Basic {token}\r\n" if name else ""

    def head(self, method: str, path: str, **fields: str) -> bytes:
        """The beginning of a request, without its end; underscores stand for hyphens."""
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        return f"{method} {path} HTTP/1.1\r\nHost: mail.example.com\r\n{self._login}{lines}".encode()

    def ask(self, method: str, path: str, body: bytes = b"", **fields: str) -> Reply:
        """One request and its answer."""
        self.send(self.head(method, path, **fields) + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return self.reply(method)

    def reply(self, method: str = "") -> Reply:
        """The next answer but 100."""
        first = self.line()
        headers: dict[str, str] = {}
        while line := self.line():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        if first is None:
            return Reply(0, {}, b"")
        status = int(first.split()[1])
        if status == 100:
            return self.reply(method)
        if method == "HEAD":
            return Reply(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Reply(status, headers, b"".join(self._chunks()))
        return Reply(status, headers, self.take(int(headers.get("content-length", "0"))))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.line() or b"0", 16):
            yield self.take(size)
            self.line()
        self.line()

    def works(self) -> bool:
        """Whether the connection is in sync."""
        return self.ask("OPTIONS", "/dav/").status == 200


@pytest.fixture(scope="module", autouse=True)
def clean_log(daemon: Daemon) -> Iterator[None]:
    """Nothing of all this is an error of ours, and no secret is logged."""
    yield
    assert "Traceback" not in daemon.log
    assert PASSWORD not in daemon.log and SECRET.decode() not in daemon.log


@pytest.fixture
def neighbour(daemon: Daemon) -> Iterator[IMAP]:
    """Somebody else's session, which must not notice."""
    with IMAP(daemon, "carol") as client:
        yield client
        assert answer_time(client) < PROMPT


@pytest.fixture
def alice(daemon: Daemon) -> Iterator[HTTP]:
    """A client, in sync at the end."""
    with HTTP(daemon) as client:
        yield client
        assert client.works()


# --- Documents --------------------------------------------------------------------------------------

PASSWD = b'<!DOCTYPE p [<!ENTITY e SYSTEM "file:///etc/passwd">]><propfind xmlns="DAV:"><prop>&e;</prop></propfind>'
LAUGHS = b"<!DOCTYPE l [%s]><propfind xmlns='DAV:'><prop>&l29;</prop></propfind>" % b"".join(
    [b'<!ENTITY l0 "lol">', *(b'<!ENTITY l%d "&l%d;&l%d;&l%d;">' % (n, n - 1, n - 1, n - 1) for n in range(1, 30))]
)


@pytest.mark.parametrize("method", ["PROPFIND", "PROPPATCH", "REPORT", "LOCK", "MKCOL"])
@pytest.mark.parametrize(
    ("document", "status"),
    [
        (PASSWD, 403),
        (LAUGHS, 403),
        (b'<!DOCTYPE p SYSTEM "http://127.0.0.1:1/x.dtd"><propfind xmlns="DAV:"><allprop/></propfind>', 403),
        (b'<!DOCTYPE p [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><p/>', 403),
        (b"<a>" * 1000 + b"</a>" * 1000, 413),
        (b"<a>" * 100_000, 413),
        (b"<a " + b" ".join(b"a%d=''" % number for number in range(200_000)) + b"/>", 413),
        (b"<a " + b" ".join(b"xmlns:a%d='u%d'" % (number, number) for number in range(50_000)) + b"/>", 413),
        (b"<a>" + b"<b/>" * 100_000, 400),
        (b"<propfind xmlns='DAV:'><prop>", 400),
        (b"\0" * 10_000, 400),
        ("<a/>".encode("utf-32"), 400),
    ],
    ids=["entity", "laughs", "dtd", "parameter", "deep", "open", "attributes", "scope", "long", "cut", "nul", "utf-32"],
)
def test_hostile_documents_are_refused(
    daemon: Daemon, neighbour: IMAP, alice: HTTP, method: str, document: bytes, status: int
) -> None:
    """RFC 4918 §20.6."""
    path = FILES + "new/" if method == "MKCOL" else FILES
    begun = time.monotonic()
    with bounded_memory(daemon, 60 * MB):
        reply = alice.ask(method, path, document, Depth="0", Content_Type="application/xml")
    assert reply.status == status
    assert time.monotonic() - begun < PROMPT
    assert b"root:" not in reply.body and b"lollol" not in reply.body
    if status == 403:
        assert b"<D:no-external-entities/>" in reply.body
    assert answer_time(neighbour) < PROMPT


@pytest.mark.parametrize("has_length", [True, False])
def test_a_hundred_megabytes_of_xml_end_early(daemon: Daemon, neighbour: IMAP, has_length: bool) -> None:
    with HTTP(daemon) as client, bounded_memory(daemon, 30 * MB):
        piece = b" " * 65536
        framing = b"Content-Length: 100000000\r\n\r\n" if has_length else b"Transfer-Encoding: chunked\r\n\r\n"
        client.send(client.head("PROPFIND", "/dav/", Depth="0") + framing)
        for _ in range(100 * MB // len(piece)):
            client.send(piece if has_length else b"10000\r\n" + piece + b"\r\n")
        assert client.reply().status in (0, 413)
        assert answer_time(neighbour) < PROMPT


def test_a_multistatus_of_hostile_names_is_a_document(alice: HTTP) -> None:
    """What a client names a file comes back escaped."""
    names = ["a&b<c>\"d'.txt", "%41%2541", "...", "..a", "a..", "a/b", "\u202etxt.exe", "x" * 255, "]]>", "-->"]
    folder = FILES + "names/"
    assert alice.ask("MKCOL", folder).status == 201
    encoded = ["".join(f"%{octet:02X}" for octet in name.encode()) for name in names]
    for name in encoded:
        assert alice.ask("PUT", folder + name, b"x").status == 201, name
    reply = alice.ask("PROPFIND", folder, Depth="1")
    found = [unquote(str(each.text)).removeprefix(folder) for each in etree.fromstring(reply.body).iter("{DAV:}href")]
    assert sorted(found) == sorted(["", *names])
    assert alice.ask("GET", folder).body.count(b"<a href") == len(names) + 1
    assert alice.ask("DELETE", folder).status == 204


# --- Paths ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        FILES + "../bob@example.com/",
        FILES + "%2e%2e/bob@example.com/secret",
        FILES + "..%2f..%2fbob@example.com%2fsecret",
        FILES + "%2e%2e%5cbob@example.com%5csecret",
        FILES + "..%c0%af..%c0%afetc/passwd",
        FILES + "a%00b",
        FILES + "a%0d%0aSet-Cookie:%20x=y",
        FILES + "%ff%fe",
        FILES + "x" * 300,
        FILES + "a/" * 3000,
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "PROPFIND", "MKCOL", "DELETE"])
def test_paths_that_climb_lead_nowhere(daemon: Daemon, alice: HTTP, method: str, path: str) -> None:
    with HTTP(daemon, "bob") as bob:
        assert bob.ask("PUT", "/dav/files/bob@example.com/secret", SECRET).status in (201, 204)
    reply = alice.ask(method, path, b"x" if method == "PUT" else b"")
    assert 400 <= reply.status < 500 and SECRET not in reply.body
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize(
    "destination", ["/dav/files/bob@example.com/y", FILES + "../y", "https://evil.example/x", "\x01"]
)
@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_nothing_is_sent_elsewhere(daemon: Daemon, alice: HTTP, method: str, destination: str) -> None:
    alice.ask("PUT", FILES + "x", b"mine")
    assert 400 <= alice.ask(method, FILES + "x", Destination=destination).status <= 502
    assert alice.ask("GET", FILES + "x").body == b"mine"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("home", ["files", "calendars", "addressbooks"])
def test_what_others_have_is_not_told_from_what_nobody_has(
    daemon: Daemon, alice: HTTP, method: str, home: str
) -> None:
    """The same for an account that exists and one that does not; principals are shown to all who may be invited."""
    with HTTP(daemon, "bob") as bob:
        bob.ask("PUT", "/dav/files/bob@example.com/secret", SECRET)
        bob.ask("MKCOL", "/dav/files/bob@example.com/folder")
    for name in ("", "secret", "folder/", "calendar/", "contacts/", "nothing"):
        told = set()
        for who in ("bob@example.com", "nobody@example.com"):
            reply = alice.ask(method, f"/dav/{home}/{who}/{name}", Depth="0", Destination=FILES + "stolen")
            text = reply.body.replace(who.encode(), b"WHO")
            told.add((reply.status, reply.headers.get("allow"), text))
            assert SECRET not in reply.body
        assert len(told) == 1, told
        assert next(iter(told))[0] in (403, 404), told
    assert alice.ask("GET", FILES + "stolen").status == 404


# --- Header fields ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"If": "(" * 10_000},
        {"If": "(<urn:x>)" * 1500},
        {"If": "(Not " * 2000},
        {"If-Match": '"x",' * 3000},
        {"If-None-Match": 'W/"' * 4000},
        {"If-Match": '"' + "x" * 12_000},
        {"Prefer": "return=minimal," * 900},
        {"Range": "bytes=" + "0-0," * 3000},
        {"Timeout": "Second-1," * 1500},
        {"Depth": "1" * 10_000},
        {"Overwrite": "\xff"},
        {"Lock-Token": "<" * 10_000},
        {"Authorization": "Basic " + "QUFB" * 3000},
        {"Brief": "t" * 10_000},
        {"User-Agent": "\x1b[31m" + "x" * 5000},
    ],
    ids=lambda fields: next(iter(fields)) + str(len(next(iter(fields.values())))),
)
@pytest.mark.parametrize("method", ["GET", "PUT", "PROPFIND", "LOCK", "UNLOCK"])
def test_long_fields_are_read_in_no_time(daemon: Daemon, alice: HTTP, method: str, fields: dict[str, str]) -> None:
    alice.ask("PUT", FILES + "x", b"mine")
    begun = time.monotonic()
    with HTTP(daemon) as client:
        reply = client.ask(method, FILES + "x", **fields)
    assert 200 <= reply.status < 500
    assert time.monotonic() - begun < PROMPT


def test_a_flood_of_fields_ends_the_connection(daemon: Daemon, neighbour: IMAP) -> None:
    with HTTP(daemon) as client, bounded_memory(daemon, 20 * MB):
        client.send(client.head("PUT", FILES + "x"))
        for _ in range(2000):
            client.send(b"X-Flood: " + b"y" * 100 + b"\r\n")
        assert client.is_closed
        assert client.buffer == b"" or client.buffer.startswith(b"HTTP/1.1 400")


def test_two_lengths_are_no_request(daemon: Daemon) -> None:
    """RFC 9112 §6.3: nothing is smuggled behind a body whose end is disputed."""
    with HTTP(daemon) as client:
        head = client.head("PUT", FILES + "smuggled")
        client.send(head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + head + b"\r\n")
        assert client.is_closed
        assert client.buffer.startswith(b"HTTP/1.1 400")
    with HTTP(daemon) as client:
        assert client.ask("GET", FILES + "smuggled").status == 404


# --- Bodies -----------------------------------------------------------------------------------------


def test_a_body_of_unknown_length_is_stored(alice: HTTP) -> None:
    alice.send(alice.head("PUT", FILES + "chunked") + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(100):
        alice.send(b"2710\r\n" + b"y" * 10_000 + b"\r\n")
    alice.send(b"0\r\n\r\n")
    assert alice.reply().status == 201
    assert alice.ask("GET", FILES + "chunked").body == b"y" * 1_000_000


def test_a_body_without_end_ends_the_connection(daemon: Daemon, neighbour: IMAP) -> None:
    with HTTP(daemon) as client, bounded_memory(daemon, 30 * MB):
        client.send(client.head("PUT", FILES + "endless") + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(2000):
            client.send(b"10000\r\n" + b"y" * 65536 + b"\r\n")
        assert client.reply().status in (0, 413)
    with HTTP(daemon) as client:
        assert client.ask("GET", FILES + "endless").status == 404


def test_broken_framing_ends_the_connection(daemon: Daemon) -> None:
    for framing in (b"zz\r\nhello\r\n", b"-5\r\nhello\r\n", b"5\r\nhelloworld\r\n", b"f" * 100_000):
        with HTTP(daemon) as client:
            client.send(client.head("PUT", FILES + "framing") + b"Transfer-Encoding: chunked\r\n\r\n" + framing)
            assert client.is_closed
    with HTTP(daemon) as client:
        assert client.ask("GET", FILES + "framing").status == 404


def test_a_client_that_vanishes_leaves_nothing(daemon: Daemon) -> None:
    with HTTP(daemon) as client:
        client.send(client.head("PUT", FILES + "half") + b"Content-Length: 5000000\r\n\r\n" + b"y" * 2_000_000)
    with HTTP(daemon) as client:
        assert client.ask("GET", FILES + "half").status == 404
    incoming = daemon.directory / "data" / "incoming"
    wait_until(lambda: not any(incoming.iterdir()))


def test_a_body_that_is_of_no_use_is_not_asked_for(daemon: Daemon) -> None:
    """RFC 9110 §10.1.1: the client waits with it."""
    for name, password, length, status in (
        ("alice", PASSWORD, 10**12, 413),
        ("alice", "tr0ub4dor", 1000, 401),
        ("", "", 1000, 401),
    ):
        with HTTP(daemon, name, password) as client:
            head = client.head("PUT", FILES + "large", Expect="100-continue")
            client.send(head + b"Content-Length: %d\r\n\r\n" % length)
            assert (client.line() or b"").startswith(b"HTTP/1.1 %d " % status)
            assert client.is_closed


def test_two_clients_that_write_one_file(daemon: Daemon) -> None:
    """Both have read the same state; one wins, the other one is told (RFC 9110 §13.1.1)."""
    with HTTP(daemon) as first, HTTP(daemon) as second:
        etag = first.ask("PUT", FILES + "shared", b"0").headers["etag"]
        for turn in range(20):
            for number, client in enumerate((first, second)):
                body = b"%d %d" % (turn, number)
                head = client.head("PUT", FILES + "shared", If_Match=etag)
                client.send(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            replies = [first.reply(), second.reply()]
            assert sorted(reply.status for reply in replies) == [204, 412]
            etag = next(reply.headers["etag"] for reply in replies if reply.status == 204)


# --- The disk, the store, the end ---------------------------------------------------------------------


def test_a_full_disk_is_told(small_disk: Daemon) -> None:
    """507; what was acknowledged is there, reading goes on, and later it works again (RFC 4918 §11.5)."""
    small_disk.start()
    stored: dict[str, bytes] = {}
    with HTTP(small_disk) as client:
        assert client.works()
        for size in (500_000, 50_000, 2000):
            for number in range(2000):
                body = b"%d " % number + b"y" * size
                reply = client.ask("PUT", f"{FILES}{size}-{number}", body)
                if reply.status != 201:
                    break
                stored[f"{size}-{number}"] = body
            assert reply.status == 507, reply
            assert b"<D:error" in reply.body
        assert client.ask("MKCOL", FILES + "folder").status in (201, 507)
        for name, body in stored.items():
            assert client.ask("GET", FILES + name).body == body
        subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk.directory / "data")], check=True)
        assert client.ask("PUT", FILES + "after", b"y" * 500_000).status == 201
        assert client.ask("DELETE", FILES + next(iter(stored))).status == 204
    assert "none with faults" in small_disk.trekctl("check")
    assert "Traceback" not in small_disk.log


def test_a_broken_store_is_our_fault_and_nobody_elses(own_daemon: Daemon) -> None:
    """One account's database is destroyed under the daemon: its owner gets 500, others are served."""
    own_daemon.start()
    with HTTP(own_daemon) as client:
        assert client.ask("PUT", FILES + "x", b"mine").status == 201
    own_daemon.stop()
    (database,) = (own_daemon.directory / "data" / "accounts").glob("alice@example.com/*.db")
    database.write_bytes(b"garbage" * 10_000)
    for journal in database.parent.glob(database.name + "-*"):
        journal.unlink()
    own_daemon.start()
    with HTTP(own_daemon) as client:
        for method in ("PROPFIND", "GET", "PUT"):
            before = own_daemon.log.count("request failed")
            reply = client.ask(method, FILES + "x", b"y" if method == "PUT" else b"", Depth="0")
            assert reply.status in (500, 503), reply
            assert b"garbage" not in reply.body and b"sqlite" not in reply.body.lower()
            assert own_daemon.log.count("request failed") == before + (reply.status == 500)
    with HTTP(own_daemon, "bob") as bob:
        assert bob.ask("PUT", "/dav/files/bob@example.com/x", b"y").status == 201


def _event(number: str, text: str) -> tuple[str, bytes]:
    """The address of an event, and its octets."""
    lines = ("BEGIN:VEVENT", f"UID:{number}", "DTSTAMP:20260101T000000Z", "DTSTART:20260101T100000Z", f"SUMMARY:{text}")
    whole = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", *lines, "END:VEVENT", "END:VCALENDAR", "")
    return f"/dav/calendars/alice@example.com/calendar/{number}.ics", "\r\n".join(whole).encode()


def _has_moved(before: dict[str, bytes], now: dict[str, bytes]) -> bool:
    """Whether all but a few files are others than before."""
    return sum(before.get(name) != body for name, body in list(now.items())) >= 40


def test_a_kill_loses_nothing_that_was_acknowledged(own_daemon: Daemon) -> None:
    """Parallel PUTs, SIGKILL in the middle: every 201 and 204 is there, and nothing is half there."""
    own_daemon.start()
    states: dict[str, bytes] = {}
    asked: dict[str, bytes] = {}
    lock = threading.Lock()

    def write(stream: int) -> None:
        with HTTP(own_daemon) as client:
            for turn in range(100_000):
                number, size = f"{stream}-{turn % 7}", (100, 3000, 90_000)[turn % 3]
                text = f"{stream} {turn} " + "z" * size
                name, body = (FILES + number, text.encode()) if stream % 2 else _event(number, text)
                with lock:
                    asked[name] = body
                reply = client.ask("PUT", name, body)
                if reply.status == 0:
                    return
                assert reply.status in (201, 204), reply
                with lock:
                    states[name] = body

    for _ in range(2):
        threads = [threading.Thread(target=write, args=(stream,)) for stream in range(6)]
        for thread in threads:
            thread.start()
        before = dict(states)
        wait_until(partial(_has_moved, before, states))
        own_daemon.kill()
        for thread in threads:
            thread.join(60)
        own_daemon.start()
        with HTTP(own_daemon) as client:
            for name, body in states.items():
                found = client.ask("GET", name)
                assert found.status == 200
                # The one that was under way at the end may have come as well.
                assert found.body in (body, asked[name]), name
                states[name] = found.body
    assert "none with faults" in own_daemon.trekctl("check")
