"""Queued local copies: tried again, delivered, given up, and told of."""

import email
import email.policy
from pathlib import Path

from tests.unit.queue.support import ALICE, PostOffice, run
from trekd.config.schema import QueueConfig
from trekd.errors import NoSuchRecipient, OverQuota, StoreBusy
from trekd.queue.interfaces import MailTransaction
from trekd.queue.runner import INTERVAL
from trekd.queue.schedule import Schedule


def test_a_busy_store_gets_its_copy_later(tmp_path: Path) -> None:
    office = PostOffice(tmp_path)
    office.post.box("bob@example.com").failure = StoreBusy()
    office.accept("bob@example.com", submitter=ALICE)
    office.runner.start()
    assert office.pending() == 1
    office.post.box("bob@example.com").failure = None
    office.clock.advance(INTERVAL)
    assert office.inbox("bob@example.com") == []
    office.clock.pump([INTERVAL] * 20)
    assert len(office.inbox("bob@example.com")) == 1
    assert office.pending() == 0
    run(office.runner.stop())


def test_a_full_mailbox_beside_others_ends_in_a_notice(tmp_path: Path) -> None:
    """RFC 3464, to the account that submitted."""
    office = PostOffice(tmp_path)
    office.post.box("bob@example.com").failure = OverQuota(1)
    office.accept("nano@example.com", "bob@example.com", submitter=ALICE)
    office.runner.start()
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
    run(office.runner.stop())


def test_mail_from_elsewhere_gets_no_notice(tmp_path: Path) -> None:
    """Its reverse-path may be anybody's (RFC 5321 §4.5.5)."""
    office = PostOffice(tmp_path)
    office.post.box("bob@example.com").failure = OverQuota(1)
    office.accept("team@example.com")
    office.runner.start()
    assert office.pending() == 0
    assert len(office.inbox("alice@example.com")) == 1
    run(office.runner.stop())


def test_outside_copies_are_left_alone(tmp_path: Path) -> None:
    office = PostOffice(tmp_path)
    office.accept("friend@elsewhere.example", submitter=ALICE)
    office.runner.start()
    office.clock.pump([3600.0] * 100)
    assert office.pending() == 1
    run(office.runner.stop())


def test_a_retried_alias_does_not_deliver_twice(tmp_path: Path) -> None:
    office = PostOffice(tmp_path)
    office.directory.go_down()
    office.take(MailTransaction(ALICE.address, (office.local("team@example.com"),), ALICE.principal))
    office.directory.failure = None
    office.post.box("bob@example.com").failure = StoreBusy()
    office.runner.start()
    assert len(office.inbox("alice@example.com")) == 1
    office.post.box("bob@example.com").failure = None
    office.clock.pump([INTERVAL] * 40)
    assert len(office.inbox("alice@example.com")) == len(office.inbox("bob@example.com")) == 1
    assert office.pending() == 0
    run(office.runner.stop())


def test_waits_double_up_to_a_limit_and_end() -> None:
    schedule = Schedule(QueueConfig(retry_first=100, retry_max=1000, max_age=3600), jitter=lambda: 0.5)
    waits = [schedule.next_attempt(StoreBusy(), attempts, 0.0, 10.0) for attempts in (1, 2, 3, 4, 5, 50)]
    assert waits == [110.0, 210.0, 410.0, 810.0, 1010.0, 1010.0]
    assert schedule.next_attempt(StoreBusy(), 3, 0.0, 3600.0) is None
    assert schedule.next_attempt(NoSuchRecipient(), 1, 0.0, 1.0) is None
