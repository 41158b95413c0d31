"""
The change feed.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread, get_ident

from tests.fakes.running import PumpedReactor
from trekd.store.feed import ChangeFeed
from trekd.values import MailboxId, ModSeq, PrincipalId

ALICE, BOB = PrincipalId("alice@example.com"), PrincipalId("bob@example.com")
BOX = MailboxId("M1")


def test_listeners_hear_in_the_reactors_thread() -> None:
    """Whichever thread publishes; never within the publishing call."""
    reactor = PumpedReactor()
    feed = ChangeFeed(reactor.callFromThread)
    heard: list[tuple[object, ...]] = []
    feed.subscribe(ALICE, lambda mailbox, modseq: heard.append((mailbox, modseq, get_ident())))
    feed.subscribe(BOB, lambda mailbox, modseq: heard.append(("bob",)))
    thread = Thread(target=feed.publish, args=(ALICE, BOX, ModSeq(7)))
    thread.start()
    thread.join()
    assert heard == []
    reactor.settle()
    assert heard == [(BOX, 7, reactor.thread)]


def test_ended_subscription_is_silent_at_once() -> None:
    """Also when a hint is on its way, and when another listener ends it."""
    reactor = PumpedReactor()
    feed = ChangeFeed(reactor.callFromThread)
    heard: list[str] = []
    cancels: list[Callable[[], None]] = []

    def first(mailbox: MailboxId, modseq: ModSeq) -> None:
        heard.append("first")
        cancels[1]()

    cancels.append(feed.subscribe(ALICE, first))
    cancels.append(feed.subscribe(ALICE, lambda mailbox, modseq: heard.append("second")))
    feed.publish(ALICE, BOX, ModSeq(1))
    reactor.settle()
    assert heard == ["first"]
    feed.publish(ALICE, BOX, ModSeq(2))
    cancels[0]()
    cancels[0]()
    reactor.settle()
    assert heard == ["first"]


def test_one_listener_twice_is_two_subscriptions() -> None:
    """Ending one leaves the other."""
    reactor = PumpedReactor()
    feed = ChangeFeed(reactor.callFromThread)
    heard: list[ModSeq] = []

    def listener(mailbox: MailboxId, modseq: ModSeq) -> None:
        heard.append(modseq)

    cancel = feed.subscribe(ALICE, listener)
    feed.subscribe(ALICE, listener)
    cancel()
    feed.publish(ALICE, BOX, ModSeq(1))
    reactor.settle()
    assert heard == [1]
