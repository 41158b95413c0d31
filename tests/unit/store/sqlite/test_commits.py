"""Group commit: one sync for many, all or nothing, and no answer before it."""

from __future__ import annotations

import os

import pytest
from twisted.internet.defer import Deferred

from tests.contract.storecase import fill, message, uids_in
from tests.unit.store.sqlite.conftest import Site
from trekd.errors import NoSuchMailbox, StoreBusy, StoreFull
from trekd.store.interfaces import NewMessage
from trekd.store.sqlite import queue
from trekd.values import INBOX, MailboxName

LARGE = NewMessage(b"Subject: large\r\n\r\n" + b"x" * 10_000)


def test_waiting_changes_share_a_commit(site: Site) -> None:
    started = [site.reactor.start(fill(site.alice, 1)) for _ in range(20)]
    site.moments.clear()
    for each in started:
        site.reactor.finish(each)
    assert site.moments.count("after commit") <= 3
    assert site.reactor.run(uids_in(site.alice)) == list(range(1, 21))


def test_no_answer_before_the_commit(site: Site) -> None:
    answered: list[object] = []
    seen: list[bool] = []

    def trap(moment: str) -> None:
        if moment in ("prepared", "before commit"):
            site.reactor.callFromThread(lambda: seen.append(bool(answered)))

    site.trap = trap
    done = site.reactor.start(fill(site.alice, 1))
    done.addCallback(answered.append)
    site.reactor.until(lambda: bool(answered))
    assert seen == [False, False]


def test_commit_that_fails_fails_them_all_and_changes_nothing(site: Site) -> None:
    """Neither rows, nor files, nor counters, nor what the next change gets."""
    site.reactor.run(fill(site.alice, 2))
    before = site.reactor.run(site.alice.mailboxes())
    heard: list[object] = []
    site.store.subscribe(site.alice.principal, lambda mailbox, modseq: heard.append(mailbox))

    def trap(moment: str) -> None:
        if moment == "before commit":
            raise StoreFull("no space")

    site.trap = trap
    started = [site.reactor.start(site.alice.append(INBOX, [message(), LARGE])) for _ in range(3)]
    started.append(site.reactor.start(site.alice.create(MailboxName("new"))))  # type: ignore[arg-type]
    started.append(site.reactor.start(site.alice.append(MailboxName("absent"), [message()])))
    errors = []
    for each in started:
        with pytest.raises((StoreFull, NoSuchMailbox)) as caught:
            site.reactor.finish(each)
        errors.append(caught.type)
    site.reactor.settle()
    assert errors == [StoreFull] * 4 + [NoSuchMailbox]
    assert heard == []
    assert os.listdir(site.files / "bodies") == []
    assert site.reactor.run(site.alice.mailboxes()) == before

    site.trap = lambda moment: None
    assert list(site.reactor.run(fill(site.alice, 1)).uids) == [3]


def test_append_that_fails_leaves_no_file(site: Site) -> None:
    with pytest.raises(NoSuchMailbox):
        site.reactor.run(site.alice.append(MailboxName("absent"), [LARGE]))
    assert os.listdir(site.files / "bodies") == []


def test_directory_that_refuses_a_file(site: Site) -> None:
    """The message that needs it fails; the small one beside it does not."""
    (site.files / "bodies").rmdir()
    large = site.reactor.start(site.alice.append(INBOX, [LARGE]))
    small = site.reactor.start(fill(site.alice, 1))
    with pytest.raises(StoreFull):
        site.reactor.finish(large)
    assert list(site.reactor.finish(small).uids) == [1]
    (site.files / "bodies").mkdir()


def test_too_many_waiting_changes_are_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was accepted before is done."""
    monkeypatch.setattr(queue, "WAITING_OPERATIONS", 3)
    started = [site.reactor.start(fill(site.alice, 1)) for _ in range(6)]
    outcomes: list[object] = []
    for each in started:
        try:
            outcomes.append(list(site.reactor.finish(each).uids))
        except StoreBusy:
            outcomes.append("busy")
    assert outcomes == [[1], [2], [3], [4], "busy", "busy"]


def test_large_changes_do_not_share_memory(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch ends when its messages have so many octets."""
    monkeypatch.setattr(queue, "BATCH_OCTETS", 25_000)
    started = [site.reactor.start(site.alice.append(INBOX, [LARGE])) for _ in range(7)]
    site.moments.clear()
    for each in started:
        site.reactor.finish(each)
    assert site.moments.count("after commit") >= 4


def test_sink_that_is_late_keeps_its_place(site: Site) -> None:
    """Changes stay in the order in which they were asked for."""
    arriving: Deferred[bytes] = Deferred()

    class Late:
        size = 4

        def octets(self) -> Deferred[bytes]:
            return arriving

    first = site.reactor.start(site.alice.append(INBOX, [NewMessage(Late())]))  # type: ignore[arg-type]
    second = site.reactor.start(fill(site.alice, 1))
    site.reactor.settle()
    arriving.callback(b"\r\nab")
    assert list(site.reactor.finish(second).uids) == [2]
    assert list(site.reactor.finish(first).uids) == [1]
