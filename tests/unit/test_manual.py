"""The manual pages have every command, option and key, and trekmail.toml(5) is what the schema says."""

from __future__ import annotations

from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator

import pytest

from tests.tools.manual import PAGE, keys_of_the_schema, plain, with_keys
from tests.tools.source import ROOT
from trekd.cli import failures
from trekd.cli.main import make_parser

PAGE_8 = (ROOT / "docs/man/trekctl.8").read_text()


def commands(parser: ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ArgumentParser]]:
    """Every command with its parser, C{trekctl} itself under the empty name."""
    below = [action for action in parser._actions if isinstance(action, _SubParsersAction)]
    if not below or not words:
        yield " ".join(words), parser
    for action in below:
        for name, child in action.choices.items():
            yield from commands(child, (*words, name))


ALL = dict(commands(make_parser()))


def test_every_command_is_found() -> None:
    assert {"", "status", "account add", "directory test", "export"} <= set(ALL)


def entry(command: str) -> str:
    """What the page says of a command; of C{trekctl} itself, all of it."""
    entries = [plain(part) for part in PAGE_8.replace(".SH", ".TP").split("\n.TP\n")]
    return next(each for each in entries if f"{each} ".startswith(f"{command} ")) if command else plain(PAGE_8)


@pytest.mark.parametrize("command", ALL)
def test_trekctl_8_has_the_command_with_its_options(command: str) -> None:
    text = entry(command)
    for action in ALL[command]._actions:
        option = max(action.option_strings, key=len, default="")
        if command and option == "--help":
            continue
        assert option in text, option
        if isinstance(action.metavar, str) and command:
            assert all(word in text for word in action.metavar.split("|")), action.metavar
        for choice in (action.choices or ()) if option else ():
            assert choice in text, choice


def test_trekctl_8_has_the_exit_codes() -> None:
    codes = plain(PAGE_8.partition(".SH EXIT STATUS")[2])
    for status in (failures.OK, failures.FAILED, failures.USAGE, failures.NO_DAEMON):
        assert f"{status} " in codes


def test_trekmail_toml_5_is_current() -> None:
    """Run C{python -m tests.tools.manual} when this fails."""
    page = PAGE.read_text()
    assert page == with_keys(page)


def test_the_keys_have_defaults_and_bounds() -> None:
    keys = plain(keys_of_the_schema())
    assert "[imap]" in keys and "[plans.NAME]" in keys and "[[tls.sni]]" in keys
    assert "command_timeout = 5m Wait for the next command (at least 5m, at most 1h, RFC 5321 §4.5.3.2.7)." in keys


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="markers"):
        with_keys(".TH X 5")
