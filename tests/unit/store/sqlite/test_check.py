"""C{check()} finds each kind of damage, and says where."""

from __future__ import annotations

import os

import pytest

from tests.contract.storecase import fill, flags, message, view_of
from tests.unit.store.sqlite.conftest import Site
from trekd.store.interfaces import FlagOperation, NewMessage
from trekd.values import INBOX, MailboxName

DAMAGES = [
    ("UPDATE mailbox SET total = 4 WHERE id = 1", "mailbox INBOX: total"),
    ("UPDATE mailbox SET unseen = 4 WHERE id = 1", "mailbox INBOX: total, unseen"),
    ("UPDATE mailbox SET deleted = 1 WHERE name = 'Sent'", "mailbox Sent: total, unseen"),
    ("UPDATE mailbox SET octets = octets + 1 WHERE id = 1", "mailbox INBOX: total, unseen"),
    ("UPDATE mailbox SET uid_next = 4 WHERE id = 1", "mailbox INBOX: UIDNEXT is not above UID 4"),
    ("INSERT INTO expunged VALUES (2, 2, 9)", "mailbox Drafts: UIDNEXT is not above expunged UID 9"),
    ("UPDATE slot SET modseq = 10000 WHERE key & 255 = 3", "mailbox INBOX: message 3 has a modification"),
    ("UPDATE expunged SET modseq = 10000", "mailbox INBOX: expunged UID 2 has a modification"),
    ("UPDATE mailbox SET expunged_floor = modseq WHERE id = 1", "mailbox INBOX: expunged UID 2 has a"),
    ("UPDATE expunged SET uid = 3", "mailbox INBOX: message 3 is there and expunged"),
    ("UPDATE account SET modseq = 1", "mailbox INBOX: modification sequence or UIDVALIDITY above"),
    ("UPDATE mailbox SET uid_validity = 4000000000 WHERE id = 1", "mailbox INBOX: modification sequence or"),
    ("UPDATE slot SET key = key + (99 << 32) WHERE key & 255 = 3", "is in a mailbox that does not exist"),
    ("INSERT INTO keyword VALUES (99, 'k', 'k', 1)", "keyword k belongs to a mailbox that does not exist"),
    ("UPDATE slot SET email = 99 WHERE key & 255 = 3", "has no email, or one of another size"),
    ("UPDATE slot SET size = size + 1 WHERE key & 255 = 3", "has no email, or one of another size"),
    ("DELETE FROM slot WHERE key & 255 = 3", "is in no mailbox"),
    ("UPDATE body SET text = x'00' WHERE email = (SELECT min(id) FROM email)", "its octets are missing"),
    ("DELETE FROM body WHERE email = (SELECT min(id) FROM email)", "its octets are missing"),
    ("UPDATE email SET header_length = 3 WHERE id = (SELECT min(id) FROM email)", "its octets are missing"),
    ("UPDATE email SET envelope = x'00' WHERE id = (SELECT min(id) FROM email)", "its octets are missing"),
    ("INSERT INTO body VALUES (99, x'00', x'00')", "body 99 has no email"),
    ("UPDATE email SET objectid = 'same'", "two emails have the identifier same"),
    ("UPDATE account SET octets = 1", "quota counts 1 octets, 3 messages; there are"),
    ("UPDATE account SET messages = 1", "octets, 1 messages; there are"),
    ("UPDATE mailbox SET name = 'outbox' WHERE id = 1", "there is no INBOX"),
    ("UPDATE account SET principal = 'bob@example.com'", "belongs to ['bob@example.com']"),
    ("UPDATE slot SET bits = 0 WHERE key & 255 = 3", "1 messages have the bits 0 and the flags (k)"),
    ("UPDATE slot SET flags = '(k \\Seen)', bits = 40 WHERE key & 255 = 3", "the bits 40 and the flags (k \\Seen)"),
    ("UPDATE keyword SET messages = 2", "keyword k is counted wrongly"),
    ("DELETE FROM keyword", "keyword k is counted wrongly"),
    ("INSERT INTO snapshot VALUES (1, 1000, x'01000000')", "mailbox INBOX: its snapshot is of the future"),
    ("INSERT INTO snapshot VALUES (1, 7, x'05000000')", "mailbox INBOX: its snapshot is wrong"),
]
"""Statements, and what is said of them."""
LARGE = NewMessage(b"Subject: large\r\n\r\n" + b"x" * 10_000)


@pytest.fixture
def full(site: Site) -> Site:
    """An account with three messages (UIDs 1, 3, 4), one expunged (2), one of them large (4), a keyword on 3."""
    messages = [message("one"), message("two", "\\Deleted"), message("three", "k"), LARGE]
    site.reactor.run(site.alice.append(INBOX, messages))
    view = site.reactor.run(view_of(site.alice))
    site.reactor.run(site.alice.expunge(view.mailbox))
    return site


@pytest.mark.parametrize(("damage", "complaint"), DAMAGES)
def test_damage_in_rows(full: Site, damage: str, complaint: str) -> None:
    full.tamper(damage)
    found = full.reactor.run(full.alice.check())
    assert any(complaint in line for line in found), found
    full.stop()


def test_damage_in_files(full: Site) -> None:
    """A missing, a cut and a surplus file."""
    (name,) = os.listdir(full.files / "bodies")
    path = full.files / "bodies" / name
    octets = path.read_bytes()
    path.write_bytes(octets[:-1])
    (full.files / "bodies" / "stray").write_bytes(b"")
    assert set(full.reactor.run(full.alice.check())) == {
        "file stray belongs to no message",
        f"file {name} has another size than its message",
    }
    path.unlink()
    assert f"file {name} is missing" in full.reactor.run(full.alice.check())
    full.stop()


def test_damaged_index(full: Site) -> None:
    """What SQLite finds itself is told too."""
    full.tamper(
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = 'CREATE INDEX slot_email ON slot (size)' WHERE name = 'slot_email'",
    )
    full.stop()
    full.start()
    assert any(line.startswith("database: ") for line in full.reactor.run(full.alice.check()))
    full.stop()


def test_sound_account_after_all_kinds_of_changes(full: Site) -> None:
    alice, run = full.alice, full.reactor.run
    archive = MailboxName("Archive")
    view = run(view_of(alice))
    run(alice.copy(view, (range(3),), archive))
    run(alice.move(view, (range(1),), archive))
    run(alice.change_flags(view, (range(3),), FlagOperation.REPLACE, flags("\\Deleted", "other")))
    run(alice.expunge(view.mailbox))
    run(fill(alice, 3))
    run(alice.rename(INBOX, MailboxName("kept/here")))
    run(alice.rename(archive, MailboxName("kept/there")))
    run(alice.delete(MailboxName("kept/there")))
    assert run(alice.check()) == ()
