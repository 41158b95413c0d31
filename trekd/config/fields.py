"""
How a section declares its keys: everything known of a key stands in the dataclass field's metadata.

A field is a L{Key} (one value), a L{Table} (a section below this one), L{Rows} (a list of tables), L{Named}
(tables under names that the administrator chooses) or L{Foreign} (tables whose keys are not ours).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from types import MappingProxyType
from typing import Any

from trekd.config.kinds import Kind

_LARGEST = 2**53
"""No number of a configuration is larger: what every tool that reads JSON still takes exactly."""


@dataclass(frozen=True, slots=True)
class Key:
    """
    One key of a section.

    @ivar kind: how its value is read and written.
    @ivar doc: what it means, in one or two sentences, with units.
    @ivar at_least: the smallest number allowed, in the kind's unit (octets, seconds).
    @ivar at_most: the largest number allowed.
    @ivar because: where a bound comes from, such as C{RFC 9051 §5.4}.
    @ivar example: TOML text that the sample shows in place of the default.
    """

    kind: Kind
    doc: str
    at_least: int = 0
    at_most: int = _LARGEST
    because: str = ""
    example: str = ""

    def read(self, value: object, base: str) -> Any:
        """
        Turn a TOML value into ours.

        @param base: the directory that relative paths start from.
        @raise ValueError: with the reason.
        """
        found = self.kind.read(value, base)
        if isinstance(found, int) and not isinstance(found, bool):
            self._check_bounds(found)
        return found

    def _check_bounds(self, number: int) -> None:
        clause = f" ({self.because})" if self.because else ""
        if number < self.at_least:
            raise ValueError(f"at least {self._shown(self.at_least)}{clause}")
        if number > self.at_most:
            raise ValueError(f"at most {self._shown(self.at_most)}{clause}")

    def _shown(self, number: int) -> str:
        return self.kind.write(number).strip('"')

    @property
    def bounds(self) -> str:
        """The bounds as documentation says them, empty when there are none worth saying."""
        low = f"at least {self._shown(self.at_least)}" if self.at_least else ""
        high = f"at most {self._shown(self.at_most)}" if self.at_most != _LARGEST else ""
        return ", ".join(filter(None, (low, high, self.because)))


@dataclass(frozen=True, slots=True)
class Table:
    """
    A section below this one.

    @ivar section: its dataclass.
    """

    section: type[Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """
    A list of tables, C{[[section.name]]}.

    @ivar section: the dataclass of one row.
    """

    section: type[Any]


@dataclass(frozen=True, slots=True)
class Named:
    """
    Tables under names that the administrator chooses, C{[section.NAME]}.

    @ivar section: the dataclass of each.
    @ivar built_in: those that exist without being written; keys written for them replace only those keys.
    """

    section: type[Any]
    built_in: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Foreign:
    """
    Tables under names of plugins, C{[section.NAME]}; what stands in them the plugin alone can judge.

    @ivar doc: what they are for.
    @ivar example: TOML lines that the sample shows.
    """

    doc: str
    example: tuple[str, ...]


Declaration = Key | Table | Rows | Named | Foreign


def setting(kind: Kind, default: Any = MISSING, doc: str = "", **rest: Any) -> Any:
    """
    Declare one key; without a default it must be written.

    @param rest: C{at_least}, C{at_most}, C{because}, C{example} of L{Key}.
    """
    return field(default=default, metadata={"declaration": Key(kind, doc, **rest)})


def table(section: type[Any]) -> Any:
    """
    Declare a section below this one; when absent, all its keys have their defaults.
    """
    return field(default_factory=section, metadata={"declaration": Table(section)})


def rows(section: type[Any]) -> Any:
    """
    Declare a list of tables; none when absent.
    """
    return field(default=(), metadata={"declaration": Rows(section)})


def named(section: type[Any], built_in: Mapping[str, Any]) -> Any:
    """
    Declare tables under chosen names.
    """
    frozen = MappingProxyType(dict(built_in))
    return field(default_factory=lambda: frozen, metadata={"declaration": Named(section, frozen)})


def foreign(doc: str, *example: str) -> Any:
    """
    Declare tables whose keys are not ours.
    """
    return field(
        default_factory=lambda: MappingProxyType({}), metadata={"declaration": Foreign(doc, example)}
    )


def declarations(section: type[Any]) -> dict[str, Declaration]:
    """
    Give what a section declares, in the order of the schema.

    @return: key name to declaration.
    """
    return {each.name: each.metadata["declaration"] for each in fields(section)}


def default_of(section: type[Any], name: str) -> Any:
    """
    Give a key's default.

    @return: the value, or C{dataclasses.MISSING} for a key that must be written.
    """
    return next(each.default for each in fields(section) if each.name == name)
