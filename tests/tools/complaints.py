"""
What an operator can read: the texts in the code that end the start, go to the log as warnings or worse, or are
printed by C{trekctl} when it fails.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.tools.source import ROOT

GAP = "…"
"""Stands for whatever the code puts there."""

_LOGGED = ("warn", "error", "critical", "failure")
_RAISED = ("ConfigFault", "CommandFailure")
_FIRST_OF = {"complain": 0, "_about": 0}
"""Functions that are given a text, and its place among their arguments."""

_FORMS = ("", "?", "? ?", "?: ?", "?:?", "?: ?: ?", "?:?: ?", "?:1: ?", "LDAP: ?")
_ONLY_FILLED = frozenset(form.replace("?", GAP) for form in _FORMS)
"""Nothing in these is ours: a path and what the system says, or a text that stands elsewhere in the code."""


def texts() -> dict[str, str]:
    """Every such text, with L{GAP} for what is filled in, and a module that has it."""
    found: dict[str, str] = {}
    for file in sorted((ROOT / "trekd").rglob("*.py")):
        room = str(file.relative_to(ROOT))
        for text in _texts_of(ast.parse(file.read_text()), room):
            if text not in _ONLY_FILLED:
                found.setdefault(" ".join(text.split()), room)
    return found


def _texts_of(tree: ast.Module, room: str) -> Iterator[str]:
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and (room, function.name) in _TABLES:
            for node in ast.walk(function):
                if isinstance(node, ast.Dict):
                    yield from _alternatives(node.values, tree)
        if isinstance(function, ast.FunctionDef) and (room, function.name) in _YIELDING:
            yield from _alternatives([node.value for node in ast.walk(function) if isinstance(node, ast.Yield)], tree)
        if isinstance(function, ast.Assign) and room == "trekd/listening.py" and isinstance(function.value, ast.Dict):
            yield from _alternatives(function.value.values, tree)
        if isinstance(function, ast.Assign | ast.AnnAssign) and room == "trekd/web/replies.py":
            yield from _replies(function)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _alternatives(_told(node, room), tree)


_TABLES = {("trekd/config/checks.py", "_ldap_needs")}
_YIELDING = {("trekd/directory/ldap/provider.py", name) for name in ("_files", "_filters", "_names")}


def literals(path: str) -> set[str]:
    """Every text in a module, with L{GAP} for what is filled in."""
    tree = ast.parse((ROOT / path).read_text())
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Constant | ast.JoinedStr)]
    return {text for node in nodes for text in _written(node, tree)}


def _replies(table: ast.Assign | ast.AnnAssign) -> Iterator[str]:
    """The lambdas of the table of trekctl's answers; the rest of it are calls."""
    for node in ast.walk(table):
        if isinstance(node, ast.Lambda):
            yield from _written(node.body, ast.Module([], []))


def _told(call: ast.Call, room: str) -> list[ast.expr | None]:
    """The arguments of a call that an operator reads."""
    function = call.func
    if isinstance(function, ast.Attribute) and call.args:
        holder = function.value
        name = holder.attr if isinstance(holder, ast.Attribute) else holder.id if isinstance(holder, ast.Name) else ""
        if function.attr in _LOGGED and name.strip("_") in ("log", "notices"):
            return [call.args[0]]
        if function.attr == "add" and name.strip("_") == "complaints" and len(call.args) > 1:
            return [call.args[1]]
    if isinstance(function, ast.Name) and call.args:
        if function.id in _RAISED:
            return list(call.args)
        if function.id == "ValueError" and room.startswith("trekd/config/"):
            return [call.args[0]]
        if function.id in _FIRST_OF:
            return [call.args[_FIRST_OF[function.id]]]
    return []


def _alternatives(nodes: list[ast.expr | None], tree: ast.Module) -> Iterator[str]:
    for node in nodes:
        if node is not None:
            yield from _written(node, tree)


def _written(node: ast.expr, tree: ast.Module) -> Iterator[str]:
    """The texts that an expression can be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield re.sub(r"\{[^}]*\}", GAP, node.value)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from (f"{one}{other}" for one in _written(node.left, tree) for other in _written(node.right, tree))
    elif isinstance(node, ast.IfExp):
        yield from _written(node.body, tree)
        yield from _written(node.orelse, tree)
    elif isinstance(node, ast.Subscript):
        yield from _written(node.value, tree)
    elif isinstance(node, ast.Name):
        yield from _assigned(node.id, tree)


def _assigned(name: str, tree: ast.Module) -> Iterator[str]:
    """What a name is ever set to in a module."""
    settings = (node for node in ast.walk(tree) if isinstance(node, ast.Assign) and not _is_name(node.value))
    for node in settings:
        if name in (to.id for to in node.targets if isinstance(to, ast.Name)):
            yield from _written(node.value, tree)


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name)
