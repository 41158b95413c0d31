"""trekctl against a started daemon, and on its files when it is down."""

from __future__ import annotations

import imaplib
import smtplib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.daemon import PASSWORD, Daemon

MBOX = b"From x Wed Jul 17 02:44:25 1996\nSubject: one\nStatus: RO\n\nHello\n\nFrom x\nSubject: two\n\nZwei\n"


def log_in(daemon: Daemon, password: str = PASSWORD, name: str = "alice@example.com") -> imaplib.IMAP4_SSL:
    client = imaplib.IMAP4_SSL("localhost", daemon.ports["imaps"], ssl_context=daemon.client_tls)
    client.login(name, password)
    return client


def refused(daemon: Daemon, password: str) -> bool:
    try:
        log_in(daemon, password).logout()
    except imaplib.IMAP4.error:
        return True
    return False


def test_accounts_change_at_once_in_the_running_daemon(own_daemon: Daemon) -> None:
    own_daemon.start()
    log_in(own_daemon).logout()
    own_daemon.trekctl("account", "passwd", "alice@example.com", "--password-stdin", input="another\n")
    assert refused(own_daemon, PASSWORD)
    client = log_in(own_daemon, "another")
    assert "1 of its sessions" in own_daemon.trekctl("account", "suspend", "alice@example.com")
    with pytest.raises((imaplib.IMAP4.abort, OSError)):
        client.noop()
    assert refused(own_daemon, "another")
    own_daemon.trekctl("account", "resume", "alice@example.com")
    log_in(own_daemon, "another").logout()


def test_sessions_are_shown_and_kicked(own_daemon: Daemon) -> None:
    own_daemon.start()
    client = log_in(own_daemon)
    client.select("INBOX")
    (session,) = own_daemon.trekctl_json("sessions", "alice@example.com")
    assert (session["account"], session["service"], session["plan"]) == ("alice@example.com", "imap", "pro")
    assert session["mailbox"] == "INBOX"
    assert own_daemon.trekctl_json("status")["sessions"]["logged_in"] == 1
    own_daemon.trekctl("kick", session["session"])
    assert own_daemon.trekctl_json("sessions") == []
    own_daemon.trekctl("kick", session["session"], status=1)


def test_mail_moves_through_the_daemon_and_through_the_files(own_daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(MBOX)
    own_daemon.start()
    own_daemon.trekctl("import", "alice@example.com", str(tmp_path / "in"), "--mailbox", "Work/2024")
    client = log_in(own_daemon)
    assert client.select("Work/2024") == ("OK", [b"2"])
    status, (found, *_) = client.fetch("1", "(FLAGS INTERNALDATE BODY[TEXT])")
    assert status == "OK" and found[1] == b"Hello\r\n"
    assert b"\\Seen" in found[0] and b'"17-Jul-1996 02:44:25 +0000"' in found[0]
    client.logout()
    own_daemon.trekctl("export", "alice@example.com", str(tmp_path / "running"))
    own_daemon.stop()
    own_daemon.trekctl("export", "alice@example.com", str(tmp_path / "stopped"))
    subprocess.run(["diff", "-r", str(tmp_path / "running"), str(tmp_path / "stopped")], check=True)
    own_daemon.trekctl("export", "alice@example.com", "--format", "maildir", str(tmp_path / "maildir"))
    own_daemon.trekctl("import", "bob@example.com", str(tmp_path / "maildir"))
    assert {each["account"]: each["complaints"] for each in own_daemon.trekctl_json("check")} == {
        "alice@example.com": [],
        "bob@example.com": [],
    }
    own_daemon.start()
    client = log_in(own_daemon, name="bob@example.com")
    assert client.select("Work/2024") == ("OK", [b"2"])
    client.logout()


def test_damaged_storage_is_mended(own_daemon: Daemon) -> None:
    """A missing file and wrong counters: the rest is served, the damage told, and mended under the running daemon."""
    own_daemon.start()
    client = log_in(own_daemon)
    for octets in (b"Subject: small\r\n\r\nx\r\n", b"Subject: large\r\n\r\n" + b"y" * 100_000):
        assert client.append("INBOX", "", "", octets)[0] == "OK"
    client.logout()
    own_daemon.stop()
    (account,) = (own_daemon.directory / "data" / "accounts").glob("alice*")
    (body,) = (account / "bodies").iterdir()
    body.unlink()
    database = sqlite3.connect(account / "mail.db")
    database.execute("UPDATE mailbox SET total = 7, uid_next = 1 WHERE name = 'INBOX'")
    database.commit()
    database.close()
    own_daemon.start()
    client = log_in(own_daemon)
    client.select("INBOX")
    assert b"small" in client.fetch("1", "(BODY.PEEK[])")[1][0][1]
    assert client.fetch("2", "(BODY.PEEK[])")[0] == "NO"
    found = own_daemon.trekctl("check", "alice@example.com", status=1)
    assert f"file {body.name} is missing" in found and "mailbox INBOX: total" in found
    told = own_daemon.trekctl("check", "--repair", "alice@example.com", status=1)
    assert "lost: mailbox INBOX: message 2: its text" in told and "left: " not in told
    assert "none with faults" in own_daemon.trekctl("check")
    client.noop()
    status, found = client.fetch("2", "(BODY.PEEK[])")
    assert status == "OK" and found[0][1].startswith(b"Subject: large\r\n\r\n") and b"were lost" in found[0][1]
    assert client.append("INBOX", "", "", b"Subject: new\r\n\r\n")[0] == "OK"
    client.logout()


def test_exit_codes(own_daemon: Daemon) -> None:
    own_daemon.trekctl("account", "show", "alice@example.com")
    own_daemon.trekctl("account", "show", "zoe@example.com", status=1)
    own_daemon.trekctl("nonsense", status=2)
    assert "the daemon is not running" in own_daemon.trekctl("status", status=3)
    own_daemon.start()
    (own_daemon.directory / "data" / "directory.sqlite").chmod(0o644)
    own_daemon.stop()
    complaint = own_daemon.trekctl("account", "list", status=1)
    assert "chmod 600" in complaint and complaint.count("\n") == 1


def test_no_traceback_when_the_reader_leaves(own_daemon: Daemon) -> None:
    command = [sys.executable, "-m", "trekd.cli.main", "--config", str(own_daemon.config), "account", "list"]
    listing = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=own_daemon.environment, cwd=own_daemon.directory
    )
    assert listing.stdout is not None and listing.stderr is not None
    listing.stdout.close()
    assert b"Traceback" not in listing.stderr.read()
    listing.stderr.close()
    listing.wait(60)


def test_eight_bit_mail_is_kept_as_it_came(own_daemon: Daemon, tmp_path: Path) -> None:
    """8BITMIME (RFC 6152 §3): octets above 127 are neither refused nor changed, on the way in or out."""
    body = b"Gr\xc3\xbc\xc3\x9fe, \xe4\xff\x80\r\n"
    own_daemon.start()
    with smtplib.LMTP(own_daemon.lmtp) as lmtp:
        lmtp.ehlo_or_helo_if_needed()
        assert lmtp.has_extn("8bitmime")
        lmtp.sendmail("out@example.net", "bob@example.com", b"Subject: x\r\n\r\n" + body, ["BODY=8BITMIME"])
    own_daemon.trekctl("export", "bob@example.com", str(tmp_path / "mail"))
    assert body.replace(b"\r\n", b"\n") in (tmp_path / "mail" / "INBOX.mbox").read_bytes().replace(b"\r\n", b"\n")
