"""
The expand-property report (RFC 3253 §3.8).
"""

from __future__ import annotations

import re
from html import unescape

from trekd.dav.errors import Fault
from trekd.dav.exchange import Answer, Exchange, xml_answer
from trekd.dav.multistatus import multistatus, response
from trekd.dav.nodes import Node, find, permitted
from trekd.dav.paths import read_reference
from trekd.dav.properties import Selection
from trekd.dav.xml.names import DAV, dav
from trekd.dav.xml.reading import Element
from trekd.dav.xml.requests import PropertiesWanted
from trekd.dav.xml.writing import element
from trekd.errors import NotPermitted, SyntaxFault
from trekd.portal.access import Permission

MAX_LEVELS = 6
MAX_RESOURCES = 500
"""Resources in one answer."""

_LOCAL = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,200}").fullmatch
_NAMESPACE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}:[A-Za-z0-9/._~:#?&=,;@!*+-]{0,300}").fullmatch
_HREF = re.compile(rb"<D:href>([^<]*)</D:href>")


async def perform(exchange: Exchange, node: Node, root: Element) -> Answer:
    """Give properties, with those of the resources that they point to in place of the pointers."""
    return xml_answer(207, multistatus([await _Expansion(exchange).of(node, root, 1)]))


class _Expansion:
    """One report."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._count = 0

    async def of(self, node: Node, parent: Element, level: int) -> bytes:
        """
        A response for one resource.

        @raise Fault: it becomes too much.
        """
        self._count += 1
        if self._count > MAX_RESOURCES or level > MAX_LEVELS:
            raise Fault(507, dav("number-of-matches-within-limits"), "These are too many resources.")
        found, missing = [], []
        for wanted in parent.findall(dav("property")):
            name = _name(wanted)
            try:
                value = await Selection(self._exchange, PropertiesWanted((name,))).value(node, name)
            except NotPermitted:
                value = None
            if value is None:
                missing.append(element(name))
            elif len(wanted):
                found.append(await self._expanded(value, wanted, level))
            else:
                found.append(value)
        return response(node.path, b"".join(found), b"".join(missing), self._exchange.is_minimal)

    async def _expanded(self, value: bytes, wanted: Element, level: int) -> bytes:
        """A property's element with responses in place of hrefs; those that lead nowhere stay."""
        pieces = []
        at = 0
        for match in _HREF.finditer(value):
            node = await self._target(unescape(match[1].decode()))
            if node is not None:
                pieces += [value[at : match.start()], await self.of(node, wanted, level + 1)]
                at = match.end()
        return b"".join([*pieces, value[at:]])

    async def _target(self, reference: str) -> Node | None:
        try:
            location = read_reference(reference, self._exchange.header("host"))
            node = None if location is None else await find(self._exchange, location)
        except (SyntaxFault, NotPermitted):
            return None
        if node is None or Permission.READ not in await permitted(self._exchange, node):
            return None
        return node


def _name(wanted: Element) -> str:
    """
    @raise Fault: the name is no name.
    """
    local, namespace = wanted.get("name", ""), wanted.get("namespace", DAV)
    if not _LOCAL(local) or not _NAMESPACE(namespace):
        raise Fault(400, text="A property has a name and a namespace.")
    return f"{{{namespace}}}{local}"
