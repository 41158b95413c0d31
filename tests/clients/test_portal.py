"""Limits, guessing and what the administrator sees of both: real sockets against a started daemon."""

from __future__ import annotations

import imaplib
import smtplib
import socket
import ssl
import struct
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.hostile import Line
from tests.clients.programs import addresses_to_ban
from trekd.proxy.checksum import crc32c

NANO = "nano@example.com"
REFUSAL = (
    "[UNAVAILABLE] Maximum connections exceeded (10 of 10 from 127.0.0.1 on plan nano); "
    "close another mail program and try again"
)


def encoded(*parts: str) -> bytes:
    return b64encode("\0".join(parts).encode())


def ask(client: Line, *pieces: bytes) -> bytes | None:
    """Send each piece when the server wants it; the tagged answer or last reply."""
    for piece in pieces[:-1]:
        client.send(piece + b"\r\n")
        line = client.line()
        assert line is not None and line.startswith((b"+", b"334")), line
    client.send(pieces[-1] + b"\r\n")
    return client.line()


IMAP_FORMS: dict[str, Callable[[str, str], tuple[bytes, ...]]] = {
    "LOGIN": lambda name, word: (f'a LOGIN {name} "{word}"'.encode(),),
    "LOGIN literals": lambda name, word: (
        b"a LOGIN {%d}" % len(name),
        name.encode() + b" {%d}" % len(word),
        word.encode(),
    ),
    "PLAIN at once": lambda name, word: (b"a AUTHENTICATE PLAIN " + encoded("", name, word),),
    "PLAIN": lambda name, word: (b"a AUTHENTICATE PLAIN", encoded(name, name, word)),
    "LOGIN name at once": lambda name, word: (b"a AUTHENTICATE LOGIN " + encoded(name), encoded(word)),
    "AUTHENTICATE LOGIN": lambda name, word: (b"a AUTHENTICATE LOGIN", encoded(name), encoded(word)),
}
SMTP_FORMS: dict[str, Callable[[str, str], tuple[bytes, ...]]] = {
    "PLAIN at once": lambda name, word: (b"AUTH PLAIN " + encoded("", name, word),),
    "PLAIN": lambda name, word: (b"AUTH PLAIN", encoded("", name, word)),
    "LOGIN name at once": lambda name, word: (b"AUTH LOGIN " + encoded(name), encoded(word)),
    "AUTH LOGIN": lambda name, word: (b"AUTH LOGIN", encoded(name), encoded(word)),
}


class IMAP(Line):
    """A greeted IMAP connection."""

    def __init__(self, daemon: Daemon, form: str = "LOGIN", name: str = NANO, password: str = PASSWORD) -> None:
        super().__init__(daemon, "imaps")
        assert (self.line() or b"").startswith(b"* OK")
        self.answer = ask(self, *IMAP_FORMS[form](name, password))


class SMTP(Line):
    """A greeted submission connection."""

    def __init__(self, daemon: Daemon, form: str, name: str, password: str) -> None:
        super().__init__(daemon, "submissions")
        self.line()
        self.send(b"EHLO me.example.com\r\n")
        while (self.line() or b"250 ")[3:4] == b"-":
            pass
        self.answer = ask(self, *SMTP_FORMS[form](name, password))


@pytest.fixture(scope="module")
def crowded(daemon: Daemon) -> Iterator[Daemon]:
    """The ten Nano connections of this address are taken, by logins that came all at once."""
    with ThreadPoolExecutor(25) as pool:
        clients = list(pool.map(lambda _: IMAP(daemon), range(25)))
    answers = [client.answer or b"" for client in clients]
    assert sum(answer.startswith(b"a OK") for answer in answers) == 10
    assert {answer for answer in answers if not answer.startswith(b"a OK")} == {f"a NO {REFUSAL}".encode()}
    yield daemon
    for client in clients:
        client.close()


@pytest.mark.parametrize("form", IMAP_FORMS)
def test_refusal_reads_alike_in_every_form_and_ends_the_connection(crowded: Daemon, form: str) -> None:
    """DESIGN §6: NO [UNAVAILABLE], then BYE and close."""
    with IMAP(crowded, form) as client:
        assert client.answer == f"a NO {REFUSAL}".encode()
        assert client.line() == f"* BYE {REFUSAL.removeprefix('[UNAVAILABLE] ')}".encode()
        assert client.line() is None


def test_limits_show_what_is_taken_and_the_last_refusals(crowded: Daemon) -> None:
    shown = crowded.trekctl_json("limits", NANO)
    assert shown["usage"][0] == {
        "owner": NANO, "plan": "nano", "used": 10, "allowed": 15, "allowed_per_ip": 10,
        "by_prefix": {"127.0.0.1": 10},
    }
    last = shown["refusals"][0]
    reason = "10 of 10 connections from one address on plan nano"
    assert (last["service"], last["peer"], last["principal"], last["reason"]) == ("imap", "127.0.0.1", NANO, reason)
    text = crowded.trekctl("limits")
    assert "10 of 15" in text and "10 of 10" in text and reason in text


def test_changed_plan_holds_at_the_next_login(crowded: Daemon) -> None:
    crowded.trekctl("account", "set", NANO, "--plan", "starter")
    try:
        with IMAP(crowded) as client:
            assert (client.answer or b"").startswith(b"a OK")
    finally:
        crowded.trekctl("account", "set", NANO, "--plan", "nano")
    with IMAP(crowded) as client:
        assert (client.answer or b"").startswith(b"a NO [UNAVAILABLE]")


def test_sessions_of_every_protocol_are_shown_and_kicked(daemon: Daemon) -> None:
    imap = imaplib.IMAP4_SSL("localhost", daemon.ports["imaps"], ssl_context=daemon.client_tls)
    imap.login("alice@example.com", PASSWORD)
    imap.xatom("ID", '("name" "Thunderbird" "version" "128")')
    imap.select("INBOX")
    smtp = smtplib.SMTP_SSL("localhost", daemon.ports["submissions"], context=daemon.client_tls)
    smtp.ehlo("laptop.example.net")
    smtp.login("alice@example.com", PASSWORD)
    first, second = daemon.trekctl_json("sessions", "alice@example.com")
    assert (first["service"], first["peer"], first["mailbox"]) == ("imap", "127.0.0.1", "INBOX")
    assert "Thunderbird" in first["client"] and "128" in first["client"]
    assert (second["service"], second["peer"], second["client"]) == ("submission", "127.0.0.1", "laptop.example.net")
    for each in (first, second):
        assert 0 <= each["idle"] < 60 and each["octets_in"] > 50 and each["octets_out"] > 200 and each["since"] > 1e9
    assert "ended 2 sessions" in daemon.trekctl("kick", "alice@example.com")
    with pytest.raises((imaplib.IMAP4.abort, OSError)):
        imap.noop()
    with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
        smtp.noop()
    assert daemon.trekctl_json("sessions", "alice@example.com") == []


def test_suspended_and_disabled_accounts_are_told_so_and_strangers_nothing(daemon: Daemon) -> None:
    for status in ("suspended", "disabled"):
        daemon.trekctl("account", "set", "bob@example.com", "--status", status)
        with IMAP(daemon, "LOGIN", "bob@example.com") as imap:
            assert (imap.answer or b"").startswith(b"a NO [CONTACTADMIN] This account is suspended")
        with SMTP(daemon, "PLAIN", "bob@example.com", PASSWORD) as smtp:
            assert (smtp.answer or b"").startswith(b"535 5.7.13 This account is suspended")
        assert f"refused login 'bob@example.com' from 127.0.0.1: account {status}" in daemon.log
        with IMAP(daemon, "LOGIN", "bob@example.com", "wrong") as imap:
            assert (imap.answer or b"").startswith(b"a NO [AUTHENTICATIONFAILED]")
    daemon.trekctl("account", "resume", "bob@example.com")
    with IMAP(daemon, "LOGIN", "bob@example.com") as imap:
        assert (imap.answer or b"").startswith(b"a OK")


def test_unknown_name_and_wrong_password_read_alike(daemon: Daemon) -> None:
    for kind, form in ((IMAP, "LOGIN"), (IMAP, "PLAIN"), (SMTP, "PLAIN"), (SMTP, "AUTH LOGIN")):
        answers = set()
        for name in ("carol@example.com", "nobody@example.com"):
            with kind(daemon, form, name, "wrong") as client:
                answers.add(client.answer)
        assert len(answers) == 1, answers


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon where two guesses are enough, and ten connections that have not logged in."""
    more = "failures_per_account = 2\nunauthenticated_per_ip = 10\n"
    with closing(Daemon(tmp_path_factory.mktemp("strict"), more)) as made:
        forms = (*IMAP_FORMS, *SMTP_FORMS)
        made.add_accounts({f"a{number}@example.com": "nano" for number in range(len(forms))})
        made.start()
        yield made


CASES = [*((IMAP, form) for form in IMAP_FORMS), *((SMTP, form) for form in SMTP_FORMS)]


@pytest.mark.parametrize(("kind", "form"), CASES, ids=lambda value: value if isinstance(value, str) else value.__name__)
def test_guessing_is_refused_for_a_while_in_every_form(strict: Daemon, kind: type[IMAP | SMTP], form: str) -> None:
    """The right password too, which nobody may find out by guessing."""
    name = f"a{CASES.index((kind, form))}@example.com"
    for number in range(2):
        with kind(strict, form, name, f"wrong{number}") as client:
            assert (client.answer or b"").startswith((b"a NO [AUTHENTICATIONFAILED]", b"535 5.7.8"))
    with kind(strict, form, name, PASSWORD) as client:
        assert (client.answer or b"").startswith((b"a NO [UNAVAILABLE] Too many failed", b"454 4.7.0 Too many failed"))
    assert strict.trekctl_json("failures")[name] == 2
    strict.trekctl("failures", "--forgive", name)
    with kind(strict, form, name, PASSWORD) as client:
        assert (client.answer or b"").startswith((b"a OK", b"235"))


@pytest.mark.parametrize("service", ["imaps", "imap", "submissions", "submission", "https", "http"])
def test_connections_without_login_are_limited_on_every_port(strict: Daemon, service: str) -> None:
    """Mail programs are told; a web connection is dropped before TLS costs anything."""
    waiting = [socket.create_connection(("127.0.0.1", strict.ports["imaps"]), 5) for _ in range(12)]
    try:
        until(lambda: len(strict.trekctl_json("sessions")) == 10)
        words = b""
        secure = service in ("imaps", "submissions", "https")
        with suppress(ConnectionError, ssl.SSLError), Line(strict, service, secure) as last:
            words = last.line() or b""
        expected = b"* BYE [UNAVAILABLE]" if service in ("imaps", "imap") else b"421 4.7.0"
        assert words == b"" if service in ("https", "http") else words.startswith(expected), words
    finally:
        for each in waiting:
            each.close()
    last_refusal = strict.trekctl_json("limits")["refusals"][0]
    assert last_refusal["reason"] == "10 have not logged in"
    until(lambda: strict.trekctl_json("sessions") == [])


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the daemon does when it sees that connections came or went."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def version_two(port: int, wrong: int = 0) -> bytes:
    """A PROXY header with a vector that nobody knows, and a checksum."""
    addresses = socket.inet_aton("198.51.100.9") + socket.inet_aton("192.0.2.1") + struct.pack(">HH", 4096, port)
    body = addresses + b"\xe0\x00\x04ours" + b"\x03\x00\x04"
    start = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", len(body) + 4) + body
    return start + struct.pack(">I", crc32c(start + bytes(4)) ^ wrong)


@pytest.mark.parametrize("is_listed", [True, False])
def test_proxy_headers_are_believed_from_listed_addresses_with_right_checksums(tmp_path: Path, is_listed: bool) -> None:
    networks = "127.0.0.0/8" if is_listed else "192.0.2.0/24"
    with closing(Daemon(tmp_path, f'proxy_networks = ["{networks}"]')) as daemon:
        daemon.add_accounts({NANO: "nano"})
        daemon.start()
        for wrong in (1, 0):
            plain = socket.create_connection(("127.0.0.1", daemon.ports["imaps"]), 10)
            header = version_two(993, wrong)
            for at in range(0, len(header), 7):
                plain.sendall(header[at : at + 7])
            if wrong or not is_listed:
                with pytest.raises(OSError):
                    daemon.client_tls.wrap_socket(plain, server_hostname="localhost")
                continue
            with daemon.client_tls.wrap_socket(plain, server_hostname="localhost") as client:
                assert client.recv(100).startswith(b"* OK")
                (session,) = (each for each in daemon.trekctl_json("sessions") if each["peer"] != "127.0.0.1")
                assert session["peer"] == "198.51.100.9"
        assert ("it begins with no PROXY header" in daemon.log) is is_listed
        assert is_listed or "198.51.100.9" not in daemon.log


def test_fail2ban_finds_failed_logins_in_the_daemons_own_log(tmp_path: Path) -> None:
    """Whom the installed filter finds in real lines, IPv4 and IPv6; nobody who logged in."""
    peers = {"good": "192.0.2.50", "guesser": "203.0.113.7", "six": "2001:db8::7"}
    with closing(Daemon(tmp_path, 'proxy_networks = ["127.0.0.0/8"]')) as daemon:
        daemon.add_accounts({NANO: "nano"})
        daemon.start()
        for who, password in (("good", PASSWORD), ("guesser", "wrong"), ("six", "wrong")):
            family = "TCP6" if ":" in peers[who] else "TCP4"
            target = "2001:db8::1" if family == "TCP6" else "192.0.2.1"
            with Line(daemon, "imaps", secure=False) as client:
                client.send(f"PROXY {family} {peers[who]} {target} 4096 993\r\n".encode())
                client.start_tls()
                client.line()
                for _ in range(1 if password == PASSWORD else 2):
                    ask(client, *IMAP_FORMS["PLAIN"](NANO, password))
        assert daemon.log.count("refused login") == 4
        found = addresses_to_ban(daemon.directory / "log")
        assert sorted(found) == [peers["six"]] * 2 + [peers["guesser"]] * 2
