"""
Who may import whom (STYLE §1), checked against C{[trekd:layers]} and C{[trekd:seams]} of setup.cfg.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.tools.source import Module

Words = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Rules:
    """
    The two tables.

    @ivar layers: room to what it may import besides its own modules.
    @ivar seams: name from outside to the rooms and modules that may import it, C{*} for the rooms that may
        import all of ours; the longest name decides.
    """

    layers: Words
    seams: Words

    def room_of(self, name: str) -> str | None:
        """The room that a dotted name is in: the longest that it starts with."""
        inside = [room for room in self.layers if name == room or name.startswith(room + ".")]
        return max(inside, key=len, default=None)

    def module_of(self, name: str, known: set[str]) -> str:
        """The module that holds an imported name; rooms count as modules, written or not."""
        is_module = name in known or name in self.layers or not name.startswith("trekd.")
        return name if is_module else name.rpartition(".")[0]

    def allows_room(self, room: str, target: str) -> bool:
        """Whether a module of C{room} may import the module C{target} of ours."""
        allowed = self.layers[room]
        return "*" in allowed or target in allowed or self.room_of(target) in (room, *_rooms_in(allowed))

    def refused_seam(self, module: str, target: str) -> str | None:
        """The name of the seams' table that keeps C{module} from importing C{target}, if one does."""
        names = [seam for seam in self.seams if target == seam or target.startswith(seam + ".")]
        seam = max(names, key=len, default=None)
        if seam is None or any(self._is_in(module, place) for place in self.seams[seam]):
            return None
        return seam

    def _is_in(self, module: str, place: str) -> bool:
        if place == "*":
            return self.layers.get(self.room_of(module) or "") == ("*",)
        if place in self.layers:
            return self.room_of(module) == place
        return module == place or module.startswith(place + ".")


def _rooms_in(allowed: Iterable[str]) -> list[str]:
    """The entries that allow a whole room, not its contract alone."""
    return [name for name in allowed if not name.endswith(".interfaces")]


def violations(rules: Rules, sources: Iterable[Module]) -> list[str]:
    """
    Find every import that the tables do not allow, and cycles between rooms.

    @return: one line each, with file and line.
    """
    sources = list(sources)
    known = {module.name for module in sources}
    edges: dict[str, set[str]] = {}
    found: list[str] = []
    for module in sources:
        room = rules.room_of(module.name)
        if room is None:
            if module.name != "trekd":
                found.append(f"{module.path}:1: {module.name} belongs to no room")
            continue
        for line, name in module.imports():
            place = f"{module.path}:{line}: {module.name}"
            found += [f"{place} {reason}" for reason in _refusals(rules, module.name, name, known)]
            other = rules.room_of(rules.module_of(name, known))
            if other not in (None, room):
                edges.setdefault(room, set()).add(str(other))
    return found + [f"rooms import each other: {' -> '.join(cycle)}" for cycle in cycles(edges)]


def _refusals(rules: Rules, module: str, name: str, known: set[str]) -> Iterator[str]:
    """Why C{module} may not import C{name}."""
    seam = rules.refused_seam(module, name)
    if seam is not None:
        yield f"must not import {name}: {seam} is for {', '.join(rules.seams[seam])}"
    if not name.startswith("trekd."):
        return
    target = rules.module_of(name, known)
    room = rules.room_of(module)
    if target != "trekd" and room is not None and not rules.allows_room(room, target):
        yield f"must not import {target}: {room} may import {', '.join(rules.layers[room]) or 'nothing'}"


def cycles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """
    Find cycles of a graph, each once, by the names on it in order from the smallest.
    """
    found: set[tuple[str, ...]] = set()

    def walk(path: list[str]) -> None:
        for following in sorted(edges.get(path[-1], ())):
            if following == path[0]:
                found.add((*path, following))
            elif following > path[0] and following not in path:
                walk([*path, following])

    for start in sorted(edges):
        walk([start])
    return [list(cycle) for cycle in sorted(found)]
