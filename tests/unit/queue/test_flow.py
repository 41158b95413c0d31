"""Delivery, expansion, loops, and what happens to copies that fail."""

from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from tests.fakes.postoffice import FakeState
from tests.unit.queue.support import ALICE, BOB, MESSAGE, PostOffice, run
from trekd.directory.interfaces import Account
from trekd.errors import Broken, MailLoop, NoSuchRecipient, OverQuota, StoreBusy, StoreFull
from trekd.queue.interfaces import IMailFlow, Incoming, MailTransaction, Recipient, RouteKind
from trekd.queue.routing import LOCAL
from trekd.smtp.grammar.paths import POSTMASTER
from trekd.store.interfaces import IMessageSource
from trekd.values import INBOX, MailboxName


@pytest.fixture
def office(tmp_path: Path) -> PostOffice:
    return PostOffice(tmp_path)


def failures(outcomes: object) -> list[type | None]:
    return [type(one.failure) if one.failure else None for one in outcomes]  # type: ignore[attr-defined]


def test_the_flow_keeps_its_contract(office: PostOffice) -> None:
    assert verifyObject(IMailFlow, office.flow)


def test_a_copy_begins_with_its_trace_fields(office: PostOffice) -> None:
    """RFC 5321 §4.4: Return-Path first."""
    assert failures(office.accept("bob@example.com", submitter=ALICE)) == [None]
    assert office.inbox("bob@example.com") == [
        b"Return-Path: <alice@example.com>\r\nDelivered-To: bob@example.com\r\n" + MESSAGE
    ]


def test_the_null_path_and_postmaster(office: PostOffice) -> None:
    outcomes = office.take(MailTransaction(None, (Recipient(POSTMASTER, LOCAL),)))
    assert failures(outcomes) == [None]
    assert office.inbox("alice@example.com")[0].startswith(b"Return-Path: <>\r\n")


def test_quota_is_the_accounts_or_its_plans(office: PostOffice) -> None:
    office.accept("alice@example.com", "bob@example.com")
    assert office.post.quotas == {"alice@example.com": 1000, "bob@example.com": 50 * 1024**3}


def test_groups_reach_each_account_once(office: PostOffice) -> None:
    """Groups in groups, and a group in itself."""
    outcomes = office.accept("all@example.com", "bob+tag@example.com", "team@example.com")
    assert failures(outcomes) == [None, None, None]
    assert len(office.inbox("alice@example.com")) == len(office.inbox("bob@example.com")) == 1


def test_an_alias_of_itself_is_nobody(office: PostOffice) -> None:
    assert failures(office.accept("circle@example.com")) == [NoSuchRecipient]


def test_outside_members_wait_for_the_relay(office: PostOffice) -> None:
    assert failures(office.accept("mixed@example.com", "out@example.com")) == [None, None]
    assert len(office.inbox("bob@example.com")) == 1
    (entry,) = run(office.spool.entries(10))
    assert str(entry.recipient.address) == "friend@elsewhere.example"
    assert entry.recipient.route.kind is RouteKind.RELAY


def test_outside_recipients_are_queued_once_for_all(office: PostOffice) -> None:
    outcomes = office.accept("a@elsewhere.example", "b@elsewhere.example", "bob@example.com", submitter=ALICE)
    assert failures(outcomes) == [None, None, None]
    entries = run(office.spool.entries(10))
    assert [str(entry.recipient.address) for entry in entries] == ["a@elsewhere.example", "b@elsewhere.example"]
    assert entries[0].message == entries[1].message
    assert entries[0].transaction.principal == ALICE.principal
    assert office.content(entries[0]) == b"DKIM-Signature: d=example.com\r\n" + MESSAGE
    assert office.pending() == 2


def test_a_message_that_was_here_before_is_a_loop(office: PostOffice) -> None:
    again = b"Delivered-To: Bob@Example.com\r\n" + MESSAGE
    assert failures(office.accept("bob@example.com", "alice@example.com", message=again)) == [MailLoop, None]


def test_lmtp_is_told_of_each_failure(office: PostOffice) -> None:
    """RFC 2033 §4.2: the client can try again or bounce, recipient by recipient."""
    office.post.box("bob@example.com").failure = OverQuota(1)
    office.post.box("nano@example.com").failure = StoreBusy()
    outcomes = office.accept("alice@example.com", "bob@example.com", "nano@example.com")
    assert failures(outcomes) == [None, OverQuota, StoreBusy]
    assert office.pending() == 0


def test_an_unexpected_error_fails_one_copy_only(office: PostOffice) -> None:
    office.post.box("bob@example.com").failure = ZeroDivisionError()
    assert failures(office.accept("bob@example.com", "alice@example.com")) == [Broken, None]


def test_a_submission_to_one_full_mailbox_is_refused_at_once(office: PostOffice) -> None:
    office.post.box("bob@example.com").failure = OverQuota(1)
    assert failures(office.accept("bob@example.com", submitter=ALICE)) == [OverQuota]
    assert office.pending() == 0


def test_a_submission_waits_out_a_busy_store(office: PostOffice) -> None:
    office.post.box("bob@example.com").failure = StoreBusy()
    assert failures(office.accept("bob@example.com", submitter=ALICE)) == [None]
    assert office.pending() == 1


def test_what_fails_beside_a_durable_copy_waits(office: PostOffice) -> None:
    office.post.box("bob@example.com").failure = OverQuota(1)
    assert failures(office.accept("alice@example.com", "bob@example.com", submitter=ALICE)) == [None, None]
    (entry,) = run(office.spool.entries(10))
    assert entry.recipient.address == BOB.address
    assert entry.recipient.route == LOCAL


def test_one_reply_for_all_leaves_the_rest_to_the_queue(office: PostOffice) -> None:
    """RFC 5321 §6.1: the client was told that the message is taken."""
    office.post.box("bob@example.com").failure = StoreBusy()
    recipients = (office.local("alice@example.com"), office.local("bob@example.com"))
    assert failures(office.take(MailTransaction(None, recipients, one_reply=True))) == [None, None]
    assert len(office.inbox("alice@example.com")) == 1
    assert office.pending() == 1


def test_a_groups_failed_member_waits_whoever_sent_it(office: PostOffice) -> None:
    office.post.box("bob@example.com").failure = StoreBusy()
    assert failures(office.accept("team@example.com")) == [None]
    assert office.pending() == 1


def test_a_full_queue_refuses_what_would_wait(tmp_path: Path) -> None:
    office = PostOffice(tmp_path, max_messages=100)
    for _ in range(100):
        office.accept("a@elsewhere.example", submitter=ALICE)
    outcomes = office.accept("a@elsewhere.example", "bob@example.com", submitter=ALICE)
    assert [one.failure is None for one in outcomes] == [False, True]
    assert office.pending() == 100


def test_a_directory_that_fails_after_rcpt_loses_nothing(office: PostOffice) -> None:
    transaction = MailTransaction(ALICE.address, (office.local("bob@example.com"),), ALICE.principal)
    office.directory.go_down()
    assert failures(office.take(transaction)) == [None]
    assert office.pending() == 1


def test_a_store_that_cannot_be_read_is_an_answer(office: PostOffice) -> None:
    office.post.box("bob@example.com").failure = StoreFull()
    assert failures(office.accept("bob@example.com")) == [StoreFull]


def test_junk_goes_to_its_mailbox(office: PostOffice) -> None:
    """RFC 6154 §2: the mailbox with the special use, whatever its name; one is made when there is none."""
    box = office.post.box("bob@example.com")
    junk = MailTransaction(None, (office.local("bob@example.com"),), junk=True)
    office.take(junk)
    office.take(junk)
    assert (len(box.others["Junk"]), box.messages, box.subscribed) == (2, [], ["Junk"])
    box.states = [FakeState(INBOX), FakeState(MailboxName("Spam"), ("\\Junk",))]
    office.take(junk)
    assert len(box.others["Spam"]) == 1
    box.states = [FakeState(INBOX), FakeState(MailboxName("Junk"))]
    office.take(junk)
    assert len(box.others["Junk"]) == 3


def test_mail_that_leaves_is_signed_for_its_author(office: PostOffice) -> None:
    office.accept("a@elsewhere.example", "bob@example.com", submitter=ALICE)
    (entry,) = run(office.spool.entries(10))
    assert office.content(entry).startswith(b"DKIM-Signature: d=example.com\r\nReceived:")
    assert b"DKIM" not in office.inbox("bob@example.com")[0]


def test_others_mail_is_not_signed(office: PostOffice) -> None:
    """A forged From of ours, sent on to a list's outside member, must not look genuine."""
    office.accept("mixed@example.com")
    (entry,) = run(office.spool.entries(10))
    assert office.content(entry) == MESSAGE


def test_mail_that_cannot_be_signed_is_not_queued(office: PostOffice) -> None:
    for failure, told in ((StoreFull(), StoreFull), (ZeroDivisionError(), Broken)):
        office.signer.failure = failure
        assert failures(office.accept("a@elsewhere.example", submitter=ALICE)) == [told]
    assert office.pending() == 0


def test_mail_for_later_waits_whoever_it_is_for(office: PostOffice) -> None:
    """RFC 4865 §4."""
    later = office.clock.seconds() + 3600
    transaction = MailTransaction(
        ALICE.address, (office.local("bob@example.com"),), ALICE.principal, hold_until=later
    )
    assert failures(office.take(transaction)) == [None]
    assert office.inbox("bob@example.com") == []
    (entry,) = run(office.spool.entries(10))
    assert entry.due == later
    office.dispatcher.start()
    office.clock.advance(3600)
    assert len(office.inbox("bob@example.com")) == 1
    assert office.pending() == 0
    run(office.dispatcher.stop())


def test_a_long_header_is_read_to_its_end(office: PostOffice) -> None:
    filler = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 900) for number in range(100))
    again = filler + b"Delivered-To: bob@example.com\r\n" + MESSAGE
    assert failures(office.accept("bob@example.com", message=again)) == [MailLoop]


class Witness:
    """Keeps what it is told, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.seen: list[tuple[str, bytes]] = []

    async def delivered(self, account: Account, incoming: Incoming, message: IMessageSource) -> None:
        if self.failure is not None:
            raise self.failure
        self.seen.append((account.principal, await message.octets()))


def test_the_witness_sees_every_copy_that_is_delivered(office: PostOffice) -> None:
    witness = Witness()
    office.flow.witness = witness
    assert failures(office.accept("all@example.com")) == [None]
    assert sorted(witness.seen) == [("alice@example.com", MESSAGE), ("bob@example.com", MESSAGE)]


@pytest.mark.parametrize("failure", [ValueError(), StoreFull()])
def test_a_witness_that_fails_stops_no_mail(office: PostOffice, failure: Exception) -> None:
    office.flow.witness = Witness(failure)
    assert failures(office.accept("bob@example.com")) == [None]
    assert len(office.inbox("bob@example.com")) == 1
