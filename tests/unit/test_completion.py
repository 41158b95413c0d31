"""bash completes what trekctl has."""

from __future__ import annotations

import subprocess

import pytest

from tests.tools.completion import FILE, script


def test_the_file_is_what_the_parser_says() -> None:
    assert FILE.read_text() == script(), "python -m tests.tools.completion"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["trekctl", "acc"], {"account"}),
        (["trekctl", "account", "li"], {"list"}),
        (["trekctl", "--json", "queue", "suppressions", ""], {"list", "remove", "--help"}),
        (["trekctl", "account", "add", "alice@example.com", "--pl"], {"--plan"}),
        (["trekctl", "status", "nothing-begins-so"], set()),
    ],
)
def test_what_bash_offers(typed: list[str], offered: set[str]) -> None:
    words = " ".join(f"'{word}'" for word in typed)
    ask = f'source "{FILE}"; COMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}; _trekctl; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-euc", ask], capture_output=True, text=True, timeout=30, check=True)
    assert set(done.stdout.split()) == offered
