"""
The commented sample configuration, generated from the schema.

C{python -m trekd.config.sample > etc/trekmail.toml}; a test keeps that file current.  What an administrator
has to set is written out, every other key stands behind C{#} with its default.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import MISSING
from types import MappingProxyType
from typing import Any

from trekd.config.fields import Foreign, Key, Named, Rows, Table, declarations, default_of
from trekd.config.schema import Config

_WIDTH = 100

_HEAD = """\
# TrekMail's configuration.  trekctl check-config reads it as the daemon does and says what is wrong.
# Lines that begin with "#key = " show defaults.  Sizes: "64KB", "50MB", "5GB" (powers of 1024) or octets.
# Durations: "90s", "30m", "1h30m", "2d" or seconds.  Relative paths start from this file's directory.
"""

_WRITTEN = {("server", "hostname"), ("server", "domains"), ("tls", "certificate"), ("tls", "key")}
"""Keys that stand in the sample without C{#}: nobody can do without them."""


Values = Mapping[tuple[str, ...], Any]
"""What is in force instead of an example or default, by section and key."""


def sample(values: Values = MappingProxyType({})) -> str:
    """
    Write the sample, or a configuration with these values.

    @return: TOML text that the loader takes as it is, and with every C{#key} put in force as well.
    """
    return "\n".join([_HEAD.rstrip("\n"), *_tables(Config, (), values)]) + "\n"


def _tables(section: type[Any], path: tuple[str, ...], values: Values) -> Iterator[str]:
    """A section's own keys first, then the sections below it."""
    below = {}
    for name, declaration in declarations(section).items():
        if isinstance(declaration, Key):
            yield from _key(section, name, declaration, path, values)
        else:
            below[name] = declaration
    for name, declaration in below.items():
        here = (*path, name)
        if isinstance(declaration, Table):
            yield from _head(declaration.section, f"[{'.'.join(here)}]")
            yield from _tables(declaration.section, here, values)
        elif isinstance(declaration, Rows):
            yield from _head(declaration.section, f"#[[{'.'.join(here)}]]")
            yield from _tables(declaration.section, here, values)
        elif isinstance(declaration, Foreign):
            yield from ("", *_comment(declaration.doc), *(f"#{line}" for line in declaration.example))
        else:
            yield from _named(declaration, here)


def _head(section: type[Any], heading: str) -> Iterator[str]:
    yield ""
    yield from _comment(" ".join((section.__doc__ or "").split()))
    yield heading


def _key(section: type[Any], name: str, key: Key, path: tuple[str, ...], values: Values) -> Iterator[str]:
    bounds = f"  [{key.bounds}]" if key.bounds else ""
    yield from _comment(key.doc + bounds)
    default = default_of(section, name)
    is_written = (*path, name) in _WRITTEN or (*path, name) in values
    if (*path, name) in values:
        shown = key.kind.write(values[*path, name])
    elif key.example and (is_written or default is MISSING or not default):
        shown = key.example
    else:
        shown = key.kind.write(default)
    yield f"{name} = {shown}" if is_written else f"#{name} = {shown}"


def _named(declaration: Named, path: tuple[str, ...]) -> Iterator[str]:
    """The built-in tables with their values; the keys are explained at the first."""
    keys = {name: key for name, key in declarations(declaration.section).items() if isinstance(key, Key)}
    for place, (name, built_in) in enumerate(declaration.built_in.items()):
        if place == 0:
            yield from _head(declaration.section, f"[{'.'.join((*path, name))}]")
        else:
            yield from ("", f"[{'.'.join((*path, name))}]")
        for each, key in keys.items():
            if place == 0:
                yield from _comment(key.doc)
            yield f"#{each} = {key.kind.write(getattr(built_in, each))}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")


if __name__ == "__main__":
    sys.stdout.write(sample())
