"""Who is told what: delay, failure and success, read by the standard library's parser."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.unit.queue.support import ALICE, MESSAGE, NANO, address, run
from tests.unit.queue.test_dispatcher import LATER, NOBODY, UNREACHED, Office
from trekd.directory.interfaces import Account
from trekd.errors import AddressSuppressed, RemoteRefused, StoreBusy
from trekd.queue.interfaces import MailTransaction, Recipient, RouteKind
from trekd.queue.reports import FULL
from trekd.queue.routing import LOCAL, RELAY

DAY = 86400.0


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def notices(office: Office, text: str = "alice@example.com") -> list[EmailMessage]:
    found: list[Any] = [
        email.message_from_bytes(octets, policy=email.policy.default) for octets in office.inbox(text)
    ]
    for one in found:
        assert one.defects == [] and one["Auto-Submitted"] == "auto-replied"
        assert one.get_content_type() == "multipart/report"
        assert one.get_param("report-type") == "delivery-status"
    return found


def parts(notice: EmailMessage) -> tuple[str, list[Any], EmailMessage]:
    """The text, the fields of the message and of each recipient, and the returned part."""
    text, status, returned = notice.iter_parts()
    return text.get_content(), list(status.get_payload()), returned  # type: ignore[attr-defined, return-value]


def test_a_refusal_is_told_with_the_servers_words(office: Office) -> None:
    """RFC 3464 §2.2, §2.3."""
    office.fake.failures["a@b.example"] = NOBODY
    office.send("a@b.example", "b@b.example", envelope_id="QQ+2B1")
    (notice,) = notices(office)
    assert notice["From"].addresses[0].addr_spec == "MAILER-DAEMON@mail.example.com"
    assert notice["To"] == "alice@example.com"
    text, (message, recipient), returned = parts(notice)
    assert "a@b.example" in text and "550 5.1.1 nobody here" in text and "b@b.example:" not in text
    assert (message["Reporting-MTA"], message["Original-Envelope-Id"]) == ("dns; mail.example.com", "QQ+1")
    assert message["Arrival-Date"]
    assert recipient["Final-Recipient"] == "rfc822; a@b.example"
    assert (recipient["Action"], recipient["Status"]) == ("failed", "5.1.1")
    assert recipient["Remote-MTA"] == "dns; mx.b.example"
    assert recipient["Diagnostic-Code"] == "smtp; 550 5.1.1 nobody here"
    assert recipient["Last-Attempt-Date"]
    assert recipient["Will-Retry-Until"] is None
    assert returned.get_content_type() == "text/rfc822-headers"
    assert "Subject: x" in returned.get_content() and "body" not in returned.get_content()
    assert office.flow.reports.sent == {"failed": 1}


def test_a_domain_without_mail_is_told_in_our_words(office: Office) -> None:
    """RFC 7505 §4.2: no server said anything, so none is named."""
    office.fake.failures["b.example"] = RemoteRefused("", "the domain takes no mail", "5.1.10")
    office.send("a@b.example")
    text, (_, recipient), _ = parts(notices(office)[0])
    assert "the domain takes no mail" in text
    assert (recipient["Status"], recipient["Remote-MTA"], recipient["Diagnostic-Code"]) == ("5.1.10", None, None)


def test_refusals_of_one_attempt_are_one_notice(office: Office) -> None:
    office.fake.failures["b.example"] = NOBODY
    office.send("a@b.example", "b@b.example")
    (notice,) = notices(office)
    _, fields, _ = parts(notice)
    assert [one["Final-Recipient"] for one in fields[1:]] == ["rfc822; a@b.example", "rfc822; b@b.example"]


def test_a_delay_is_told_once_and_then_the_end(tmp_path: Path) -> None:
    office = Office(tmp_path, delay_notice=4 * 3600, max_age=2 * 86400)
    office.fake.failures["b.example"] = LATER
    office.send("a@b.example")
    office.pass_time(4 * 3600 - 60)
    assert notices(office) == []
    office.pass_time(180)
    (late,) = notices(office)
    text, (_, recipient), returned = parts(late)
    assert "no need to send it again" in text and "450 4.2.0 come back" in text
    assert (recipient["Action"], recipient["Status"]) == ("delayed", "4.2.0")
    assert recipient["Remote-MTA"] == "dns; mx.b.example"
    assert recipient["Will-Retry-Until"] == "Thu, 16 Nov 2023 22:13:20 +0000"
    assert returned.get_content_type() == "text/rfc822-headers"
    office.pass_time(2 * DAY)
    _, end = notices(office)
    _, (_, recipient), _ = parts(end)
    assert (recipient["Action"], recipient["Status"]) == ("failed", "4.4.7")
    assert recipient["Diagnostic-Code"] == "smtp; 450 4.2.0 come back"
    assert office.entries() == []


def test_mail_of_a_server_that_is_gone_comes_back_in_time(tmp_path: Path) -> None:
    """Also what was never tried because its lane rests."""
    office = Office(tmp_path, max_age=86400, delay_notice=3600)
    office.fake.failures["b.example"] = UNREACHED
    for number in range(10):
        office.send(f"a{number}@b.example")
    office.pass_time(DAY + 3600)
    assert office.entries() == []
    found = [parts(one)[1][1] for one in notices(office)]
    assert [one["Action"] for one in found].count("delayed") == 10
    ends = [one for one in found if one["Action"] == "failed"]
    assert {one["Final-Recipient"] for one in ends} == {f"rfc822; a{number}@b.example" for number in range(10)}
    assert len(ends) == 10


def test_no_delay_notice_when_none_is_wanted(tmp_path: Path) -> None:
    """RFC 3461 §4.1."""
    office = Office(tmp_path)
    office.fake.failures["b.example"] = LATER
    office.send("a@b.example", notify=("FAILURE",))
    office.pass_time(DAY)
    assert notices(office) == []
    silent = Office(tmp_path / "silent", delay_notice=0)
    silent.fake.failures["b.example"] = LATER
    silent.send("a@b.example")
    silent.pass_time(DAY)
    assert notices(silent) == []


@pytest.mark.parametrize(
    ("failure", "notify", "count"),
    [
        (NOBODY, (), 1),
        (NOBODY, ("FAILURE",), 1),
        (NOBODY, ("SUCCESS",), 0),
        (NOBODY, ("DELAY",), 0),
        (NOBODY, ("NEVER",), 0),
        (None, (), 0),
        (None, ("SUCCESS", "FAILURE"), 1),
        (None, ("FAILURE",), 0),
        (None, ("NEVER",), 0),
    ],
)
def test_notify_is_obeyed(office: Office, failure: Any, notify: tuple[str, ...], count: int) -> None:
    """RFC 3461 §4.1, §5.2.2: a server without DSN is the end of the way that we know."""
    if failure is not None:
        office.fake.failures["b.example"] = failure
    office.send("a@b.example", notify=notify)
    found = notices(office)
    assert len(found) == count
    if failure is None and found:
        _, (_, recipient), returned = parts(found[0])
        assert (recipient["Action"], recipient["Status"]) == ("relayed", "2.0.0")
        assert recipient["Remote-MTA"] == "dns; mx.b.example"
        assert returned.get_content_type() == "text/rfc822-headers"


def test_a_server_with_dsn_answers_for_itself(office: Office) -> None:
    """RFC 3461 §5.2.1."""
    office.fake.dsn = True
    office.send("a@b.example", notify=("SUCCESS",))
    assert notices(office) == []


def test_success_here_is_told_to_who_asks(office: Office) -> None:
    """RFC 3461 §5.2.3, §5.2.7.3: delivered to a mailbox, expanded for a list; its members' copies are not told of."""
    recipients = tuple(
        Recipient(address(f"{name}@example.com"), LOCAL, ("SUCCESS",)) for name in ("bob", "mixed", "nano")
    )
    office.post.box("nano@example.com").failure = StoreBusy()
    office.take(MailTransaction(ALICE.address, recipients, ALICE.principal))
    told = [(one["Final-Recipient"], one["Action"]) for notice in notices(office) for one in parts(notice)[1][1:]]
    assert told == [("rfc822; bob@example.com", "delivered"), ("rfc822; mixed@example.com", "expanded")]
    assert office.fake.sent[0][0].recipients[0].notify == ("NEVER",)
    office.post.box("nano@example.com").failure = None
    office.pass_time(3600)
    (recipient,) = parts(notices(office)[-1])[1][1:]
    assert (recipient["Final-Recipient"], recipient["Action"]) == ("rfc822; nano@example.com", "delivered")


def test_an_alias_hands_its_dsn_parameters_on(office: Office) -> None:
    """RFC 3461 §5.2.7.2."""
    recipient = Recipient(address("out@example.com"), LOCAL, ("SUCCESS",), "rfc822;out@example.com")
    office.fake.dsn = True
    office.take(MailTransaction(ALICE.address, (recipient,), ALICE.principal))
    assert office.fake.sent[0][0].recipients == (
        replace(recipient, address=address("friend@elsewhere.example"), route=RELAY),
    )
    assert notices(office) == []


@pytest.mark.parametrize(
    ("ret", "size", "kind"),
    [("FULL", 0, "message/rfc822"), ("HDRS", 0, "text/rfc822-headers"), ("FULL", FULL, "text/rfc822-headers")],
)
def test_as_much_comes_back_as_was_asked_for(office: Office, ret: str, size: int, kind: str) -> None:
    """RFC 3461 §4.3, §6.2: up to a size of ours."""
    office.fake.failures["b.example"] = NOBODY
    office.send("a@b.example", ret=ret, message=MESSAGE + b"line\r\n" * (size // 6))
    (notice,) = notices(office)
    assert parts(notice)[2].get_content_type() == kind
    assert (b"\r\n\r\nbody\r\n" in office.inbox("alice@example.com")[0]) is (kind == "message/rfc822")


def test_addresses_beyond_ascii_have_a_notice_of_their_own_kind(office: Office) -> None:
    """RFC 6533 §3, §4."""
    office.fake.failures["b.example"] = NOBODY
    header = "Subject: Grüße\r\nFrom: alice@example.com\r\n\r\nbody\r\n".encode()
    office.send("jürgen@b.example", smtputf8=True, message=header)
    (notice,) = notices(office)
    kinds = [one.get_content_type() for one in notice.iter_parts()]
    assert kinds == ["text/plain", "message/global-delivery-status", "message/global-headers"]
    octets = office.inbox("alice@example.com")[0]
    assert "Final-Recipient: utf-8; jürgen@b.example\r\n".encode() in octets


def test_a_hostile_reply_cannot_forge_fields(office: Office) -> None:
    office.fake.failures["b.example"] = RemoteRefused("mx.b.example\r\nX: 1", "550 no\r\n\r\nAction: x" * 500, "5.7.1")
    office.send("a@b.example")
    octets = office.inbox("alice@example.com")[0]
    _, (_, recipient), _ = parts(notices(office)[0])
    assert recipient.keys().count("Action") == 1
    assert b"\nX: 1" not in octets
    assert max(map(len, octets.split(b"\r\n"))) < 998


def test_a_notice_goes_to_an_outside_sender_address(office: Office) -> None:
    """The account may send as an address elsewhere: that is where it looks for an answer."""
    office.fake.failures["a@b.example"] = NOBODY
    office.send("a@b.example", reverse_path=address("alice@other.example"))
    transaction, octets = office.fake.sent[1]
    assert [str(one.address) for one in transaction.recipients] == ["alice@other.example"]
    assert transaction.reverse_path is None and transaction.principal is None
    assert transaction.recipients[0].notify == ("NEVER",)
    assert b"Action: failed" in octets and octets.startswith(b"DKIM-Signature: d=mail.example.com")
    assert notices(office) == []


def test_a_plan_without_outside_mail_gets_its_notices_at_home(office: Office) -> None:
    office.fake.failures["a@b.example"] = NOBODY
    recipient = Recipient(address("a@b.example"), RELAY)
    office.take(MailTransaction(address("nano@other.example"), (recipient,), NANO.principal))
    assert len(notices(office, "nano@example.com")) == 1


def test_a_bounce_has_no_bounce(office: Office) -> None:
    """RFC 5321 §4.5.5: a notice that nobody takes is the end."""
    office.fake.failures["b.example"] = NOBODY
    office.fake.failures["other.example"] = NOBODY
    office.send("a@b.example", reverse_path=address("alice@other.example"))
    assert len(office.fake.sent) == 2
    assert office.entries() == []
    assert notices(office) == []


@pytest.mark.parametrize("principal", [None, "alice"])
def test_nobody_is_told_of_others_mail_and_of_the_null_paths(office: Office, principal: str | None) -> None:
    """No backscatter: the reverse-path of mail from elsewhere may be anybody's."""
    office.fake.failures["b.example"] = NOBODY
    recipient = (Recipient(address("a@b.example"), RELAY, ("SUCCESS", "FAILURE", "DELAY")),)
    submitted = ALICE.principal if principal else None
    reverse_path = None if principal else address("victim@elsewhere.example")
    office.take(MailTransaction(reverse_path, recipient, submitted))
    office.fake.failures["b.example"] = LATER
    office.take(MailTransaction(reverse_path, recipient, submitted))
    office.pass_time(3 * DAY)
    assert office.entries() == []
    assert set(office.fake.recipients) == {"a@b.example"}
    assert all(box.messages == [] for box in office.post.boxes.values())


def test_a_sender_who_cannot_be_told_now_is_told_later(office: Office) -> None:
    """The copy stays until its fate is told."""
    office.fake.failures["b.example"] = NOBODY
    office.post.box("alice@example.com").failure = StoreBusy()
    office.send("a@b.example")
    assert len(office.entries()) == 1
    office.post.box("alice@example.com").failure = None
    office.pass_time(600)
    assert office.entries() == []
    assert len(notices(office)) == 1


def test_an_address_that_bounced_is_refused_at_once(tmp_path: Path) -> None:
    """For that account and for a while; full mailboxes and the like are no reason."""
    office = Office(tmp_path, suppression=86400)
    office.fake.failures["a@b.example"] = NOBODY
    office.fake.failures["full@b.example"] = RemoteRefused("mx.b.example", "552 5.2.2 full", "5.2.2")
    office.send("a@b.example", "full@b.example")
    with pytest.raises(AddressSuppressed) as caught:
        run(office.flow.resolve(ALICE, address("A@b.example")))
    assert (caught.value.address, caught.value.reply) == ("a@b.example", "550 5.1.1 nobody here")
    other = Account(address("bob@example.com"), "pro")
    for account, text in ((other, "a@b.example"), (ALICE, "full@b.example"), (ALICE, "c@b.example")):
        assert run(office.flow.resolve(account, address(text))).kind is RouteKind.RELAY
    (one,) = office.suppressions.entries()
    assert (one.principal, one.address, one.status) == (ALICE.principal, "a@b.example", "5.1.1")
    run(office.dispatcher.stop())
    again = office.again()
    assert office.suppressions.entries() == [one]
    office.clock.advance(86400)
    assert run(again.flow.resolve(ALICE, address("a@b.example"))).kind is RouteKind.RELAY
    assert again.suppressions.entries() == []


def test_a_suppression_is_lifted(office: Office) -> None:
    office.fake.failures["b.example"] = NOBODY
    office.send("a@b.example", "b@b.example")
    assert len(office.suppressions.entries(ALICE.principal)) == 2
    assert run(office.suppressions.remove(None, "A@B.example")) == 1
    assert run(office.flow.resolve(ALICE, address("a@b.example"))).kind is RouteKind.RELAY
    assert run(office.suppressions.remove(ALICE.principal, None)) == 1
    assert run(office.spool.suppressed(0.0)) == []


def test_suppression_can_be_off(tmp_path: Path) -> None:
    office = Office(tmp_path, suppression=0)
    office.fake.failures["b.example"] = NOBODY
    office.send("a@b.example")
    assert run(office.flow.resolve(ALICE, address("a@b.example"))).kind is RouteKind.RELAY
