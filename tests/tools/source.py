"""
Our own sources as the project's rules see them: modules by dotted name, and what each of them imports.
"""

from __future__ import annotations

import ast
import configparser
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]

_IMPORTERS = {"import_module", "__import__", "namedAny", "namedModule", "namedObject"}


@dataclass(frozen=True)
class Module:
    """
    One source file.

    @ivar name: dotted, a package's own name for its C{__init__.py}.
    @ivar path: relative to the tree's root.
    @ivar text: the source.
    """

    name: str
    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed source."""
        return ast.parse(self.text, self.path)

    @property
    def is_package(self) -> bool:
        """Whether this is a C{__init__.py}."""
        return self.path.endswith("__init__.py")

    def imports(self) -> Iterator[tuple[int, str]]:
        """
        Everything imported, wherever it stands: functions, C{TYPE_CHECKING} blocks and import by name count.

        @return: line and dotted name; C{from a import b} gives C{a.b}.
        """
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._base_of(node)
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
            elif isinstance(node, ast.Call) and _called(node) in _IMPORTERS and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield node.lineno, first.value

    def _base_of(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".") if self.is_package else self.name.split(".")[:-1]
        parts = parts[: len(parts) - node.level + 1]
        return ".".join([*parts, *([node.module] if node.module else [])])


def _called(node: ast.Call) -> str:
    target = node.func
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def modules(root: Path = ROOT, package: str = "trekd") -> list[Module]:
    """
    Read every module of a package.

    @param root: directory that holds the package.
    """
    found = []
    for path in sorted((root / package).rglob("*.py")):
        relative = path.relative_to(root)
        parts = list(relative.with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found.append(Module(".".join(parts), str(relative), path.read_text()))
    return found


def project_settings(root: Path = ROOT) -> configparser.ConfigParser:
    """
    Read setup.cfg, where the project's own tables stand too.
    """
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(root / "setup.cfg")
    return parser


def words_table(section: str, root: Path = ROOT) -> dict[str, tuple[str, ...]]:
    """
    Read a table of setup.cfg whose values are words.
    """
    return {name: tuple(value.split()) for name, value in project_settings(root)[section].items()}
