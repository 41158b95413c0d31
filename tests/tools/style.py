"""
What STYLE §1 to §4 ask of a source file and a machine can see: sizes, names, docstrings.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.tools.source import Module

MODULE_LINES = 600
FUNCTION_LINES = 60

BANNED = frozenset(
    ["handler", "manager", "processor", "engine", "helper", "utils", "misc", "common", "data", "info"]
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Exceptions:
    """
    What C{[trekd:style]} of setup.cfg allows.

    @ivar names: patterns of names that may hold a banned word.
    @ivar words: C{room:word}, banned words that are terms of a room.
    @ivar long_modules: modules that are data tables and may be long.
    """

    names: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    long_modules: tuple[str, ...] = ()

    def banned_in(self, module: str) -> frozenset[str]:
        """The words banned in one module."""
        pairs = (pair.split(":") for pair in self.words)
        return BANNED - {word for room, word in pairs if f"{module}.".startswith(f"{room}.")}

    def allows(self, name: str) -> bool:
        """Whether a name may hold a banned word."""
        return any(fnmatchcase(name, pattern) for pattern in self.names)


def complaints(module: Module, exceptions: Exceptions) -> list[str]:
    """
    Find what breaks the rules in one module.
    """
    found = []
    if module.text.count("\n") > MODULE_LINES and module.name not in exceptions.long_modules:
        found.append(f"{module.path}:1: longer than {MODULE_LINES} lines")
    if module.is_package:
        found += _beside_docstring(module)
    places = [*_long_functions(module), *_banned_names(module, exceptions), *_undocumented(module)]
    return found + [f"{module.path}:{line}: {reason}" for line, reason in places]


def _beside_docstring(module: Module) -> Iterator[str]:
    """An C{__init__.py} holds its docstring only; the root also the version."""
    for node in module.tree.body[1:] if ast.get_docstring(module.tree) else module.tree.body:
        is_version = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"
        if not (is_version and module.name == "trekd"):
            yield f"{module.path}:{node.lineno}: __init__.py holds its docstring and nothing else"


def _functions(module: Module) -> Iterator[Function]:
    return (node for node in ast.walk(module.tree) if isinstance(node, Function))


def _long_functions(module: Module) -> Iterator[tuple[int, str]]:
    for function in _functions(module):
        first = function.body[0]
        documented = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(function) else 0
        length = (function.end_lineno or 0) - function.lineno + 1 - documented
        if length > FUNCTION_LINES:
            yield function.lineno, f"{function.name} has {length} lines, {FUNCTION_LINES} is the limit"


# --- Names ----------------------------------------------------------------------------------------


def words(name: str) -> list[str]:
    """
    Cut a name into its words in lower case, whichever way it is spelt.
    """
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)]


def _banned_names(module: Module, exceptions: Exceptions) -> Iterator[tuple[int, str]]:
    banned = exceptions.banned_in(module.name)
    named = [(1, module.name.rpartition(".")[2]), *_defined_names(module)]
    for line, name in named:
        bad = banned.intersection(words(name))
        if bad and not exceptions.allows(name):
            yield line, f"{name} holds the banned word {', '.join(sorted(bad))}"


def _defined_names(module: Module) -> Iterator[tuple[int, str]]:
    """Names that the module gives: classes, functions, parameters, variables, attributes of self."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, Function):
            if not _is_called_by_twisted(node.name):
                yield node.lineno, node.name
                yield from ((node.lineno, each.arg) for each in _parameters(node.args))
        elif isinstance(node, ast.Lambda):
            yield from ((node.lineno, each.arg) for each in _parameters(node.args))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def _parameters(arguments: ast.arguments) -> list[ast.arg]:
    starred = [each for each in (arguments.vararg, arguments.kwarg) if each]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *starred]


def _is_called_by_twisted(name: str) -> bool:
    """Whether a name is spelt as Twisted spells what it calls: camelCase or C{do_DATA}."""
    return re.search(r"[a-z_][A-Z]", name.lstrip("_")) is not None


# --- Docstrings -----------------------------------------------------------------------------------


def _undocumented(module: Module) -> Iterator[tuple[int, str]]:
    if not ast.get_docstring(module.tree):
        yield 1, "the module has no docstring"
    yield from _undocumented_in(module.tree.body)


def _undocumented_in(body: list[ast.stmt]) -> Iterator[tuple[int, str]]:
    for node in body:
        if isinstance(node, ast.If | ast.Try):
            yield from _undocumented_in([*node.body, *node.orelse])
        elif isinstance(node, ast.ClassDef):
            if not ast.get_docstring(node):
                yield node.lineno, f"class {node.name} has no docstring"
            if not node.name.startswith("_"):
                yield from _undocumented_in(node.body)
        elif isinstance(node, Function) and _owes_docstring(node) and not ast.get_docstring(node):
            yield node.lineno, f"{node.name} has no docstring"


def _owes_docstring(function: Function) -> bool:
    decorators = {ast.unparse(each).rpartition(".")[2] for each in function.decorator_list}
    is_public = not function.name.startswith("_") and not _is_called_by_twisted(function.name)
    is_stub = ast.unparse(function.body[0]) == "..."
    return is_public and not is_stub and not decorators & {"overload", "setter", "override"}
