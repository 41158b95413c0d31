"""Views: shared while somebody has them, advanced from one another, never wrong."""

from __future__ import annotations

import gc
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.storecase import fill, uid_set, uids_in, view_of
from tests.unit.store.sqlite.conftest import Site
from trekd.store.interfaces import MailboxView
from trekd.store.sqlite import views
from trekd.store.sqlite.views import Known, KnownViews, packed, unpacked, without
from trekd.values import INBOX, MailboxId, ModSeq


def known(mailbox: str, modseq: int) -> Known:
    """A view of nothing."""
    return Known(MailboxView(MailboxId(mailbox), ModSeq(modseq), array("I")), ())


ASCENDING = st.sets(st.integers(1, 300)).map(lambda uids: array("I", sorted(uids)))


@given(ASCENDING, ASCENDING)
def test_without(uids: array[int], gone: array[int]) -> None:
    assert list(without(uids, gone)) == sorted(set(uids) - set(gone))


@given(ASCENDING)
def test_packed_uids_come_back(uids: array[int]) -> None:
    assert unpacked(packed(uids)) == uids
    assert packed(uid_set(1, 258)) == b"\1\0\0\0\2\1\0\0"


def test_views_are_found_by_modification_sequence() -> None:
    several = KnownViews()
    held = [several.share(known("a", modseq)) for modseq in (3, 7, 5)]
    found = several.newest(MailboxId("a"), 6)
    assert found is not None
    assert found.view is held[2].view
    assert several.newest(MailboxId("a"), 2) is None
    assert several.newest(MailboxId("b"), 9) is None


def test_the_same_view_is_shared() -> None:
    several = KnownViews()
    first = several.share(known("a", 3))
    assert several.share(known("a", 3)).view is first.view


def test_views_that_nobody_holds_go() -> None:
    """But for the latest few."""
    several = KnownViews(kept=2)
    for mailbox in "abc":
        several.share(known(mailbox, 1))
    gc.collect()
    assert several.newest(MailboxId("a"), 9) is None
    assert several.newest(MailboxId("c"), 9) is not None


def test_forgotten_mailboxes_take_no_memory() -> None:
    several = KnownViews(kept=2)
    for number in range(5000):
        several.share(known(f"m{number}", 1))
    assert len(several._held) < 3000


def test_delivery_reads_no_old_rows(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Into a mailbox that a session has open, or had a moment ago."""
    site.reactor.run(fill(site.alice, 5))
    old = site.reactor.run(view_of(site.alice))
    monkeypatch.setattr(views, "all_uids", None)
    site.reactor.run(fill(site.alice, 2))
    changes = site.reactor.run(site.alice.changes(old.mailbox, old.modseq))
    assert list(changes.view.uids) == [1, 2, 3, 4, 5, 6, 7]
    assert list(changes.changed) == [6, 7]
    assert list(old.uids) == [1, 2, 3, 4, 5]


def test_nothing_is_read_when_nothing_changed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """And every session has the same view."""
    view = site.reactor.run(view_of(site.alice))
    site.reactor.run(site.alice.mailboxes())
    monkeypatch.setattr(site.store._connections, "lent", None)
    changes = site.reactor.run(site.alice.changes(view.mailbox, view.modseq))
    assert changes.view is view
    assert not changes.changed
    assert site.reactor.run(site.alice.mailbox(INBOX)).total == 0
    monkeypatch.undo()


def test_sessions_share_a_view(site: Site) -> None:
    site.reactor.run(fill(site.alice, 3))
    one, two = (site.reactor.run(view_of(site.alice)) for _ in range(2))
    assert one is two
    assert site.reactor.run(uids_in(site.alice)) == [1, 2, 3]
