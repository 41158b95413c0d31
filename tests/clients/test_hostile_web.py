"""
HTTPS, HTTP, the control socket and trekctl against whoever means ill: clean errors, bounded bodies, nothing forged
in the log, and all or nothing where a file is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.hostile import IMAP, Line, answer_time, bounded_memory

MB = 1_000_000
PROMPT = 2.0
BOMB = b"".join(b'<!ENTITY e%d "&e%d;&e%d;">' % (n, n - 1, n - 1) for n in range(1, 21))
BOMB = b"<!DOCTYPE a [%s]><a>&e20;</a>" % BOMB
"""A million entities, were they read."""
END = b"Host: mail.example.com\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module", autouse=True)
def clean_log(daemon: Daemon) -> Iterator[None]:
    """Nothing of all this is an error of ours, no password is ever logged, and nobody writes the log but we."""
    yield
    assert "Traceback" not in daemon.log
    assert PASSWORD not in daemon.log and "tr0ub4dor" not in daemon.log
    assert not re.search(r"^(?!\d{4}-\d\d-\d\dT|\t)", daemon.log.rstrip("\n"), re.MULTILINE)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", daemon.log)


@pytest.fixture
def neighbour(daemon: Daemon) -> Iterator[IMAP]:
    """Somebody else's session, which must not notice."""
    with IMAP(daemon, "carol") as client:
        yield client
        assert answer_time(client) < PROMPT


def ask(daemon: Daemon, service: str, octets: bytes) -> bytes:
    """What a connection says to octets until it ends."""
    with Line(daemon, service, secure=service == "https") as client:
        client.send(octets)
        assert client.is_closed
        return client.buffer


@pytest.mark.parametrize(
    ("request_octets", "status"),
    [
        (b"GET /../../etc/passwd HTTP/1.1\r\n" + END, b"404"),
        (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" + END, b"404"),
        (b"GET /%0d%0aSet-Cookie:x HTTP/1.1\r\n" + END, b"404"),
        (b"GET /\x1b[31m\rforged HTTP/1.1\r\n" + END, b"40"),
        (b"PROPFIND /.well-known/caldav HTTP/1.1\r\n" + END, b"307"),
        (b"FROB / HTTP/1.1\r\n" + END, b"405"),
        (b"GET / HTTP/9.9\r\n" + END, b"400"),
        (b"GET\r\n\r\n", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n" + END, b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n" + END, b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n" + END + b"0\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100_000 + END, b"400"),
        (b"PROPFIND / HTTP/1.1\r\nContent-Length: 200000\r\n" + END + b"x" * 200_000, b"413"),
        (b"GET / HTTP/1.1\r\nAuthorization: Basic " + b"A" * 9999 + b"\r\n" + END, b"200"),
        (b"POST / HTTP/1.1\r\nContent-Type: multipart/form-data\r\nContent-Length: 10\r\n" + END + b"x" * 10, b"4"),
        (b"POST /autodiscover/autodiscover.xml HTTP/1.1\r\nContent-Length: 200000\r\n" + END + b"x" * 200_000, b"413"),
        (b"POST /autodiscover/autodiscover.xml HTTP/1.1\r\nContent-Length: %d\r\n" % len(BOMB) + END + BOMB, b"200"),
        (b"GET /autodiscover/autodiscover.json?Protocol=%0d%0aX:y HTTP/1.1\r\n" + END, b"400"),
        (b"GET /mail/config-v1.1.xml?emailaddress=x@example.com%0d%0aX:y HTTP/1.1\r\n" + END, b"404"),
        (b"GET /setup/?address=" + b"%C3%A4" * 2000 + b"@example.com HTTP/1.1\r\n" + END, b"400"),
        (b"GET /setup/apple.mobileconfig?address=%00%ff@example.com HTTP/1.1\r\n" + END, b"404"),
    ],
    ids=lambda value: repr(value[:30]) if len(value) > 3 else "",
)
@pytest.mark.parametrize("service", ["https", "http"])
def test_a_request_that_is_wrong_gets_a_clean_answer(
    daemon: Daemon, neighbour: IMAP, service: str, request_octets: bytes, status: bytes
) -> None:
    with bounded_memory(daemon, 20 * MB):
        answer = ask(daemon, service, request_octets)
    head = answer.partition(b"\r\n\r\n")[0]
    if service == "https":
        assert head.startswith(b"HTTP/1.1 " + status), head
    else:
        moved = b"302" if b"autodiscover" in request_octets else b"301"
        assert re.match(rb"HTTP/1.1 (%s|4\d\d) " % moved, head), head
        assert b"Location" not in head or b"Location: https://mail.example.com/" in head
    assert not re.search(rb"Traceback|twisted|python|/work|\.py", answer, re.IGNORECASE)
    assert not re.search(rb"(?m)^Set-Cookie", head)


@pytest.mark.parametrize(
    "octets",
    [
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + END,
        b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n" + END + b"x" * 2 * MB,
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + END + b"fffffff\r\n" + b"x" * 2 * MB,
        b"\0" * 200_000,
    ],
    ids=["path", "length", "chunk", "zeros"],
)
def test_what_is_too_large_ends_the_connection(daemon: Daemon, neighbour: IMAP, octets: bytes) -> None:
    with bounded_memory(daemon, 20 * MB):
        assert not ask(daemon, "https", octets).startswith(b"HTTP/1.1 200")


# --- The control socket --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/accounts", "{{{{{"),
        ("POST", "/accounts", "123"),
        ("POST", "/accounts", "[" * 20_000),
        ("POST", "/accounts", '[{"address": "a@example.com"}]'),
        ("POST", "/accounts", '[{"address": 1, "password": {}, "plan": []}]'),
        ("POST", "/accounts", '[{"address": "../x@example.com", "password": "tr0ub4dor & 3"}]'),
        ("POST", "/accounts", '[{"address": "a\\u0000b@example.com", "password": "tr0ub4dor & 3"}]'),
        ("POST", "/accounts", '[{"address": "z@example.com", "password": "tr0ub4dor", "plan": "nope"}]'),
        ("POST", "/kick", "[]"),
        ("POST", "/kick", '{"session": {}}'),
        ("GET", "/accounts/..%2f..%2fx", ""),
        ("GET", "/accounts/%ff%00%0d%0a", ""),
        ("GET", "/accounts/nobody@example.com", ""),
        ("PATCH", "/accounts/alice@example.com", '{"quota": -1e999}'),
        ("PATCH", "/accounts/alice@example.com", '{"plan": {"a": 1}}'),
        ("PATCH", "/accounts/alice@example.com", '{"frob": 1}'),
        ("PUT", "/accounts/alice@example.com/password", '"tr0ub4dor"'),
        ("PUT", "/accounts/alice@example.com/password", '{"password": "a\\u0000b"}'),
        ("POST", "/mail/alice@example.com/messages", "abcd"),
        ("POST", "/mail/alice@example.com/messages?mailbox=../x", "abcd"),
        ("POST", "/check?address=%00", ""),
        ("GET", "/mail/nobody@example.com/messages", ""),
        ("FROB", "/status", ""),
        ("GET", "/" + "x/" * 5000, ""),
    ],
)
def test_the_control_socket_says_what_is_wrong(
    daemon: Daemon, neighbour: IMAP, method: str, path: str, body: str
) -> None:
    head = f"{method} {path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n".encode()
    answer = ask(daemon, "control", head + END + body.encode())
    assert re.match(rb"HTTP/1.1 4\d\d ", answer), answer[:200]
    assert b"Traceback" not in answer and b"tr0ub4dor" not in answer
    assert b'"error"' in answer


@pytest.mark.parametrize(
    "octets",
    [b"garbage\r\n\r\n", b"X" * 100_000, b"\xff" * 70_000, b"GET\r\n\r\n"],
    ids=["words", "X", "8-bit", "half"],
)
def test_garbage_on_the_control_socket_ends_it(daemon: Daemon, neighbour: IMAP, octets: bytes) -> None:
    octets = octets if len(octets) < 50 else octets + b"\r\n\r\n"
    assert ask(daemon, "control", octets)[:12] in (b"", b"HTTP/1.1 400")
    assert daemon.trekctl_json("status")


def accounts(daemon: Daemon) -> bytes:
    """All accounts as the daemon gives them."""
    answer = ask(daemon, "control", b"GET /accounts HTTP/1.1\r\n" + END)
    return answer.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "name the columns"),
        ("address,password\n", ""),
        ("address,password,plan\nz@example.com,tr0ub4dor & 3,nope\n", "nope"),
        ("address,password,plan\nz@example.com,tr0ub4dor & 3,pro\nz@example.com,tr0ub4dor & 3,pro\n", "z@example.com"),
        ("address,password,plan\nz@example.com,tr0ub4dor & 3,pro\nalice@example.com,tr0ub4dor & 3,pro\n", "alice"),
        ("address,password,plan\nz@example.com,tr0ub4dor & 3,pro\n../y@example.com,tr0ub4dor & 3,pro\n", "y@example"),
        ("address,password,plan\nz@example.com,tr0ub4dor & 3,pro\ny@elsewhere.example,tr0ub4dor,pro\n", "elsewhere"),
        ('address,password,plan\nz@example.com,"tr0ub4dor\n', ""),
        ("address,password,plan,quota\nz@example.com,tr0ub4dor & 3,pro,-5GB\n", "quota"),
        ("address,password,plan,frob\nz@example.com,tr0ub4dor & 3,pro,x\n", "name the columns"),
        ("address,password\nz@example.com,tr0ub4dor & 3,pro,too,many\n", ""),
        ("address,password\nz@example.com,tr0ub4dor\0 & 3\n", ""),
        ("address,password\n" + "z" * 200_000 + "@example.com,tr0ub4dor & 3\n", ""),
    ],
    ids=lambda value: repr(value[-30:]),
)
def test_a_file_of_accounts_that_is_wrong_adds_none(
    daemon: Daemon, tmp_path: Path, text: str, complaint: str
) -> None:
    """All or nothing, and no password in the complaint."""
    before = accounts(daemon)
    file = tmp_path / "accounts.csv"
    file.write_text(text)
    finished = daemon.trekctl("account", "import", str(file), status=None)
    assert accounts(daemon) == before, finished
    assert complaint in finished
    assert "tr0ub4dor" not in finished and "Traceback" not in finished


def test_a_file_of_octets_adds_none(daemon: Daemon, tmp_path: Path) -> None:
    before = accounts(daemon)
    file = tmp_path / "accounts.csv"
    for octets in (b"\xff\xfe\0a", bytes(range(256)) * 100, b"address,password\nz@example.com,tr\xe9\n"):
        file.write_bytes(octets)
        assert "Traceback" not in daemon.trekctl("account", "import", str(file), status=None)
    assert accounts(daemon) == before


# --- The log -----------------------------------------------------------------------------------------


def test_nobody_writes_lines_into_the_log(daemon: Daemon) -> None:
    forged = "2026-01-01T00:00:00.000Z info forged"
    with IMAP(daemon, None) as client:
        name = f"alice\r\n{forged}\x1b[2K@example.com".encode()
        client.ask(b"a LOGIN {%d+}\r\n%b tr0ub4dor" % (len(name), name))
        for value in (b'"x\x1b[2K"', b"{%d+}\r\n%b" % (len(forged) + 2, b"\r\n" + forged.encode())):
            client.ask(b'b ID ("name" %b "version" "\xc2\x9b31m")' % value)
    with IMAP(daemon) as client:
        client.ask(b'b ID ("name" {%d+}\r\n%b)' % (len(forged) + 4, b"x\r\n\x1b" + forged.encode()))
        shown = json.dumps(daemon.trekctl_json("sessions"))
        assert "\\u001b" not in shown and "\\r" not in shown
    assert not re.search(rf"^{re.escape(forged)}", daemon.log, re.MULTILINE)
