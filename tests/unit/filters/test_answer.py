"""The automatic answer as octets; the standard library reads it back."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest

from tests.unit.filters.support import ALICE, CAROL, address, message
from trekd.filters.answer import encoded, write_answer, write_note
from trekd.filters.restraint import is_automatic, is_named, is_person

FRIEND = address("friend@elsewhere.example")


def answer(octets: bytes, subject: str = "", text: str = "Away.", account: Any = CAROL) -> Any:
    written = write_answer(account, FRIEND, octets, (subject, text), 1_700_000_000)
    assert written.isascii()
    assert b"\n" not in written.replace(b"\r\n", b"") and b"\r" not in written.replace(b"\r\n", b"")
    assert max(map(len, written.split(b"\r\n"))) <= 998
    return message_from_bytes(written, policy=default)


def test_an_answer_reads_as_written() -> None:
    """RFC 3834 §3.1: From, To, Subject, threading, Auto-Submitted."""
    text = "Grüße,\n.\nFrom here\nlong " + "ä" * 200 + "\ntrailing \n"
    found = answer(message(subject="Hi =?utf-8?B?w6Q=?="), text=text)
    assert found["From"].addresses[0].display_name == 'Carol "C" Müller'
    assert found["From"].addresses[0].addr_spec == "carol@example.com"
    assert found["To"] == "friend@elsewhere.example"
    assert found["Subject"] == "Auto: Hi ä"
    assert found["Auto-Submitted"] == "auto-replied"
    assert found["In-Reply-To"] == found["References"] == "<1@elsewhere.example>"
    assert found.get_content().replace("\r\n", "\n") == text


@pytest.mark.parametrize(
    "hostile", ["x\r\nBcc: victim@x.example", "x\0y", "x\u2028y", "\ud800", "=?utf-8?Q?=0D=0ABcc:_v?="]
)
def test_nothing_in_a_subject_or_name_begins_a_field(hostile: str) -> None:
    assert "Bcc" not in answer(message(), subject=hostile)
    original = b"Subject: =?utf-8?Q?x=0D=0ABcc=3A_victim=40x=2Eexample?=\r\n\r\n"
    found = answer(original, account=replace(ALICE, display_name=hostile))
    assert found.keys().count("Bcc") == 0
    assert found["Subject"] == "Auto: x Bcc: victim@x.example"


def test_references_are_bounded_and_only_identifiers() -> None:
    """RFC 5322 §3.6.4."""
    many = "\r\n ".join(f"<{number}@x.example>" for number in range(500))
    found = answer(message("alice@example.com", f"References: {many} <bad id@x> junk"))
    listed = found["References"].split()
    assert listed[-2:] == ["<499@x.example>", "<1@elsewhere.example>"]
    assert len(listed) < 100
    assert "In-Reply-To" not in answer(b"Subject: x\r\nMessage-ID: <a b@c>\r\n\r\n")


def test_a_long_subject_is_folded_into_words() -> None:
    """RFC 2047 §2: at most 75 characters each."""
    folded = encoded("ä🙂" * 100)
    assert all(len(line.strip()) <= 75 for line in folded.split("\r\n"))


def test_the_note_is_a_message() -> None:
    found = message_from_bytes(write_note(ALICE, [FRIEND], "mail.example.com", 0.0), policy=default)
    assert found["Auto-Submitted"] == "auto-generated"
    assert "friend@elsewhere.example" in found.get_content()


@pytest.mark.parametrize(
    "text",
    ["MAILER-DAEMON", "owner-list", "list-request", "No-Reply", "noreply", "do-not-reply", "x-bounces"],
)
def test_senders_behind_whom_nobody_reads(text: str) -> None:
    """RFC 5230 §4.6."""
    assert not is_person(address(f"{text}@x.example"))
    assert is_person(FRIEND)


def test_an_account_is_named_by_its_address_alias_or_tag() -> None:
    """RFC 5230 §4.5."""
    own = (ALICE.address, address("a.liddell@example.com"))
    assert is_named(b"To: x@y.z, Alice <ALICE@Example.com>\r\n\r\n", own)
    assert is_named(b"Resent-Cc: alice+shop@example.com\r\n\r\n", own)
    assert is_named(b"Cc: friends: a.liddell@example.com;\r\n\r\n", own)
    assert not is_named(b"To: malice@example.com\r\nFrom: alice@example.com\r\n\r\nTo: alice@example.com", own)


def test_auto_submitted_no_is_a_person() -> None:
    """RFC 3834 §5."""
    assert not is_automatic(b"Auto-Submitted: no\r\nPrecedence: first-class\r\n\r\nList-Id: x")
    assert is_automatic(b"auto-submitted:auto-replied;x=y\r\n\r\n")
    assert is_automatic(b"Auto-Submitted: \r\n\r\n")
