"""Identifiers of mailboxes and messages, and when a message was saved (RFC 8474, RFC 8514)."""

from __future__ import annotations

import re

import pytest

from tests.fakes.imapsite import Client, IMAPSite

OBJECTID = r"\(([A-Za-z][A-Za-z0-9_-]{1,254})\)"


def filled() -> Client:
    """A client with two messages in INBOX, which is selected."""
    site = IMAPSite()
    client = site.user()
    site.fill(2)
    return client.select()


def identifier(lines: list[str], name: str) -> str:
    """The identifier told behind a name."""
    found = re.search(f"{name} {OBJECTID}", "\n".join(lines))
    assert found, lines
    return found[1]


def test_a_mailbox_keeps_its_identifier() -> None:
    """RFC 8474 §4: told by CREATE, STATUS, LIST with STATUS, SELECT and EXAMINE; kept by RENAME, not reused."""
    client = filled()
    made = identifier(client.ask("a CREATE Foo")[-1:], "MAILBOXID")
    client.ask("b RENAME Foo Bar")
    assert identifier(client.ask("c STATUS Bar (MESSAGES MAILBOXID)"), "MAILBOXID") == made
    assert identifier(client.ask('d LIST "" Bar RETURN (STATUS (MAILBOXID))'), "MAILBOXID") == made
    assert identifier(client.ask("e SELECT Bar"), "MAILBOXID") == made
    assert identifier(client.ask("f EXAMINE Bar"), "MAILBOXID") == made
    client.ask("g UNSELECT")
    client.ask("h DELETE Bar")
    assert identifier(client.ask("i CREATE Bar")[-1:], "MAILBOXID") != made


def test_copies_have_the_same_identifier() -> None:
    """RFC 8474 §5.1, §5.2, §6."""
    client = filled()
    one, two = (identifier([line], "EMAILID") for line in client.ask("a FETCH 1:2 (EMAILID UID)")[:2])
    assert one != two
    told = client.ask("b FETCH 1 (THREADID EMAILID MODSEQ)")
    assert any(line.startswith(f"* 1 FETCH (THREADID NIL EMAILID ({one}) MODSEQ (") for line in told)
    client.ask("c CREATE Work")
    client.ask("d COPY 2 Work")
    client.ask("e SELECT Work")
    assert client.ask("f FETCH 1 EMAILID")[0] == f"* 1 FETCH (EMAILID ({two}))"
    assert client.ask(f"g SEARCH EMAILID {two}")[0] == "* SEARCH 1"
    assert client.ask(f"h SEARCH EMAILID {one}")[0] == "* SEARCH"
    assert client.ask(f"i SEARCH EMAILID {two[1:]}")[0] == "* SEARCH"
    assert client.ask("j SEARCH THREADID T1")[0] == "* SEARCH"
    assert client.ask("k SEARCH NOT THREADID T1")[0] == "* SEARCH 1"


@pytest.mark.parametrize(
    "key", ["EMAILID", 'EMAILID "M1"', "EMAILID M1+", "THREADID", "SAVEDON", "SAVEDSINCE 1-Foo-2024"]
)
def test_bad_keys(key: str) -> None:
    client = filled()
    assert client.ask(f"a SEARCH {key}")[-1].startswith("a BAD ")


def test_save_date() -> None:
    """RFC 8514 §4.2, §4.3: when the message came into this mailbox, whatever its internal date."""
    client = filled()
    client.send(b'a APPEND INBOX "01-Jan-2001 00:00:00 +0000" {6+}\r\nX: y\r\n\r\n')
    client.read()
    lines = client.ask("b FETCH 3 (INTERNALDATE SAVEDATE)")
    found = re.fullmatch(
        r'\* 3 FETCH \(INTERNALDATE " 1-Jan-2001 00:00:00 \+0000" SAVEDATE "([ 0-3][0-9]-[A-Z][a-z]{2}-[0-9]{4}) '
        r'[0-9:]{8} \+0000"\)',
        lines[0],
    )
    assert found, lines
    day = found[1].strip()
    assert client.ask(f"c SEARCH SAVEDON {day} SAVEDSINCE {day}")[0] == "* SEARCH 1 2 3"
    assert client.ask(f"d SEARCH SAVEDBEFORE {day}")[0] == "* SEARCH"
    assert client.ask("e SEARCH SAVEDATESUPPORTED SMALLER 10")[0] == "* SEARCH 3"
