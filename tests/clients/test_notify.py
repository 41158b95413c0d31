"""One connection watches all mailboxes of a started daemon: imaplib beside others that deliver, rename and annotate."""

from __future__ import annotations

import imaplib

from tests.clients.daemon import Daemon
from tests.clients.test_imaplib import MESSAGE, log_in

imaplib.Commands.update(dict.fromkeys(("NOTIFY", "GETMETADATA", "SETMETADATA"), ("AUTH", "SELECTED")))


def heard(client: imaplib.IMAP4_SSL, lines: int) -> list[bytes]:
    """The next lines that the server says unasked."""
    return [client.readline().rstrip(b"\r\n") for _ in range(lines)]


def test_all_mailboxes_are_watched_by_one_connection(daemon: Daemon) -> None:
    with log_in(daemon) as watcher, log_in(daemon) as other:
        watcher.select("INBOX")
        groups = (
            "(selected (MessageNew (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge FlagChange))",
            "(personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange))",
        )
        assert watcher._simple_command("NOTIFY", "SET", *groups)[0] == "OK"
        other.append("Drafts", None, None, MESSAGE % (1, 1))
        assert heard(watcher, 1) == [b'* STATUS "Drafts" (UIDNEXT 2 MESSAGES 1 UNSEEN 1)']
        other.append("INBOX", r"(\Seen)", None, b"Subject: now\r\n\r\nText\r\n")
        assert heard(watcher, 6) == [
            b"* 1 EXISTS",
            b"* 1 RECENT",
            rb"* 1 FETCH (UID 1 FLAGS (\Recent \Seen) BODY[HEADER.FIELDS (SUBJECT)] {16}",
            b"Subject: now",
            b"",
            b")",
        ]
        other.create("Work")
        assert heard(watcher, 1) == [rb'* LIST (\HasNoChildren) "/" "Work"']
        other.subscribe("Nowhere")
        assert heard(watcher, 1) == [rb'* LIST (\NonExistent \HasNoChildren \Subscribed) "/" "Nowhere"']
        other.rename("Work", "Play")
        assert heard(watcher, 1) == [rb'* LIST (\HasNoChildren) "/" "Play" ("OLDNAME" ("Work"))']
        assert other._simple_command("SETMETADATA", "Play", '(/private/comment "x")')[0] == "OK"
        assert heard(watcher, 1) == [b'* METADATA "Play" /private/comment']
        other.delete("Play")
        assert heard(watcher, 1) == [rb'* LIST (\NonExistent \HasNoChildren) "/" "Play"']
        other.select("INBOX")
        other.store("1", "+FLAGS", r"(\Deleted)")
        assert heard(watcher, 1) == [rb"* 1 FETCH (UID 1 FLAGS (\Recent \Deleted \Seen))"]
        other.expunge()
        assert heard(watcher, 1) == [b"* 1 EXPUNGE"]
        # The client's own commands go on as ever.
        assert watcher.append("Sent", None, None, MESSAGE % (2, 2))[0] == "OK"
        assert watcher.noop()[0] == "OK"
        assert watcher._simple_command("NOTIFY", "NONE")[0] == "OK"
        other.append("INBOX", None, None, MESSAGE % (3, 3))
        assert watcher.noop() == ("OK", [b"NOOP completed"])
