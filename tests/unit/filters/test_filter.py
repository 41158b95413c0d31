"""Forwarding and answers, through a whole mail flow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.filters.support import ALICE, BOB, CAROL, NANO, FilteredOffice, address, message, run
from trekd.errors import MailLoop, NoSuchRecipient, OverQuota, StoreFull
from trekd.filters.filter import AccountFilter, Post
from trekd.queue.interfaces import FILTERED, MailTransaction, Recipient, Route, RouteKind
from trekd.queue.routing import LOCAL

DAY = 86400.0


@pytest.fixture
def office(tmp_path: Path) -> FilteredOffice:
    return FilteredOffice(tmp_path)


def failures(office: FilteredOffice, *recipients: str, octets: bytes | None = None) -> list[str]:
    outcomes = office.accept(*recipients, message=octets or message())
    return [type(one.failure).__name__ if one.failure else "" for one in outcomes]


def test_a_local_forward_lands_at_once_and_leaves_no_copy(office: FilteredOffice) -> None:
    office.forward(ALICE, "bob@example.com")
    assert failures(office, "alice@example.com") == [""]
    assert office.inbox("alice@example.com") == []
    (copy,) = office.inbox("bob@example.com")
    assert copy.startswith(b"Return-Path: <outside@elsewhere.example>\r\nDelivered-To: bob@example.com\r\n")
    assert copy.endswith(message())
    assert office.pending() == 0


def test_a_copy_stays_when_that_is_set(office: FilteredOffice) -> None:
    office.forward(ALICE, "bob@example.com", keep=True)
    failures(office, "alice@example.com")
    assert len(office.inbox("alice@example.com")) == len(office.inbox("bob@example.com")) == 1


def test_a_forward_to_oneself_and_another_keeps_a_copy(office: FilteredOffice) -> None:
    office.forward(ALICE, "alice@example.com", "bob@example.com")
    failures(office, "alice@example.com")
    assert len(office.inbox("alice@example.com")) == len(office.inbox("bob@example.com")) == 1


def test_an_outside_forward_is_queued_before_the_reply_with_a_sender_of_ours(office: FilteredOffice) -> None:
    office.forward(ALICE, "me@private.example")
    assert failures(office, "alice@example.com") == [""]
    assert office.inbox("alice@example.com") == []
    (entry,) = office.queued()
    transaction = entry.transaction
    assert str(entry.recipient.address) == "me@private.example"
    assert transaction.principal == "alice@example.com"
    assert transaction.reverse_path is not None and transaction.reverse_path.domain == "example.com"
    assert transaction.reverse_path.local.startswith("SRS0=")
    assert transaction.reverse_path.local.endswith("=elsewhere.example=outside")
    # Nobody keeps it: who fails to get it makes alice get all of it back.
    assert (entry.recipient.notify, transaction.ret) == (("FAILURE",), "FULL")
    assert office.content(entry) == b"Delivered-To: alice@example.com\r\n" + message()


def test_own_senders_and_the_null_path_are_not_rewritten(office: FilteredOffice) -> None:
    office.forward(ALICE, "me@private.example", keep=True)
    for sender in (address("bob@example.com"), None):
        office.take(MailTransaction(sender, (office.local("alice@example.com"),)), message())
        entry = office.queued()[-1]
        assert entry.transaction.reverse_path == sender
        assert entry.recipient.notify == ("NEVER",)


def test_a_provider_of_the_accounts_own_gets_the_accounts_address(office: FilteredOffice) -> None:
    async def resolve(account: object, recipient: object) -> Route:
        return Route(RouteKind.OWN_SMTP, "gmx")

    office.forward(ALICE, "me@private.example")
    post = Post(resolve, office.routing.is_served, "mail.example.com", office.clock)  # type: ignore[arg-type]
    office.flow.judge = AccountFilter(office.settings, office.rewriting, post)
    failures(office, "alice@example.com")
    (entry,) = office.queued()
    assert entry.recipient.route.profile == "gmx"
    assert entry.transaction.reverse_path == ALICE.address


def test_a_bounce_finds_its_way_back_and_a_forged_one_does_not(office: FilteredOffice) -> None:
    office.forward(ALICE, "me@private.example")
    failures(office, "alice@example.com")
    rewritten = office.queued()[0].transaction.reverse_path
    assert rewritten is not None
    assert run(office.flow.resolve(None, rewritten)) == LOCAL
    bounce = MailTransaction(None, (Recipient(rewritten, LOCAL),))
    assert office.take(bounce, b"Subject: bounce\r\n\r\n")[0].failure is None
    assert str(office.queued()[-1].recipient.address) == "outside@elsewhere.example"
    assert office.queued()[-1].transaction.reverse_path is None
    forged = address("SRS0=aaaaaaaa=ab=elsewhere.example=victim@example.com")
    with pytest.raises(NoSuchRecipient):
        run(office.flow.resolve(None, forged))
    # No account submits to one, whatever its plan.
    with pytest.raises(NoSuchRecipient):
        run(office.flow.resolve(NANO, rewritten))
    office.clock.advance(60 * DAY)
    with pytest.raises(NoSuchRecipient):
        run(office.flow.resolve(None, rewritten))


@pytest.mark.parametrize(
    "forwards",
    [
        {"alice": ["bob"], "bob": ["alice"]},
        {"alice": ["bob"], "bob": ["carol"], "carol": ["alice"]},
        {"alice": ["bob", "carol"], "bob": ["carol"], "carol": ["bob"]},
        {"alice": ["circle"], "bob": ["alice"]},
        {"alice": ["alice"]},
    ],
)
def test_circles_of_forwards_end_in_a_mailbox(office: FilteredOffice, forwards: dict[str, list[str]]) -> None:
    accounts = {"alice": ALICE, "bob": BOB, "carol": CAROL}
    for name, targets in forwards.items():
        office.forward(accounts[name], *(f"{target}@example.com" for target in targets))
    for recipients in (["alice@example.com"], ["alice@example.com", "bob@example.com"]):
        before = sum(len(office.inbox(f"{name}@example.com")) for name in accounts)
        outcomes = office.accept(*recipients)
        assert [one.failure for one in outcomes] == [None] * len(recipients)
        assert sum(len(office.inbox(f"{name}@example.com")) for name in accounts) > before
    assert office.pending() == 0


def test_what_comes_back_after_it_was_forwarded_is_a_loop(office: FilteredOffice) -> None:
    """Notes: Delivered-To stops it, wherever it has been meanwhile."""
    office.forward(ALICE, "me@private.example")
    (outcome,) = office.accept("alice@example.com", message=b"Delivered-To: Alice@Example.com\r\n" + message())
    assert isinstance(outcome.failure, MailLoop)
    assert office.pending() == 0


def test_nano_keeps_what_it_cannot_forward_and_its_owner_is_told_once(office: FilteredOffice) -> None:
    office.forward(NANO, "me@private.example")
    assert failures(office, "nano@example.com", "nano@example.com") == ["", ""]
    failures(office, "nano@example.com")
    notes = [one for one in office.inbox("nano@example.com") if b"Subject: Your mail is not forwarded" in one]
    assert len(office.inbox("nano@example.com")) == 3 and len(notes) == 1
    assert b"me@private.example" in notes[0]
    assert office.pending() == 0
    office.clock.advance(31 * DAY)
    failures(office, "nano@example.com")
    assert len([one for one in office.inbox("nano@example.com") if b"not forwarded" in one]) == 2


def test_a_target_that_is_gone_leaves_the_copy_here(office: FilteredOffice) -> None:
    office.forward(ALICE, "nobody@example.com")
    assert failures(office, "alice@example.com") == [""]
    assert len(office.inbox("alice@example.com")) == 1


def test_junk_is_kept_and_never_forwarded_or_answered(office: FilteredOffice) -> None:
    office.forward(ALICE, "me@private.example")
    office.answer(ALICE)
    sender = address("friend@elsewhere.example")
    office.take(MailTransaction(sender, (office.local("alice@example.com"),), junk=True), message())
    assert len(office.post.box("alice@example.com").others["Junk"]) == 1
    assert office.pending() == 0


def test_a_full_mailbox_after_the_forward_waits_and_is_not_forwarded_again(office: FilteredOffice) -> None:
    office.forward(ALICE, "me@private.example", keep=True)
    office.post.box("alice@example.com").failure = OverQuota(1000)
    assert failures(office, "alice@example.com") == [""]
    away, local = office.queued()
    assert str(away.recipient.address) == "me@private.example"
    assert local.recipient == Recipient(ALICE.address, FILTERED)
    office.post.box("alice@example.com").failure = None
    assert run(office.flow.retry(local)) is None
    assert len(office.inbox("alice@example.com")) == 1
    assert office.pending() == 2


def test_a_queue_that_takes_nothing_is_told_and_nothing_is_delivered(office: FilteredOffice) -> None:
    office.forward(ALICE, "me@private.example", keep=True)
    office.spool._file.close()
    (outcome,) = office.accept("alice@example.com")
    assert isinstance(outcome.failure, StoreFull)
    assert office.inbox("alice@example.com") == []


def test_submitted_mail_that_is_forwarded_carries_our_signature(office: FilteredOffice) -> None:
    office.forward(ALICE, "me@private.example")
    office.accept("alice@example.com", submitter=BOB, message=b"From: bob@example.com\r\n\r\nx\r\n")
    content = office.content(office.queued()[0])
    assert content.startswith(b"Delivered-To: alice@example.com\r\nDKIM-Signature: d=example.com\r\nFrom:")


def test_notices_of_this_host_stay_in_the_mailbox_too(office: FilteredOffice) -> None:
    """Else a notice that a forward failed would take the same way."""
    office.forward(ALICE, "me@private.example")
    transaction = MailTransaction(None, (office.local("alice@example.com"),))
    source = office.flow.receive()
    source.write(message())
    run(office.flow.post(transaction, source))
    assert len(office.inbox("alice@example.com")) == 1
    assert office.pending() == 1


def test_the_directory_can_say_it_and_trekctl_counts_before_it(office: FilteredOffice) -> None:
    office.change(ALICE, forwards=(BOB.address,), forward_keep=False, vacation="From the directory.")
    failures(office, "alice@example.com")
    assert (len(office.inbox("alice@example.com")), len(office.inbox("bob@example.com"))) == (0, 1)
    assert b"From the directory." in office.content(office.queued()[0])
    office.forward(ALICE, "carol@example.com")
    failures(office, "alice@example.com")
    assert (len(office.inbox("bob@example.com")), len(office.inbox("carol@example.com"))) == (1, 1)


# --- Answers ---------------------------------------------------------------------------------------


def test_an_answer_leaves_once_in_so_many_days(office: FilteredOffice) -> None:
    office.answer(ALICE, days=3)
    failures(office, "alice@example.com", "alice@example.com")
    failures(office, "alice@example.com")
    (entry,) = office.queued()
    assert (entry.transaction.reverse_path, entry.transaction.principal) == (None, "alice@example.com")
    assert str(entry.recipient.address) == "outside@elsewhere.example"
    header, _, body = office.content(entry).partition(b"\r\n\r\n")
    assert b"\r\nAuto-Submitted: auto-replied\r\n" in header
    assert b"\r\nIn-Reply-To: <1@elsewhere.example>\r\n" in header
    assert b"\r\nSubject: Auto: Hello\r\n" in header
    assert body == b"I am away.\r\n"
    assert header.startswith(b"DKIM-Signature: d=example.com\r\n")
    office.clock.advance(3 * DAY + 1)
    failures(office, "alice@example.com")
    assert office.pending() == 2


def test_an_answer_has_a_beginning_and_an_end(office: FilteredOffice) -> None:
    now = office.clock.seconds()
    office.answer(ALICE, since=now + DAY, until=now + 2 * DAY)
    for expected in (0, 1, 1):
        office.accept("alice@example.com", message=message())
        assert office.pending() == expected
        office.clock.advance(DAY + 1)


def test_an_account_that_forwards_everything_answers_too(office: FilteredOffice) -> None:
    office.forward(ALICE, "bob@example.com")
    office.answer(ALICE)
    failures(office, "alice@example.com")
    assert [str(one.recipient.address) for one in office.queued()] == ["outside@elsewhere.example"]


def test_no_answer_where_the_plan_forbids_it(office: FilteredOffice) -> None:
    office.answer(NANO)
    failures(office, "nano@example.com", octets=message("nano@example.com"))
    assert office.pending() == 0
    # Within the host it may.
    office.take(MailTransaction(BOB.address, (office.local("nano@example.com"),)), message("nano@example.com"))
    assert len(office.inbox("bob@example.com")) == 1


def test_no_answer_for_mail_that_was_refused(office: FilteredOffice) -> None:
    office.answer(ALICE)
    office.post.box("alice@example.com").failure = OverQuota(1000)
    assert failures(office, "alice@example.com") == ["OverQuota"]
    assert office.pending() == 0


def test_two_accounts_that_answer_do_not_answer_each_other(office: FilteredOffice) -> None:
    office.answer(ALICE)
    office.answer(BOB)
    office.take(MailTransaction(BOB.address, (office.local("alice@example.com"),)), message())
    assert (len(office.inbox("alice@example.com")), len(office.inbox("bob@example.com"))) == (1, 1)


@pytest.mark.parametrize(
    "octets",
    [
        message("list@elsewhere.example"),
        message("alice@example.com", "List-Id: <x.example>"),
        message("alice@example.com", "Precedence: Bulk"),
        message("alice@example.com", "Auto-Submitted: auto-generated (rejected)"),
        message("alice@example.com", "X-Auto-Response-Suppress: DR, OOF"),
        message("alice@example.com", "X-Spam-Flag: YES"),
    ],
)
def test_no_answer_to_what_no_person_wrote_to_the_account(office: FilteredOffice, octets: bytes) -> None:
    """RFC 3834 §2, RFC 5230 §4.5, §4.6."""
    office.answer(ALICE)
    failures(office, "alice@example.com", octets=octets)
    assert len(office.inbox("alice@example.com")) == 1
    assert office.pending() == 0


@pytest.mark.parametrize(
    "sender", ["MAILER-DAEMON@x.example", "alice@example.com", "owner-l@x.example", "noreply@x.example"]
)
def test_no_answer_to_senders_that_nobody_reads(office: FilteredOffice, sender: str) -> None:
    office.answer(ALICE)
    office.take(MailTransaction(address(sender), (office.local("alice@example.com"),)), message())
    office.take(MailTransaction(None, (office.local("alice@example.com"),)), message())
    assert office.pending() == 0
