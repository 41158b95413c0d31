"""mbsync: 500 messages both ways with flags and deletions; a second run changes nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.programs import require, run
from tests.clients.test_imaplib import log_in

SETTINGS = """\
IMAPAccount trek
Host localhost
Port {port}
User carol@example.com
Pass "{password}"
SSLType IMAPS
SystemCertificates no
CertificateFile {certificate}

IMAPStore far
Account trek

MaildirStore near
Path {near}/
Inbox {near}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns Sync%
Create Both
Remove Both
Expunge Both
SyncState *
"""


def sync(daemon: Daemon, directory: Path) -> str:
    settings = directory / "mbsyncrc"
    settings.write_text(
        SETTINGS.format(
            port=daemon.ports["imaps"], password=PASSWORD, certificate=daemon.certificate, near=directory / "near"
        )
    )
    (directory / "near").mkdir(exist_ok=True)
    finished = run(require("mbsync"), "-V", "-c", str(settings), "-a")
    return (finished.stdout + finished.stderr).decode()


def snapshot(directory: Path) -> dict[str, str]:
    """Base name to flags of every message of the Maildir."""
    found = {}
    for kind in ("cur", "new"):
        for path in (directory / "near" / "Sync" / kind).iterdir():
            base, _, flags = path.name.partition(":2,")
            found[base] = flags
    return found


def test_500_messages_both_ways(daemon: Daemon, tmp_path: Path) -> None:
    with log_in(daemon, "carol") as client:
        client.create("Sync")
        for number in range(250):
            flags = r"(\Seen \Flagged)" if number % 2 else None
            message = b"Subject: far %d\r\nMessage-ID: <f%d@x>\r\n\r\nx\r\n" % (number, number)
            client.append("Sync", flags, None, message)
    maildir = tmp_path / "near" / "Sync"
    for kind in ("cur", "new", "tmp"):
        os.makedirs(maildir / kind)
    for number in range(250):
        name = f"{int(time.time())}.near{number}.host:2,{'S' if number % 2 else ''}"
        (maildir / "cur" / name).write_bytes(b"Subject: near %d\nMessage-ID: <n%d@x>\n\ny\n" % (number, number))
    sync(daemon, tmp_path)
    with log_in(daemon, "carol") as client:
        assert client.select("Sync")[1] == [b"500"]
        assert len(client.search(None, "SEEN")[1][0].split()) == 250
        assert len(client.search(None, "FLAGGED")[1][0].split()) == 125
    assert len(snapshot(tmp_path)) == 500
    assert sum("F" in flags for flags in snapshot(tmp_path).values()) == 125

    before = snapshot(tmp_path)
    sync(daemon, tmp_path)
    assert snapshot(tmp_path) == before
    with log_in(daemon, "carol") as client:
        assert client.status("Sync", "(MESSAGES UIDNEXT)")[1][0].endswith(b"(MESSAGES 500 UIDNEXT 501)")

    with log_in(daemon, "carol") as client:
        client.select("Sync")
        client.store("1:10", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.store("1:5", "+FLAGS", r"(\Answered)")
    for path in sorted((maildir / "cur").glob("*near*"))[:10]:
        path.rename(path.with_name(path.name + "T"))
    sync(daemon, tmp_path)
    with log_in(daemon, "carol") as client:
        assert client.select("Sync")[1] == [b"480"]
        assert len(client.search(None, "ANSWERED")[1][0].split()) == 5
    assert len(snapshot(tmp_path)) == 480
    assert sum("R" in flags for flags in snapshot(tmp_path).values()) == 5
