"""
TOML text in, frozen L{Config} out; every complaint names file, line, section and key, and all come at once.
"""

from __future__ import annotations

import os.path
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, replace
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from trekd.config.checks import check
from trekd.config.complaints import Complaints
from trekd.config.directory import PRESETS, LDAPConfig
from trekd.config.fields import Declaration, Foreign, Key, Named, Rows, Table, declarations, default_of
from trekd.config.lines import Path, locate
from trekd.config.schema import Config
from trekd.errors import ConfigFault


def load(text: str, filename: str) -> Config:
    """
    Read a configuration.

    Files it names are not looked at; that they exist and can be read is the daemon's to check.

    @param text: the TOML document.
    @param filename: what complaints call it; relative paths inside start from its directory.
    @raise ConfigFault: with every complaint there is.
    """
    values = _parse(text, filename)
    complaints = Complaints(filename, values, locate(text))
    config = _Reading(complaints, os.path.dirname(filename)).config(values)
    check(config, complaints)
    if complaints.found:
        raise ConfigFault(*complaints.in_order())
    return config


def _parse(text: str, filename: str) -> dict[str, Any]:
    """Read TOML; C{ConfigFault} has the one fault that C{tomllib} finds."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigFault(f"{filename}:1: nested too deeply") from None
    except ValueError as fault:
        message = str(fault)
    place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    line = text.count("\n") + 1
    if place is None:
        raise ConfigFault(f"{filename}:1: {message}")
    raise ConfigFault(f"{filename}:{place[1] or line}: {message[: place.start()]}")


class _Reading:
    """
    One pass over the values, section by section.

    Sections are made whatever is wrong, so that the checks can run and complain as well: a bad value is
    replaced by the default, or by its kind's blank.
    """

    def __init__(self, complaints: Complaints, base: str) -> None:
        self._complaints = complaints
        self._base = base

    def config(self, values: dict[str, Any]) -> Config:
        """Read the whole document."""
        config: Config = self._section(Config, values, ())
        local = config.directory.local
        if not local.file:
            local = replace(local, file=os.path.join(config.server.data_dir, "directory.sqlite"))
        return replace(config, directory=replace(config.directory, local=local))

    def _section(self, section: type[Any], values: Mapping[str, Any], path: Path) -> Any:
        known = declarations(section)
        self._refuse_unknown(values, known, path)
        if section is LDAPConfig:
            values = self._with_preset(values)
        found: dict[str, Any] = {}
        for name, declaration in known.items():
            if name in values:
                found[name] = self._value(section, declaration, values[name], (*path, name))
            elif isinstance(declaration, Table):
                found[name] = self._section(declaration.section, {}, (*path, name))
            elif isinstance(declaration, Key) and default_of(section, name) is MISSING:
                self._complaints.add((*path, name), "is missing")
                found[name] = declaration.kind.blank
        return section(**found)

    def _value(self, section: type[Any], declaration: Declaration, value: object, path: Path) -> Any:
        """Read one value of any declaration; a stand-in when it is bad."""
        if isinstance(declaration, Key):
            try:
                return declaration.read(value, self._base)
            except ValueError as fault:
                self._complaints.add(path, str(fault))
            default = default_of(section, str(path[-1]))
            return declaration.kind.blank if default is MISSING else default
        if isinstance(declaration, Rows):
            return self._rows(declaration, value, path)
        if not isinstance(value, dict):
            self._complaints.add(path, f"must be a section: [{'.'.join(map(str, path))}]")
            value = {}
        if isinstance(declaration, Table):
            return self._section(declaration.section, value, path)
        if isinstance(declaration, Foreign):
            return self._foreign(value, path)
        return self._named(declaration, value, path)

    def _rows(self, declaration: Rows, value: object, path: Path) -> tuple[Any, ...]:
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            self._complaints.add(path, f"must be a list of tables: [[{'.'.join(map(str, path))}]]")
            return ()
        return tuple(
            self._section(declaration.section, row, (*path, place)) for place, row in enumerate(value)
        )

    def _named(self, declaration: Named, value: dict[str, Any], path: Path) -> Mapping[str, Any]:
        """Read tables under chosen names; one of a built-in's name changes only the keys that it writes."""
        made = dict(declaration.built_in)
        for name, table in self._under_names(value, path):
            here = (*path, name)
            read = self._section(declaration.section, table, here)
            written = {key: getattr(read, key) for key in declarations(declaration.section) if key in table}
            made[name] = replace(declaration.built_in.get(name, read), **written)
        return MappingProxyType(made)

    def _foreign(self, value: dict[str, Any], path: Path) -> Mapping[str, Mapping[str, Any]]:
        """Take tables as they are; whose keys they have will judge them."""
        tables = self._under_names(value, path)
        return MappingProxyType({name: MappingProxyType(table) for name, table in tables})

    def _under_names(self, value: dict[str, Any], path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        """The tables under chosen names, after complaints about what is none and has none."""
        for name, table in value.items():
            here = (*path, name)
            if not re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", name):
                self._complaints.add(here, "must have a lower-case name of letters, digits, - and _")
            if isinstance(table, dict):
                yield name, table
            else:
                self._complaints.add(here, f"must be a section: [{'.'.join(map(str, here))}]")

    def _refuse_unknown(
        self, values: Mapping[str, Any], known: Mapping[str, Declaration], path: Path
    ) -> None:
        for name, value in values.items():
            if name in known:
                continue
            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
            what = "section" if isinstance(value, dict) else "key"
            self._complaints.add((*path, name), f"unknown {what}{hint}", show_value=False)

    def _with_preset(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        preset = values.get("preset", "trekmail")
        return {**PRESETS.get(preset, {}), **values} if isinstance(preset, str) else values
