"""C{repair()} mends each kind of damage that C{check()} finds, and loses no mail."""

from __future__ import annotations

import os

import pytest

from tests.contract.storecase import ARCHIVE, content, listed, subjects, view_of
from tests.unit.store.sqlite.conftest import Site
from tests.unit.store.sqlite.test_check import DAMAGES, LARGE, full
from trekd.store.interfaces import Column
from trekd.store.terms import BodyText
from trekd.values import INBOX, MailboxName

__all__ = ["full"]
RECOVERED = MailboxName("Recovered")
_PARTLY = ("SET principal", "SET objectid", "FROM body", "SET text")


def all_subjects(site: Site) -> list[str]:
    """Those of all messages of the account."""
    found: list[str] = []
    for state in site.reactor.run(site.alice.mailboxes()):
        found += site.reactor.run(subjects(site.alice, state.name))
    return sorted(found)


@pytest.mark.parametrize(("damage", "complaint"), [pair for pair in DAMAGES if not any(x in pair[0] for x in _PARTLY)])
def test_what_the_messages_say_themselves_is_mended(full: Site, damage: str, complaint: str) -> None:
    """Every message is still there, and the account is sound and takes new mail."""
    full.tamper(damage)
    full.stop()
    full.start()
    told = full.reactor.run(full.alice.repair())
    assert any(line.startswith("mended: ") and complaint in line for line in told), told
    assert full.reactor.run(full.alice.check()) == ()
    found = all_subjects(full)
    assert [subject for subject in ("large", "one", "three") if subject not in found] == []
    assert full.reactor.run(full.alice.repair()) == ()
    full.reactor.run(full.alice.append(INBOX, [LARGE]))


def test_messages_without_mailbox_are_recovered(full: Site) -> None:
    full.tamper("UPDATE slot SET key = key + (99 << 32) WHERE key & 255 = 3", "DELETE FROM slot WHERE key & 255 = 1")
    full.reactor.run(full.alice.repair())
    assert sorted(full.reactor.run(subjects(full.alice, RECOVERED))) == ["one", "three"]
    assert full.reactor.run(subjects(full.alice, INBOX)) == ["large"]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE body SET text = NULL WHERE email = (SELECT min(id) FROM email)",
        "DELETE FROM body WHERE email = (SELECT min(id) FROM email)",
    ],
)
def test_a_message_without_octets_says_so(full: Site, damage: str) -> None:
    """It keeps its place and what is left of it; the others are listed again."""
    full.tamper(damage)
    told = full.reactor.run(full.alice.repair())
    assert "lost: mailbox INBOX: message 1: its text" in told
    assert full.reactor.run(full.alice.check()) == ()
    octets = full.reactor.run(listed(full.alice, full.reactor.run(view_of(full.alice)), (Column.OCTETS,)))
    assert octets.count(b"were lost") == 1 and content("three") in octets


def test_a_cut_text_is_shown_as_far_as_it_is_there(full: Site) -> None:
    full.tamper("UPDATE body SET text = x'6162' WHERE email = (SELECT min(id) FROM email)")
    full.reactor.run(full.alice.repair())
    assert full.reactor.run(full.alice.check()) == ()
    octets = full.reactor.run(listed(full.alice, full.reactor.run(view_of(full.alice)), (Column.TEXT, Column.SIZE)))
    assert octets.startswith(b"{2}\r\nab%d" % (len(content("one", b"")) + 2))


def test_a_missing_file(full: Site) -> None:
    """The header is in the database."""
    (name,) = os.listdir(full.files / "bodies")
    (full.files / "bodies" / name).unlink()
    told = full.reactor.run(full.alice.repair())
    assert told == (f"mended: file {name} is missing", "lost: mailbox INBOX: message 4: its text")
    assert full.reactor.run(full.alice.check()) == ()
    assert all_subjects(full) == ["large", "one", "three"]


@pytest.mark.parametrize("size", [5, 9_000, 20_000])
def test_a_file_of_another_size(full: Site, size: int) -> None:
    """What is there is shown."""
    (name,) = os.listdir(full.files / "bodies")
    octets = (b"Subject: large\r\n\r\n" + b"y" * 20_000)[:size]
    (full.files / "bodies" / name).write_bytes(octets)
    told = full.reactor.run(full.alice.repair())
    assert "lost: mailbox INBOX: message 4: it has another size, perhaps a part of it" in told
    assert full.reactor.run(full.alice.check()) == ()
    view = full.reactor.run(view_of(full.alice))
    assert full.reactor.run(listed(full.alice, view, (Column.OCTETS,))).endswith(b"{%d}\r\n%b" % (size, octets))


def test_files_that_belong_to_nothing_are_put_aside(full: Site) -> None:
    """But for those that may be arriving."""
    for name, age in (("old", 7200), ("new", 0)):
        path = full.files / "bodies" / name
        path.write_bytes(b"octets")
        moment = full.reactor.seconds() - age
        os.utime(path, (moment, moment))
    told = full.reactor.run(full.alice.repair())
    assert set(told) == {"mended: file old belongs to no message", "left: file new belongs to no message"}
    assert (full.files / "lost+found" / "old").read_bytes() == b"octets"
    (full.files / "bodies" / "new").unlink()


def test_a_broken_index_is_made_anew(full: Site) -> None:
    """An index without its entries: what SQLite finds missing is found again."""
    full.tamper(
        "PRAGMA writable_schema = ON",
        "CREATE INDEX empty ON slot (email) WHERE 0",
        "UPDATE sqlite_schema SET sql = 'CREATE INDEX empty ON slot (email)' WHERE name = 'empty'",
    )
    full.stop()
    full.start()
    told = full.reactor.run(full.alice.repair())
    assert any(line.startswith("mended: database: ") for line in told)
    assert all(line.startswith("mended: ") for line in told), told
    assert full.reactor.run(full.alice.check()) == ()
    assert all_subjects(full) == ["large", "one", "three"]
    assert RECOVERED not in [state.name for state in full.reactor.run(full.alice.mailboxes())]


def test_another_accounts_database_is_left(full: Site) -> None:
    full.tamper("UPDATE account SET principal = 'bob@example.com'")
    assert full.reactor.run(full.alice.repair()) == ("left: database belongs to ['bob@example.com']",)
    full.stop()


def test_a_broken_index_of_text_does_not_hide_mail(full: Site) -> None:
    """Garbage in its file: searches are right, and it is made anew."""
    full.reactor.run(full.alice.index_text())
    full.stop()
    (full.files / "text.db").write_bytes(b"garbage" * 1000)
    full.start()
    view = full.reactor.run(view_of(full.alice))
    assert list(full.reactor.run(full.alice.search(view, BodyText("xxxxx")))) == [4]
    full.reactor.run(full.alice.index_text(anew=True))
    assert list(full.reactor.run(full.alice.search(view, BodyText("xxxxx")))) == [4]


def test_nothing_is_done_where_nothing_is_wrong(full: Site) -> None:
    before = full.reactor.run(full.alice.mailboxes())
    assert full.reactor.run(full.alice.repair()) == ()
    assert full.reactor.run(full.alice.mailboxes()) == before
    assert ARCHIVE in [state.name for state in before]
