"""Maildirs, in and out."""

from __future__ import annotations

import mailbox
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trekd.cli.failures import CommandFailure
from trekd.cli.maildir import MaildirFolder, find_folders, is_maildir, message_files, read_keywords, read_message
from trekd.values import INBOX, Flag, MailboxName
from trekd.web.messages import StoredMessage

DATE = datetime(1996, 7, 17, 2, 44, 25, tzinfo=UTC)


def make(folder: Path, *files: tuple[str, bytes]) -> Path:
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for number, (name, octets) in enumerate(files):
        (folder / name).write_bytes(octets)
        os.utime(folder / name, (DATE.timestamp() + number,) * 2)
    return folder


def read(folder: Path) -> list[StoredMessage]:
    keywords = read_keywords(str(folder))
    return [read_message(path, keywords) for path in message_files(str(folder))]


def test_flags_dates_and_line_ends(tmp_path: Path) -> None:
    make(
        tmp_path,
        ("cur/1.a:2,FRS", b"Subject: x\n\ny\n"),
        ("cur/2.a:2,DTPab", b"Subject: x\r\n\r\nbare\nstays\r\n"),
        ("new/3.a", b"z\n"),
        ("cur/4.a:2,", b""),
        ("tmp/5.a", b"not delivered"),
        ("cur/.hidden", b"no message"),
    )
    (tmp_path / "dovecot-keywords").write_text("0 $Junk\n1 Work\nx y\n7 (bad\n")
    first, second, third, fourth = read(tmp_path)
    answered = frozenset(map(Flag, ["\\Flagged", "\\Answered", "\\Seen"]))
    assert first == StoredMessage(b"Subject: x\r\n\r\ny\r\n", answered, DATE)
    assert second.octets == b"Subject: x\r\n\r\nbare\nstays\r\n"
    assert second.flags == set(map(Flag, ["\\Draft", "\\Deleted", "$Forwarded", "$Junk", "Work"]))
    assert (third.octets, third.flags, fourth.octets) == (b"z\r\n", frozenset(), b"")
    assert (third.internal_date - DATE).seconds == 2


def test_folders_are_mailboxes(tmp_path: Path) -> None:
    for name in ("", ".Sent", ".Work.2024", ".Entw&APw-rfe", ".a&AC4-b", ".Grün"):
        make(tmp_path / name)
    (tmp_path / ".no-maildir").mkdir()
    assert is_maildir(str(tmp_path))
    names = [str(name) for name, _ in find_folders(str(tmp_path))]
    assert names[0] == "INBOX"
    assert sorted(names[1:]) == ["Entwürfe", "Grün", "Sent", "Work/2024", "a.b"]
    make(tmp_path / "..bad")
    with pytest.raises(CommandFailure, match="cannot be a mailbox"):
        list(find_folders(str(tmp_path)))


def test_python_reads_what_we_write(tmp_path: Path) -> None:
    folder = MaildirFolder(str(tmp_path / "out"))
    folder.begin(INBOX)
    folder.add(StoredMessage(b"Subject: x\r\n\r\ny\r\n", frozenset({Flag("\\Seen"), Flag("$Forwarded")}), DATE))
    folder.begin(MailboxName("Work/2024"))
    folder.close()
    maildir = mailbox.Maildir(str(tmp_path / "out"), create=False)
    (message,) = maildir
    assert (message["Subject"], message.get_flags(), message.get_date()) == ("x", "PS", DATE.timestamp())
    assert maildir.list_folders() == ["Work.2024"]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    names = [INBOX, MailboxName("a.b/c"), MailboxName("Entwürfe"), MailboxName("A&B"), MailboxName("a/.b")]
    flags = frozenset(map(Flag, ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$Forwarded", "x", "y"]))
    messages = [
        StoredMessage(b"Subject: x\r\n\r\n\xff\0\r\n", flags, DATE),
        StoredMessage(b"Subject: x\r\n\r\nbare\nline\r\n", frozenset({Flag("y")}), DATE),
        StoredMessage(b"", frozenset(), DATE),
    ]
    folder = MaildirFolder(str(tmp_path / "out"))
    for name in names:
        folder.begin(name)
        for message in messages:
            folder.add(message)
    folder.close()
    found = dict(find_folders(str(tmp_path / "out")))
    assert set(found) == set(names)
    for path in found.values():
        assert read(Path(path)) == messages


def test_more_keywords_than_letters_lose_only_themselves(tmp_path: Path) -> None:
    folder = MaildirFolder(str(tmp_path / "out"))
    folder.begin(INBOX)
    keywords = frozenset(Flag(f"k{number:02}") for number in range(40))
    folder.add(StoredMessage(b"x\r\n", keywords | {Flag("\\Seen")}, DATE))
    folder.close()
    (message,) = read(tmp_path / "out")
    assert Flag("\\Seen") in message.flags
    assert len(message.flags) == 27
