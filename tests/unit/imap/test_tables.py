"""What the tables of commands, capabilities and quirks promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.imapsite import IMAPSite
from trekd.config.schema import IMAPConfig
from trekd.imap.capabilities import after_login, before_login
from trekd.imap.commands.table import ROWS
from trekd.imap.grammar import commands
from trekd.imap.quirks import QUIRKS, Quirk

ROOT = Path(__file__).parents[3]


def test_every_command_of_the_grammar_has_a_row() -> None:
    values = {
        value
        for value in vars(commands).values()
        if isinstance(value, type) and issubclass(value, commands.Command) and value is not commands.Command
    }
    assert set(ROWS) == values


@pytest.mark.parametrize("quirk", QUIRKS.values(), ids=list(QUIRKS))
def test_every_quirk_has_its_test(quirk: Quirk) -> None:
    assert (ROOT / quirk.test).is_file()


@pytest.mark.parametrize("name", QUIRKS)
def test_every_quirk_is_named_where_it_is_obeyed(name: str) -> None:
    sources = (path for path in (ROOT / "trekd" / "imap").rglob("*.py") if path.name != "quirks.py")
    tests = (ROOT / "tests" / "unit" / "imap").glob("test_responses.py")
    assert any(name in path.read_text() for path in (*sources, *tests))


def test_capabilities_before_login_are_fewer() -> None:
    """Nothing about the store is told without a password."""
    before = set(before_login(secure=True, can_start_tls=False).split())
    after = set(after_login(1000).split())
    assert before - after == {b"AUTH=PLAIN", b"AUTH=LOGIN"}
    assert {b"UIDPLUS", b"MOVE", b"SPECIAL-USE"} <= after - before


def test_no_mechanism_without_tls() -> None:
    """RFC 3501 §6.2.3."""
    clear = before_login(secure=False, can_start_tls=True).split()
    assert b"LOGINDISABLED" in clear and b"STARTTLS" in clear
    assert not any(name.startswith(b"AUTH=") for name in clear)
    assert b"STARTTLS" not in before_login(secure=False, can_start_tls=False).split()


def test_every_row_says_where_it_is_specified() -> None:
    assert all(row.rfc for row in ROWS.values())


def test_answer_to_a_login_lists_what_is_possible_now() -> None:
    client = IMAPSite().connect()
    [line] = client.ask("a LOGIN alice@example.com right")
    assert line == f"a OK [CAPABILITY {after_login(IMAPConfig().max_message).decode()}] Logged in"
