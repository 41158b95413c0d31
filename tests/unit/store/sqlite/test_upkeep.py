"""Databases stay small: the log, free pages, expunge records; and large mailboxes open quickly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.storecase import everything, fill, flags, uids_in, view_of
from tests.unit.store.sqlite.conftest import Site
from trekd.store.interfaces import FlagOperation, NewMessage
from trekd.store.sqlite import upkeep, views
from trekd.store.sqlite.database import library, value
from trekd.values import INBOX, ModSeq

BIG = NewMessage(b"Subject: big\r\n\r\n" + b"x" * 60_000)


def log_size(site: Site) -> int:
    """Octets of the write-ahead log."""
    log: Path = site.files / "mail.db-wal"
    return log.stat().st_size


def look(site: Site, sql: str) -> object:
    """A value of the database."""
    database = library(site.engine)(site.files / "mail.db")
    try:
        return value(database, sql)
    finally:
        database.close()


def test_log_stays_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins anew, though a session reads in between."""
    monkeypatch.setattr(upkeep, "CHECKPOINT_OCTETS", 500_000)
    site.stop()
    site.start(body_file_threshold=100_000)
    sizes = []
    for _ in range(40):
        site.reactor.run(site.alice.append(INBOX, [BIG]))
        site.reactor.run(view_of(site.alice))
        sizes.append(log_size(site))
    assert max(sizes) < 2_000_000 < 40 * 60_000


def test_free_pages_are_given_back(site: Site) -> None:
    site.stop()
    site.start(body_file_threshold=100_000)
    for _ in range(4):
        site.reactor.run(site.alice.append(INBOX, [BIG] * 50))
    view = site.reactor.run(view_of(site.alice))
    site.reactor.run(site.alice.change_flags(view, everything(view), FlagOperation.ADD, flags("\\Deleted")))
    site.reactor.run(site.alice.expunge(view.mailbox))
    for _ in range(10):
        site.reactor.run(fill(site.alice, 1))
    site.reactor.run(site.alice.settled())
    assert int(str(look(site, "PRAGMA freelist_count"))) < upkeep.FREE_PAGES


def test_expunge_records_are_bounded_and_views_still_right(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the floor a view is made from the rows."""
    monkeypatch.setattr(upkeep, "EXPUNGED_KEPT", 10)
    site.reactor.run(fill(site.alice, 40, INBOX, "\\Deleted"))
    first = site.reactor.run(view_of(site.alice))
    for start in range(0, 30, 3):
        site.reactor.run(site.alice.expunge(first.mailbox, first.uids[start : start + 3]))
    del first
    mailbox = site.reactor.run(site.alice.mailbox(INBOX)).id
    site.stop()
    site.start()
    assert int(str(look(site, "SELECT count(*) FROM expunged"))) <= 10
    assert int(str(look(site, "SELECT expunged_floor FROM mailbox WHERE id = 1"))) > 0
    floor = int(str(look(site, "SELECT expunged_floor FROM mailbox WHERE id = 1")))
    assert site.reactor.run(site.alice.vanished(mailbox, ModSeq(floor - 1))) is None
    assert len(site.reactor.run(site.alice.vanished(mailbox, ModSeq(floor))) or ()) > 0
    changes = site.reactor.run(site.alice.changes(mailbox, 1))  # type: ignore[arg-type]
    assert list(changes.view.uids) == list(range(31, 41))


def test_snapshot_gives_the_same_view(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """After messages came and went behind it, and after a restart."""
    monkeypatch.setattr(views, "SNAPSHOT_FROM", 10)
    site.reactor.run(fill(site.alice, 20, INBOX, "\\Deleted"))
    view = site.reactor.run(view_of(site.alice))
    site.reactor.run(site.alice.settled())
    assert look(site, "SELECT count(*) FROM snapshot") == 1
    site.reactor.run(site.alice.expunge(view.mailbox, view.uids[3:5]))
    site.reactor.run(fill(site.alice, 2))
    del view
    site.stop()
    site.start()
    read: list[object] = []
    monkeypatch.setattr(views, "all_uids", lambda *arguments: read.append(arguments))
    assert site.reactor.run(uids_in(site.alice)) == [1, 2, 3, *range(6, 23)]
    assert read == []
    monkeypatch.undo()


def test_snapshots_are_renewed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the writer, so that the next session need not read every row."""
    monkeypatch.setattr(upkeep, "SNAPSHOT_FROM", 10)
    monkeypatch.setattr(upkeep, "SNAPSHOT_AGE", 5)
    monkeypatch.setattr(upkeep, "CHECKPOINT_OCTETS", 1)
    stored = []
    for count in (9, 3, 3, 3):
        site.reactor.run(fill(site.alice, count))
        site.reactor.run(site.alice.settled())
        stored.append(look(site, "SELECT length(uids) / 4 FROM snapshot"))
    assert stored == [None, 12, 12, 18]


def test_failing_upkeep_harms_no_answer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(database: object) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(upkeep, "CHECKPOINT_OCTETS", 1)
    monkeypatch.setattr(upkeep, "checkpoint", fail)
    assert list(site.reactor.run(fill(site.alice, 1)).uids) == [1]
    assert list(site.reactor.run(fill(site.alice, 1)).uids) == [2]
