"""
What a browser sees of a folder.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

from trekd.dav.exchange import Answer, Exchange
from trekd.dav.nodes import CollectionNode, Node
from trekd.dav.paths import quoted
from trekd.dav.xml.writing import escape
from trekd.store.collections import ItemState

SLICE = 250
"""Files that are written at once."""

_PAGE = b"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>%(title)s</title><style>body{font:1rem/1.5 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}
table{width:100%%}td:last-child{text-align:right}</style></head><body><h1>%(title)s</h1><table>
"""


async def perform(exchange: Exchange, node: CollectionNode) -> Answer:
    """A page of links to the members."""
    members = await node.members(exchange)
    states = await node.shelf.items(node.state.id)
    headers = ((b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"private, no-cache"))
    return Answer(200, _pieces(node, members, states), headers)


async def _pieces(
    node: CollectionNode, members: Sequence[Node], states: Sequence[ItemState]
) -> AsyncIterator[bytes]:
    yield _PAGE % {b"title": escape(node.location.name)}
    if not node.is_home:
        yield _row(node.location.parent.path(True), "..", "")
    for member in members:
        yield _row(member.path, member.location.name + "/", "")
    for start in range(0, len(states), SLICE):
        yield b"".join(_rows(node.path, states[start : start + SLICE]))
    yield b"</table></body></html>\n"


def _rows(base: bytes, states: Sequence[ItemState]) -> Iterator[bytes]:
    return (_row(base + quoted(state.name).encode(), state.name, f"{state.size:,}") for state in states)


def _row(path: bytes, name: str, size: str) -> bytes:
    return b'<tr><td><a href="' + path + b'">' + escape(name) + b"</a></td><td>" + size.encode() + b"</td></tr>\n"
