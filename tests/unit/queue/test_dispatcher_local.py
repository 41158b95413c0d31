"""Queued local copies: tried again, delivered, given up, and told of."""

import email
import email.policy
from dataclasses import replace
from pathlib import Path

from tests.unit.queue.support import ALICE, MESSAGE, PostOffice, run
from trekd.config.schema import QueueConfig
from trekd.errors import NoSuchRecipient, OverQuota, StoreBusy
from trekd.queue.contents import INLINE
from trekd.queue.interfaces import Entry, MailTransaction
from trekd.queue.schedule import Schedule

INTERVAL = 30.0


def test_a_busy_store_gets_its_copy_later(tmp_path: Path) -> None:
    office = PostOffice(tmp_path)
    office.post.box("bob@example.com").failure = StoreBusy()
    office.accept("bob@example.com", submitter=ALICE)
    office.dispatcher.start()
    assert office.pending() == 1
    office.post.box("bob@example.com").failure = None
    office.clock.advance(INTERVAL)
    assert office.inbox("bob@example.com") == []
    office.clock.pump([INTERVAL] * 20)
    assert len(office.inbox("bob@example.com")) == 1
    assert office.pending() == 0
    run(office.dispatcher.stop())


def test_a_full_mailbox_beside_others_ends_in_a_notice(tmp_path: Path) -> None:
    """RFC 3464, to the account that submitted."""
    office = PostOffice(tmp_path)
    office.post.box("bob@example.com").failure = OverQuota(1)
    office.accept("nano@example.com", "bob@example.com", submitter=ALICE)
    office.dispatcher.start()
    assert office.pending() == 0
    (octets,) = office.inbox("alice@example.com")
    assert octets.startswith(b"Return-Path: <>\r\n")
    notice = email.message_from_bytes(octets, policy=email.policy.default)
    assert notice.get_content_type() == "multipart/report"
    text, status, header = notice.iter_parts()
    assert "bob@example.com: the mailbox is full" in text.get_content()
    assert status.get_content_type() == "message/delivery-status"
    assert b"Final-Recipient: rfc822; bob@example.com" in octets
    assert b"Status: 5.2.2" in octets
    assert "Subject: x" in header.get_content()
    assert "body" not in header.get_content()
    run(office.dispatcher.stop())


def test_a_message_that_is_gone_is_given_up_with_a_notice(tmp_path: Path) -> None:
    """Lost files are a disaster, but not a silent one, and no stop for what waits behind."""
    office = PostOffice(tmp_path, max_age=3600)
    office.post.box("bob@example.com").failure = StoreBusy()
    office.accept("bob@example.com", submitter=ALICE, message=MESSAGE + b"x" * INLINE)
    office.accept("bob@example.com", submitter=ALICE)
    (tmp_path / "queue" / "messages" / run(office.spool.entries(1))[0].message).unlink()
    office.post.box("bob@example.com").failure = None
    office.dispatcher.start()
    office.clock.pump([INTERVAL] * 300)
    assert len(office.inbox("bob@example.com")) == 1
    assert len(office.inbox("alice@example.com")) == 1
    assert office.pending() == 0
    run(office.dispatcher.stop())


def test_one_entry_that_breaks_us_does_not_stop_the_others(tmp_path: Path) -> None:
    office = PostOffice(tmp_path)
    for name in ("bob", "nano"):
        office.post.box(f"{name}@example.com").failure = StoreBusy()
        office.accept(f"{name}@example.com", submitter=ALICE)
        office.post.box(f"{name}@example.com").failure = None
    retry, tried = office.flow.retry, list[str]()

    async def breaks_first(entry: Entry) -> object:
        tried.append(str(entry.recipient.address))
        if entry.recipient.address.local == "bob":
            raise ZeroDivisionError
        return await retry(entry)

    office.flow.retry = breaks_first  # type: ignore[method-assign, assignment]
    office.dispatcher.start()
    assert tried == ["bob@example.com", "nano@example.com"]
    assert len(office.inbox("nano@example.com")) == 1
    assert office.pending() == 1
    run(office.dispatcher.stop())


def test_who_wants_no_notice_gets_none(tmp_path: Path) -> None:
    """RFC 3461 §4.1: NOTIFY=NEVER; and none goes to the null path."""
    office = PostOffice(tmp_path)
    office.post.box("bob@example.com").failure = OverQuota(1)
    quiet = replace(office.local("bob@example.com"), notify=("NEVER",))
    loud = office.local("bob@example.com")
    nano = office.local("nano@example.com")
    office.take(MailTransaction(ALICE.address, (nano, quiet), ALICE.principal))
    office.take(MailTransaction(None, (nano, loud), ALICE.principal))
    office.dispatcher.start()
    assert office.pending() == 0
    assert office.inbox("alice@example.com") == []
    run(office.dispatcher.stop())


def test_a_notice_repeats_what_the_sender_called_things(tmp_path: Path) -> None:
    """RFC 3464 §2.2.1, §2.3.1: decoded from their xtext (RFC 3461 §4.2, §4.4)."""
    office = PostOffice(tmp_path)
    office.post.box("bob@example.com").failure = OverQuota(1)
    bob = replace(office.local("bob@example.com"), original="rfc822;Bob+2B1@x.example")
    transaction = MailTransaction(ALICE.address, (office.local("nano@example.com"), bob), ALICE.principal)
    office.take(replace(transaction, envelope_id="QQ+2B1"))
    office.dispatcher.start()
    (notice,) = office.inbox("alice@example.com")
    assert b"\r\nOriginal-Envelope-Id: QQ+1\r\n" in notice
    assert b"\r\nOriginal-Recipient: rfc822; Bob+1@x.example\r\n" in notice
    run(office.dispatcher.stop())


def test_mail_from_elsewhere_gets_no_notice(tmp_path: Path) -> None:
    """Its reverse-path may be anybody's (RFC 5321 §4.5.5)."""
    office = PostOffice(tmp_path)
    office.post.box("bob@example.com").failure = OverQuota(1)
    office.accept("team@example.com")
    office.dispatcher.start()
    assert office.pending() == 0
    assert len(office.inbox("alice@example.com")) == 1
    run(office.dispatcher.stop())


def test_a_retried_alias_does_not_deliver_twice(tmp_path: Path) -> None:
    office = PostOffice(tmp_path)
    office.directory.go_down()
    office.take(MailTransaction(ALICE.address, (office.local("team@example.com"),), ALICE.principal))
    office.directory.failure = None
    office.post.box("bob@example.com").failure = StoreBusy()
    office.dispatcher.start()
    assert len(office.inbox("alice@example.com")) == 1
    office.post.box("bob@example.com").failure = None
    office.clock.pump([INTERVAL] * 40)
    assert len(office.inbox("alice@example.com")) == len(office.inbox("bob@example.com")) == 1
    assert office.pending() == 0
    run(office.dispatcher.stop())


def test_waits_double_up_to_a_limit_and_end() -> None:
    schedule = Schedule(QueueConfig(retry_first=100, retry_max=1000, max_age=3600), jitter=lambda: 0.5)
    waits = [schedule.next_attempt(StoreBusy(), attempts, 0.0, 10.0) for attempts in (1, 2, 3, 4, 5, 50)]
    assert waits == [110.0, 210.0, 410.0, 810.0, 1010.0, 1010.0]
    assert schedule.next_attempt(StoreBusy(), 3, 0.0, 3600.0) is None
    assert schedule.next_attempt(NoSuchRecipient(), 1, 0.0, 1.0) is None
