"""
The manual pages: the list of keys in trekmail.toml(5), made from the schema, and plain text of pages for tests.

C{python -m tests.tools.manual} puts the keys between the two markers of docs/man/trekmail.toml.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING
from typing import Any

from tests.tools.source import ROOT
from trekd.config.fields import Foreign, Key, Named, Rows, Table, declarations, default_of
from trekd.config.schema import Config

PAGE = ROOT / "docs/man/trekmail.toml.5"
BEGIN = '.\\" keys: begin'
END = '.\\" keys: end'


def keys_of_the_schema() -> str:
    """
    Write every section with its keys, bounds and defaults, in troff's man macros.
    """
    return "\n".join(_sections(Config, ()))


def _sections(section: type[Any], path: tuple[str, ...]) -> Iterator[str]:
    for name, declaration in declarations(section).items():
        if isinstance(declaration, Key):
            continue
        here = ".".join((*path, name))
        title = f"[{here}]"
        if isinstance(declaration, Rows):
            title = f"[[{here}]]"
        elif isinstance(declaration, Named):
            title = f"[{here}.NAME]"
        elif isinstance(declaration, Foreign):
            yield from (f".SS {_text(f'[{here}.NAME]')}", _text(declaration.doc))
            continue
        yield f".SS {_text(title)}"
        yield _text(" ".join((declaration.section.__doc__ or "").split()))
        yield from _keys(declaration.section, is_one_of_many=not isinstance(declaration, Table))
        yield from _sections(declaration.section, (*path, name))


def _keys(section: type[Any], is_one_of_many: bool) -> Iterator[str]:
    for name, key in declarations(section).items():
        if not isinstance(key, Key):
            continue
        default = default_of(section, name)
        shown = "" if default is MISSING or is_one_of_many else f" = {key.kind.write(default)}"
        bounds = f" ({key.bounds})" if key.bounds else ""
        yield ".TP"
        yield f".BR {name} {_quoted(shown)}" if shown else f".B {name}"
        yield _text(key.doc.rstrip(".") + bounds + ".")


def _text(text: str) -> str:
    """Text that troff shows as it is."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _quoted(text: str) -> str:
    return '"' + _text(text).replace('"', '""') + '"'


def with_keys(page: str) -> str:
    """
    Replace what stands between the markers.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no markers for the keys")
    return f"{head}{BEGIN}\n{keys_of_the_schema()}\n{END}{tail}"


def plain(page: str) -> str:
    """
    A page without fonts, macros' quotation marks and line ends: what its words are.
    """
    for mark in ("\\fB", "\\fI", "\\fR", "\\fP", "\\&", '"'):
        page = page.replace(mark, "")
    lines = (_without_macro(line) for line in page.replace("\\-", "-").splitlines())
    return " ".join(" ".join(lines).split())


def _without_macro(line: str) -> str:
    return line.partition(" ")[2] if line.startswith(".") else line


if __name__ == "__main__":
    PAGE.write_text(with_keys(PAGE.read_text()))
