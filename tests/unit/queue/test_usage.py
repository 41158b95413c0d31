"""Sending limits of plans: counted once, for a day, whatever happens."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from tests.fakes.postoffice import run_here
from tests.unit.queue.support import ALICE, BOB, MESSAGE, PostOffice, address, run
from trekd.config.schema import PlanConfig
from trekd.errors import (
    MessageTooLarge,
    QueueFull,
    StoreBusy,
    TooManyMessages,
    TooManyNewRecipients,
    TooManyRecipients,
)
from trekd.portal.plans import Plans
from trekd.queue.interfaces import IUsage, MailTransaction, Recipient, Usage
from trekd.queue.routing import LOCAL, RELAY
from trekd.queue.usage import UsageLedger
from trekd.queue.usagefile import UsageFile

HOUR, DAY = 3600, 24 * 3600


@pytest.fixture
def office(tmp_path: Path) -> PostOffice:
    return PostOffice(tmp_path)


def limit(office: PostOffice, **figures: Any) -> None:
    none = dict.fromkeys(("messages_per_day", "messages_per_hour", "new_recipients_per_day"), 0)
    office.figures["pro"] = replace(PlanConfig(outbound="any"), **{**none, **figures})


def friends(count: int, name: str = "friend") -> list[str]:
    return [f"{name}{number}@elsewhere.example" for number in range(count)]


def send(office: PostOffice, *recipients: str) -> None:
    outcomes = office.accept(*(recipients or ("friend@elsewhere.example",)), submitter=ALICE)
    assert [one.failure for one in outcomes] == [None] * len(outcomes)


def used(office: PostOffice) -> Usage:
    usage: Usage = run(office.usage.of(ALICE))
    return usage


def restarted(office: PostOffice) -> UsageLedger:
    run(office.usage.stop())
    office.usage_file = UsageFile(office.usage_file.path)
    office.usage_file.open()
    clock: Any = office.clock
    office.usage = UsageLedger(office.usage_file, Plans(office.figures), clock, run_here)
    office.flow._usage = office.usage
    return office.usage


def test_contract(office: PostOffice) -> None:
    assert verifyObject(IUsage, office.usage)


def test_a_day_has_its_messages_and_the_refusal_says_when_the_next_may_go(office: PostOffice) -> None:
    """One message whatever its recipients; a day later there is room, and not a second earlier."""
    limit(office, messages_per_day=3)
    began = office.clock.seconds()
    send(office, *friends(5))
    office.clock.advance(HOUR)
    send(office)
    send(office)
    with pytest.raises(TooManyMessages) as error:
        send(office)
    fault = error.value
    assert (fault.used, fault.allowed, fault.hours) == (3, 3, 24)
    assert began + DAY < fault.frees <= began + DAY + 60
    office.clock.advance(fault.frees - office.clock.seconds() - 1)
    with pytest.raises(TooManyMessages):
        send(office)
    office.clock.advance(1)
    send(office)


def test_an_hour_has_a_fifth_of_the_day(office: PostOffice) -> None:
    limit(office, messages_per_day=10, messages_per_hour=None)
    send(office)
    send(office)
    with pytest.raises(TooManyMessages) as error:
        send(office)
    assert (error.value.used, error.value.allowed, error.value.hours) == (2, 2, 1)
    office.clock.advance(HOUR + 60)
    send(office)


def test_local_mail_is_never_counted_nor_refused(office: PostOffice) -> None:
    limit(office, messages_per_day=1, recipients_per_message=1, message_size=1, new_recipients_per_day=1)
    for _ in range(5):
        send(office, "bob@example.com", "alice@example.com", "team@example.com")
    assert used(office).day.used == 0
    limit(office, messages_per_day=1)
    send(office)
    send(office, "bob@example.com")
    with pytest.raises(TooManyMessages):
        send(office)


def test_zero_is_no_limit(office: PostOffice) -> None:
    limit(office)
    for _ in range(50):
        send(office, *friends(20))
    assert (used(office).day.used, used(office).day.allowed) == (50, 0)


def test_new_recipients_are_those_never_written_to(office: PostOffice) -> None:
    """Old ones have room when new ones have none; case makes no difference."""
    limit(office, new_recipients_per_day=3)
    send(office, *friends(2))
    send(office, *friends(2))
    send(office, "FRIEND0@elsewhere.example")
    assert used(office).newcomers.used == 2
    send(office, "third@elsewhere.example")
    with pytest.raises(TooManyNewRecipients) as error:
        send(office, "fourth@elsewhere.example")
    assert (error.value.used, error.value.allowed, error.value.hours) == (3, 3, 24)
    send(office, *friends(2), "third@elsewhere.example")
    office.clock.advance(DAY + 60)
    send(office, "fourth@elsewhere.example")
    send(office, *friends(2))
    assert used(office).newcomers.used == 1, "known for ever, not for a day"


def test_new_recipients_of_one_message_count_together(office: PostOffice) -> None:
    """The one too many is refused at RCPT, before the message is sent; the others stay."""
    limit(office, new_recipients_per_day=3)
    send(office, "known@elsewhere.example")
    accepted = tuple(Recipient(address(each), RELAY) for each in ("known@elsewhere.example", *friends(2)))
    with pytest.raises(TooManyNewRecipients) as error:
        run(office.flow.resolve(ALICE, address("more@elsewhere.example"), accepted))
    assert (error.value.used, error.value.allowed) == (3, 3)
    assert error.value.frees > office.clock.seconds()
    for other in ("known@elsewhere.example", "friend0@elsewhere.example"):
        assert run(office.flow.resolve(ALICE, address(other), accepted)) == RELAY
    many = (*accepted, Recipient(address("x@y.example"), RELAY))
    with pytest.raises(TooManyNewRecipients):
        office.take(MailTransaction(ALICE.address, many, ALICE.principal))
    assert used(office).newcomers.used == 1, "a refused message counts nothing"


def test_recipients_of_a_message_are_those_outside(office: PostOffice) -> None:
    limit(office, recipients_per_message=2)
    accepted = [Recipient(BOB.address, LOCAL), Recipient(address("a@elsewhere.example"), RELAY)]
    run(office.flow.resolve(ALICE, address("b@elsewhere.example"), accepted))
    accepted.append(Recipient(address("b@elsewhere.example"), RELAY))
    with pytest.raises(TooManyRecipients):
        run(office.flow.resolve(ALICE, address("c@elsewhere.example"), accepted))
    run(office.flow.resolve(ALICE, BOB.address, accepted))


def test_a_message_may_be_as_large_as_the_plan_says(office: PostOffice) -> None:
    limit(office, message_size=len(MESSAGE))
    send(office)
    limit(office, message_size=len(MESSAGE) - 1)
    with pytest.raises(MessageTooLarge) as error:
        send(office)
    assert error.value.limit == len(MESSAGE) - 1
    send(office, "bob@example.com")
    assert used(office).day.used == 1


def test_a_message_announced_as_too_large_is_refused_before_it_is_sent(office: PostOffice) -> None:
    """RFC 1870 §6.2; a local recipient takes it all the same."""
    limit(office, message_size=1000)
    outside = address("b@elsewhere.example")
    run(office.flow.resolve(ALICE, outside, (), 1000))
    with pytest.raises(MessageTooLarge):
        run(office.flow.resolve(ALICE, outside, (), 1001))
    run(office.flow.resolve(ALICE, BOB.address, (), 1001))
    run(office.flow.resolve(ALICE, outside))


def test_what_the_queue_did_not_take_is_not_counted(tmp_path: Path) -> None:
    """A client that has to try again does not pay twice, and its recipient is new still."""
    office = PostOffice(tmp_path, max_messages=100)
    limit(office, messages_per_day=5, new_recipients_per_day=5)
    office.spool._file._max_messages = 0
    (outcome,) = office.accept("friend@elsewhere.example", submitter=ALICE)
    assert isinstance(outcome.failure, QueueFull)
    assert (used(office).day.used, used(office).newcomers.used) == (0, 0)
    office.spool._file._max_messages = 100
    send(office)
    assert (used(office).day.used, used(office).newcomers.used) == (1, 1)


def test_counts_survive_a_restart(office: PostOffice) -> None:
    """Counts, and who is known; the refusal is the same."""
    limit(office, messages_per_day=2, new_recipients_per_day=3)
    send(office, *friends(2))
    restarted(office)
    assert (used(office).day.used, used(office).newcomers.used) == (1, 2)
    send(office, *friends(2))
    assert used(office).newcomers.used == 2
    restarted(office)
    with pytest.raises(TooManyMessages):
        send(office)


def test_counts_are_on_disk_within_seconds(office: PostOffice) -> None:
    """A daemon that is killed loses what it counted since, and no more."""
    limit(office)
    office.usage._loop.clock = office.clock
    office.usage.start()
    send(office)
    assert _stored(office) == []
    office.clock.advance(2)
    assert _stored(office) == [(1, 1)]
    assert office.usage_file.path.stat().st_mode & 0o777 == 0o600


def _stored(office: PostOffice) -> list[Any]:
    database = sqlite3.connect(office.usage_file.path)
    try:
        return database.execute("SELECT messages, newcomers FROM sent").fetchall()
    finally:
        database.close()


def test_what_cannot_be_written_is_written_later(office: PostOffice) -> None:
    """A full disk loses nothing that is counted, and stops no mail."""
    limit(office, messages_per_day=3)
    office.usage.start()
    save, failures = office.usage_file.save, [StoreBusy("disk full")]

    def failing(*arguments: Any) -> None:
        if failures:
            raise failures.pop()
        save(*arguments)

    office.usage_file.save = failing  # type: ignore[method-assign]
    send(office, "a@elsewhere.example")
    office.clock.advance(2)
    send(office, "b@elsewhere.example")
    assert _stored(office) == []
    office.clock.advance(2)
    assert _stored(office) == [(2, 2)]


def test_a_damaged_file_is_set_aside(office: PostOffice) -> None:
    """Counting begins anew; no mail waits for it."""
    run(office.usage.stop())
    path = office.usage_file.path
    path.write_bytes(b"nonsense" * 1000)
    file = UsageFile(path)
    file.open()
    assert file.load("alice@example.com", 0) == []
    assert path.with_name("usage.sqlite.damaged").read_bytes().startswith(b"nonsense")
    file.close()


def test_no_recipient_can_be_read_in_the_file(office: PostOffice) -> None:
    """Digests with a salt of the file's own."""
    send(office, "secretfriend@elsewhere.example")
    run(office.usage.stop())
    assert b"secretfriend" not in b"".join(each.read_bytes() for each in office.usage_file.path.parent.glob("usage*"))


def test_who_was_not_checked_is_not_let_through(office: PostOffice) -> None:
    """No plan is known: no limit must not follow."""
    transaction = MailTransaction(BOB.address, (Recipient(address("a@b.example"), RELAY),), BOB.principal)
    with pytest.raises(StoreBusy):
        office.take(transaction, checked=False)


def test_the_top_senders_come_first(office: PostOffice) -> None:
    limit(office)
    for account, count in ((ALICE, 2), (BOB, 3)):
        for _ in range(count):
            office.accept("friend@elsewhere.example", submitter=account)
    assert run(office.usage.top(10)) == (("bob@example.com", 3, 1), ("alice@example.com", 2, 1))
    assert run(office.usage.top(1)) == (("bob@example.com", 3, 1),)
    office.clock.advance(DAY + 60)
    assert run(office.usage.top(10)) == ()


class Slow:
    """Runs calls when it is told to, in the order in which they came."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Deferred[Any], Any, tuple[Any, ...]]] = []

    def __call__(self, function: Any, *arguments: Any) -> Deferred[Any]:
        result: Deferred[Any] = Deferred()
        self.waiting.append((result, function, arguments))
        return result

    def work(self) -> None:
        while self.waiting:
            result, function, arguments = self.waiting.pop(0)
            result.callback(function(*arguments))


@pytest.mark.parametrize(("messages", "newcomers"), [(3, 0), (0, 3)])
def test_sessions_at_the_same_time_share_what_is_left(office: PostOffice, messages: int, newcomers: int) -> None:
    """All pass the check at RCPT, as many as the plan allows are taken, whatever waits for the disk meanwhile."""
    limit(office, messages_per_day=messages, new_recipients_per_day=newcomers)
    slow, clock = Slow(), office.clock
    usage = UsageLedger(office.usage_file, Plans(office.figures), clock, slow)  # type: ignore[arg-type]
    taken: list[Any] = []
    refused: list[Any] = []

    async def session(recipient: str) -> None:
        to = Recipient(address(recipient), RELAY)
        await usage.check(ALICE, to.address, ())
        checked.append(to)
        await gate
        taken.append(await usage.charge(MailTransaction(ALICE.address, (to,), ALICE.principal), 100))

    checked: list[Any] = []
    gate: Deferred[None] = Deferred()
    for name in friends(10):
        Deferred.fromCoroutine(session(name)).addErrback(refused.append)
    slow.work()
    assert len(checked) == 10
    gates, gate = gate, Deferred()
    gates.callback(None)
    slow.work()
    assert (len(taken), len(refused)) == (3, 7)
    assert all(each.check(TooManyMessages, TooManyNewRecipients) for each in refused)
    taken[0].refund()
    assert usage._tallies[ALICE.principal].messages.used(clock.seconds(), 24) == 2


def test_memory_is_bounded_and_what_is_forgotten_is_read_again(office: PostOffice, monkeypatch: Any) -> None:
    monkeypatch.setattr("trekd.queue.usage.MOST_TALLIES", 1)
    monkeypatch.setattr("trekd.queue.usage.MOST_KNOWN", 2)
    limit(office, new_recipients_per_day=10)
    send(office, *friends(6))
    run(office.usage.top(1))
    office.accept("friend@elsewhere.example", submitter=BOB)
    assert list(office.usage._tallies) == [BOB.principal]
    send(office, *friends(6))
    assert used(office).newcomers.used == 6
    assert len(office.usage._tallies[ALICE.principal].known) == 2
