"""Lines of keys in TOML texts."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trekd.config.lines import Path, locate

DOCUMENT = '''\
# comment with [brackets] and "quotes"
title = "a # b"

[server]                       # line 4
"host name" = 'x = y'
a.b."c.d" = 1
text = """
[not.a.section]
also = "not a key" \\"""
"""
last = 2                       # line 11
literal = \'\'\'
k = 'v'\'\'\'\'
[[tls.sni]]                    # line 14
names = [
    "one",  # ] }
    # [nothing]
    "two",
]
[tls.sni.deep]                 # line 20
x = { y = { z = [1, { w = "}" }] }, "q" = 1.5e3 }
[[tls.sni]]                    # line 22
names = []
[ spaced . "out" ]             # line 24
when = 1979-05-27 07:32:00Z
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("server",), 4),
        (("server", "host name"), 5),
        (("server", "a", "b", "c.d"), 6),
        (("server", "text"), 7),
        (("server", "last"), 11),
        (("server", "literal"), 12),
        (("tls", "sni", 0), 14),
        (("tls", "sni", 0, "names"), 15),
        (("tls", "sni", 0, "names", 1), 18),
        (("tls", "sni", 0, "deep"), 20),
        (("tls", "sni", 0, "deep", "x", "y", "z", 1, "w"), 21),
        (("tls", "sni", 0, "deep", "x", "q"), 21),
        (("tls", "sni", 1), 22),
        (("tls", "sni", 1, "names"), 23),
        (("spaced", "out", "when"), 25),
    ],
)
def test_each_key_has_its_line(path: Path, line: int) -> None:
    tomllib.loads(DOCUMENT)
    assert locate(DOCUMENT)[path] == line


def test_text_inside_strings_is_no_key() -> None:
    assert ("not", "a", "section") not in locate(DOCUMENT)
    assert ("server", "also") not in locate(DOCUMENT)


def test_carriage_returns_do_not_count_twice() -> None:
    assert locate("a = 1\r\n[b]\r\nc = 2\r\n") == {("a",): 1, ("b",): 2, ("b", "c"): 3}


@given(st.text(alphabet="ab.=[]{}\"'#,\\\n 1", max_size=40))
def test_no_text_raises_and_every_key_of_a_valid_one_is_found(text: str) -> None:
    found = locate(text)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(_paths(values, ())) <= set(found)
    assert all(1 <= line <= text.count("\n") + 1 for line in found.values())


def test_a_key_with_a_bad_escape_only_loses_lines() -> None:
    assert locate('a = 1\n"\\1" = 2\nb = 3\n') == {("a",): 1}


def test_depth_beyond_the_stack_only_loses_lines() -> None:
    assert locate("a = " + "[" * 5000 + "]" * 5000)[("a",)] == 1


def _paths(value: Any, path: Path) -> list[Path]:
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    below = [found for name, each in items for found in _paths(each, (*path, name))]
    return ([path] if path else []) + below
