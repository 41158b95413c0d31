"""Python's imaplib and raw sockets over TLS: the repertoire, several sessions at once, and the end of the daemon."""

from __future__ import annotations

import imaplib
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.clients.daemon import PASSWORD, Daemon

MESSAGE = b"From: Alice <alice@example.com>\r\nTo: bob@example.com\r\nSubject: Caf\xc3\xa9 %d\r\n\r\nBody %d\r\n.\r\n"


def log_in(daemon: Daemon, name: str = "alice") -> imaplib.IMAP4_SSL:
    client = imaplib.IMAP4_SSL("localhost", daemon.ports["imaps"], ssl_context=daemon.client_tls, timeout=20)
    client.login(f"{name}@example.com", PASSWORD)
    return client


def test_the_usual_repertoire(daemon: Daemon) -> None:
    with log_in(daemon) as client:
        assert client.create("Work/2026")[0] == "OK"
        names = [re.sub(rb".* ", b"", line).strip(b'"') for line in client.list()[1] if line]
        assert {b"INBOX", b"Work", b"Work/2026", b"Sent", b"Trash", b"Archive", b"Junk", b"Drafts"} <= set(names)
        for number in range(3):
            date = imaplib.Time2Internaldate(1_000_000_000 + number)
            status, answer = client.append("Work/2026", r"(\Flagged)", date, MESSAGE % (number, number))
            assert status == "OK" and b"APPENDUID" in answer[0]
        assert client.select("Work/2026")[1] == [b"3"]
        assert client.fetch("2", "(BODY.PEEK[])")[1][0][1] == MESSAGE % (1, 1)
        assert client.fetch("2", "(FLAGS)")[1] == [rb"2 (FLAGS (\Recent \Flagged))"]
        assert client.uid("SEARCH", "SUBJECT", '"caf"')[1] == [b"1 2 3"]
        client.literal = "CAFÉ 2".encode()
        assert client.search("UTF-8", "SUBJECT")[1] == [b"3"]
        assert client.store("1:2", "+FLAGS", r"(\Deleted $Work)")[0] == "OK"
        assert client.expunge()[1] == [b"2", b"1"]  # highest first, so that no number shifts
        assert client.status("Work/2026", "(MESSAGES UIDNEXT UNSEEN)")[1][0].endswith(
            b"(MESSAGES 1 UIDNEXT 4 UNSEEN 1)"
        )
        assert client.copy("1", "Archive")[0] == "OK"
        assert client.rename("Work/2026", "Done")[0] == "OK"
        assert client.unselect()[0] == "OK"
        assert client.delete("Done")[0] == "OK"


def test_a_wrong_password_and_a_short_name_are_told_apart_from_trouble(daemon: Daemon) -> None:
    client = imaplib.IMAP4_SSL("localhost", daemon.ports["imaps"], ssl_context=daemon.client_tls)
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        client.login("alice@example.com", "wrong")
    with pytest.raises(imaplib.IMAP4.error, match="full"):
        client.login("alice", PASSWORD)
    client.login("Alice@Example.COM", PASSWORD)
    client.logout()


def test_starttls_then_login(daemon: Daemon) -> None:
    client = imaplib.IMAP4("localhost", daemon.ports["imap"])
    assert "LOGINDISABLED" in client.capabilities
    with pytest.raises(imaplib.IMAP4.error):
        client.login("alice@example.com", PASSWORD)
    client.starttls(daemon.client_tls)
    client.login("alice@example.com", PASSWORD)
    client.logout()


def test_octets_pipelined_behind_starttls_are_dropped(daemon: Daemon) -> None:
    """RFC 9051 §6.2.1: what was sent in clear never runs inside TLS."""
    with socket.create_connection(("localhost", daemon.ports["imap"]), 10) as plain:
        plain.recv(4096)
        plain.sendall(b"a STARTTLS\r\nb CAPABILITY\r\n")
        assert b"a OK" in plain.recv(4096)
        with daemon.client_tls.wrap_socket(plain, server_hostname="localhost") as secure:
            secure.sendall(b"c NOOP\r\n")
            answer = secure.recv(4096)
    assert answer.startswith(b"c OK")
    assert b"b OK" not in answer


def test_a_new_message_wakes_an_idling_session(daemon: Daemon) -> None:
    with log_in(daemon, "bob") as watcher, log_in(daemon, "bob") as writer:
        count = int(watcher.select("INBOX")[1][0])
        watcher.send(b"i IDLE\r\n")
        assert watcher.readline().startswith(b"+")
        begun = time.monotonic()
        writer.append("INBOX", None, None, MESSAGE % (0, 0))
        line = watcher.readline()
        while b"EXISTS" not in line:
            line = watcher.readline()
        assert line == b"* %d EXISTS\r\n" % (count + 1)
        assert time.monotonic() - begun < 5
        watcher.send(b"DONE\r\n")
        while not watcher.readline().startswith(b"i OK"):
            pass


def test_an_expunge_elsewhere_is_withheld_until_it_may_be_told(daemon: Daemon) -> None:
    """RFC 3501 §7.4.1."""
    with log_in(daemon, "carol") as one, log_in(daemon, "carol") as two:
        for number in range(3):
            one.append("INBOX", None, None, MESSAGE % (number, number))
        one.select("INBOX")
        two.select("INBOX")
        one.store("1", "+FLAGS", r"(\Deleted)")
        one.expunge()
        assert two.fetch("3", "(BODY.PEEK[TEXT])")[1][0][1] == b"Body 2\r\n.\r\n"
        assert two.response("EXPUNGE") == ("EXPUNGE", [None])
        two.noop()
        assert two.response("EXPUNGE")[1] == [b"1"]


def test_the_eleventh_nano_connection_is_refused_and_the_ten_work_on(daemon: Daemon) -> None:
    """DESIGN §6: Nano has 10 connections per address."""
    clients = [log_in(daemon, "nano") for _ in range(10)]
    try:
        refused = imaplib.IMAP4_SSL("localhost", daemon.ports["imaps"], ssl_context=daemon.client_tls)
        with pytest.raises(imaplib.IMAP4.error) as caught:
            refused.login("nano@example.com", PASSWORD)
        text = str(caught.value)
        assert "[UNAVAILABLE] Maximum connections exceeded (10 of 10 from 127.0.0.1 on plan nano)" in text
        for client in clients:
            assert client.noop()[0] == "OK"
        clients.pop().logout()
        deadline = time.monotonic() + 10
        while True:
            try:
                clients.append(log_in(daemon, "nano"))
                break
            except imaplib.IMAP4.error:
                assert time.monotonic() < deadline
    finally:
        for client in clients:
            client.logout()


def test_the_end_of_the_daemon_says_goodbye(own_daemon: Daemon) -> None:
    own_daemon.start()
    client = log_in(own_daemon)
    client.select("INBOX")
    idle = log_in(own_daemon)
    idle.select("INBOX")
    idle.send(b"i IDLE\r\n")
    idle.readline()
    own_daemon.process.terminate()
    assert client.readline().startswith(b"* BYE")
    assert idle.readline().startswith(b"* BYE")
    client.shutdown()
    idle.shutdown()
    own_daemon.process.wait(30)
    assert "Traceback" not in own_daemon.log


def test_acknowledged_messages_survive_a_kill(own_daemon: Daemon) -> None:
    """Eight parallel APPEND streams, SIGKILL in the middle: each acknowledged message is there once."""
    own_daemon.start()
    acknowledged: list[bytes] = []
    lock = threading.Lock()

    def stream(worker: int) -> None:
        client = log_in(own_daemon)
        for number in range(10_000):
            name = b"%d-%d" % (worker, number)
            try:
                status, _ = client.append("INBOX", None, None, b"Subject: " + name + b"\r\n\r\n" + b"x" * 8000)
            except (imaplib.IMAP4.abort, OSError):
                return
            assert status == "OK"
            with lock:
                acknowledged.append(name)

    with ThreadPoolExecutor(8) as pool:
        for worker in range(8):
            pool.submit(stream, worker)
        time.sleep(2.5)
        own_daemon.kill()
    assert len(acknowledged) > 20
    own_daemon.start()
    with log_in(own_daemon) as client:
        client.select("INBOX")
        fetched = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        subjects = [part[1].strip().removeprefix(b"Subject: ") for part in fetched if isinstance(part, tuple)]
    assert set(acknowledged) <= set(subjects)
    assert len(subjects) == len(set(subjects))
    assert own_daemon.trekctl_json("check")
