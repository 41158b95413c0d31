"""
Setting properties: which of the changes that a client asks for are possible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trekd.dav.errors import ErrorAnswer, Fault, answer_to
from trekd.dav.exchange import Exchange
from trekd.dav.nodes import Node
from trekd.dav.xml.names import dav
from trekd.dav.xml.requests import PropertyChange

MAX_PROPERTIES = 500
"""Dead properties of one resource."""
MAX_OCTETS = 256 * 1024
"""Octets of all dead properties of one resource."""

_PROTECTED = ErrorAnswer(403, dav("cannot-modify-protected-property"), "This property is the server's own.")


def judged(exchange: Exchange, node: Node, changes: Sequence[PropertyChange]) -> dict[str, ErrorAnswer]:
    """The properties that cannot be changed so, and why."""
    refused: dict[str, ErrorAnswer] = {}
    for change in changes:
        row = exchange.site.tables.properties.get(change.name)
        if row is None:
            continue
        if row.check is None:
            refused[change.name] = _PROTECTED
        elif change.element is not None:
            try:
                row.check(node, change.element)
            except Fault as fault:
                refused[change.name] = answer_to(fault)
    return refused


def require_room(properties: Mapping[str, str]) -> None:
    """
    @raise Fault: these are too many, or too large.
    """
    octets = sum(len(name) + len(value) for name, value in properties.items())
    if len(properties) > MAX_PROPERTIES or octets > MAX_OCTETS:
        raise Fault(507, dav("quota-not-exceeded"), "A resource keeps no more properties than this.")
