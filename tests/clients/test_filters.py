"""Forwarding and answers of a started daemon: trekctl sets them, swaks hands mail in, IMAP shows what came."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.clients.daemon import Daemon
from tests.clients.programs import require, run
from tests.clients.test_imaplib import log_in


@pytest.fixture
def filtering(own_daemon: Daemon) -> Iterator[Daemon]:
    own_daemon.start()
    yield own_daemon
    own_daemon.close()


def hand_in(daemon: Daemon, recipient: str, subject: str, sender: str = "carol@example.com") -> bytes:
    """By LMTP; what was said."""
    message = f"From: {sender}\nTo: {recipient}\nSubject: {subject}\nMessage-ID: <{subject}@x.example>\n\nbody\n"
    finished = run(
        *(require("swaks"), "--protocol", "LMTP", "--socket", daemon.lmtp),
        *("--from", sender, "--to", recipient, "--data", message),
        status=None,
    )
    return bytes(finished.stdout)


def subjects(daemon: Daemon, name: str) -> list[str]:
    with log_in(daemon, name) as client:
        client.select("INBOX", readonly=True)
        found = client.search(None, "ALL")[1][0].split()
        headers = [client.fetch(one, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0][1] for one in found]
    return [header.decode().strip().removeprefix("Subject: ") for header in headers]


def test_a_forward_and_an_answer_by_lmtp(filtering: Daemon) -> None:
    filtering.trekctl("forward", "set", "alice@example.com", "bob@example.com", "--keep")
    shown = filtering.trekctl("forward", "show", "alice@example.com")
    assert "bob@example.com" in shown and "trekctl" in shown
    filtering.trekctl("vacation", "set", "alice@example.com", "--stdin", input="Bin im Urlaub.\nGrüße\n")
    for subject in ("first", "second"):
        assert b"250" in hand_in(filtering, "alice@example.com", subject)
    assert subjects(filtering, "alice") == subjects(filtering, "bob") == ["first", "second"]
    assert subjects(filtering, "carol") == ["Auto: first"]
    filtering.kill()
    filtering.start()
    filtering.trekctl("forward", "set", "alice@example.com", "bob@example.com")
    hand_in(filtering, "alice@example.com", "third")
    assert subjects(filtering, "alice") == ["first", "second"]
    assert subjects(filtering, "bob") == ["first", "second", "third"]
    assert subjects(filtering, "carol") == ["Auto: first"]
    filtering.trekctl("forward", "off", "alice@example.com")
    filtering.trekctl("vacation", "off", "alice@example.com")
    hand_in(filtering, "alice@example.com", "fourth")
    assert subjects(filtering, "alice") == ["first", "second", "fourth"]
    assert filtering.trekctl_json("vacation", "show", "alice@example.com") == {
        "account": "alice@example.com",
        "set_by": None,
        "text": "",
    }


def test_circles_end_and_what_cannot_be_forwarded_stays(filtering: Daemon) -> None:
    filtering.trekctl("forward", "set", "alice@example.com", "bob@example.com")
    filtering.trekctl("forward", "set", "bob@example.com", "alice@example.com")
    filtering.trekctl("forward", "set", "nano@example.com", "me@private.example")
    hand_in(filtering, "alice@example.com", "round")
    assert subjects(filtering, "alice") + subjects(filtering, "bob") == ["round"]
    hand_in(filtering, "nano@example.com", "stays")
    assert sorted(subjects(filtering, "nano")) == ["Your mail is not forwarded", "stays"]


def test_a_forged_bounce_address_is_refused_at_rcpt(filtering: Daemon) -> None:
    said = hand_in(filtering, "SRS0=aaaaaaaa=ab=elsewhere.example=victim@example.com", "forged")
    assert re.search(rb"<\*\* +550 5\.1\.1", said)


def test_what_trekctl_refuses(filtering: Daemon) -> None:
    assert "another address" in filtering.trekctl("forward", "set", "bob@example.com", "bob@example.com", status=1)
    many = [f"{number}@x.example" for number in range(21)]
    assert "1 to 20" in filtering.trekctl("forward", "set", "bob@example.com", *many, status=1)
    assert "no account" in filtering.trekctl("forward", "set", "nobody@example.com", "a@x.example", status=1)
    assert "text" in filtering.trekctl("vacation", "set", "bob@example.com", "--stdin", input=" \n", status=1)
    wrong = ("--from", "2026-12-24", "--until", "2026-12-01")
    told = filtering.trekctl("vacation", "set", "bob@example.com", "--stdin", *wrong, input="x", status=1)
    assert "an end after the beginning" in told
    assert filtering.trekctl("vacation", "set", "bob@example.com", "--stdin", "--from", "soon", input="x", status=2)


@pytest.mark.parametrize("running", [True, False])
def test_who_gets_an_address_later_gets_no_forwards(own_daemon: Daemon, running: bool) -> None:
    """Removed by the daemon, or on the files."""
    own_daemon.start()
    own_daemon.trekctl("forward", "set", "alice@example.com", "bob@example.com")
    if not running:
        own_daemon.stop()
    own_daemon.trekctl("account", "remove", "alice@example.com")
    own_daemon.trekctl("account", "add", "alice@example.com", "--password-stdin", input="another horse\n")
    if not running:
        own_daemon.start()
    assert "bob@example.com" not in own_daemon.trekctl("forward", "show", "alice@example.com", status=None)
    assert b"250" in hand_in(own_daemon, "alice@example.com", "new")
    assert subjects(own_daemon, "bob") == []
