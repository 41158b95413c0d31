"""
Reading properties: which of those asked for a resource has, as octets.

Items come by the thousand: what of them can be told from their row alone is concatenated, in slices between which the
reactor has its turn.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from trekd.dav.exchange import Exchange
from trekd.dav.multistatus import FOUND_END, FOUND_START, MISSING_END, MISSING_START, response
from trekd.dav.nodes import CollectionNode, ItemNode, Node
from trekd.dav.paths import quoted
from trekd.dav.tables import Property
from trekd.dav.xml.names import dav
from trekd.dav.xml.requests import PropertiesWanted
from trekd.dav.xml.writing import element, tags
from trekd.errors import NotPermitted
from trekd.store.collections import ItemState

SLICE = 250
"""Items that are written at once: about a millisecond."""

_HREF_START = tags(dav("response"))[0] + tags(dav("href"))[0]
_HREF_END = tags(dav("href"))[1]
_RESPONSE_END = tags(dav("response"))[1]

ItemReader = Callable[[ItemState], "bytes | None"]


class Selection:
    """The properties that a request asks for, of any number of resources."""

    def __init__(self, exchange: Exchange, wanted: PropertiesWanted) -> None:
        self._exchange = exchange
        self._wanted = wanted
        self._rows = exchange.site.tables.properties
        self._is_minimal = exchange.is_minimal

    async def of(self, node: Node, more: bytes = b"") -> bytes:
        """
        C{DAV:response} of one resource.

        @param more: an element that it has beside those asked for.
        """
        found, missing, withheld = await self._sorted(node)
        return response(node.path, found + more, missing, self._is_minimal, withheld=withheld)

    async def sorted_out(self, node: Node) -> tuple[bytes, bytes]:
        """The elements that a resource has, and empty ones for what it has not for who asks."""
        found, missing, withheld = await self._sorted(node)
        return found, missing + withheld

    async def _sorted(self, node: Node) -> tuple[bytes, bytes, bytes]:
        """Elements that a resource has, names of those that it has not, and of those that are not for who asks."""
        found, missing, withheld = [], [], []
        for name in self._names(node):
            try:
                value = await self.value(node, name)
            except NotPermitted:
                withheld.append(element(name))
                continue
            if value is not None:
                found.append(element(name) if self._wanted.names_only else value)
            elif name in self._wanted.names:
                missing.append(element(name))
        return b"".join(found), b"".join(missing), b"".join(withheld)

    async def value(self, node: Node, name: str) -> bytes | None:
        """
        The element of one property; C{None}: the resource has none.

        @raise NotPermitted: it is not for who asks.
        """
        row = self._rows.get(name)
        kept = (node.dead_properties or {}).get(name)
        if kept is not None and (row is None or row.check is not None):
            return kept.encode()
        if row is None:
            return None
        if isinstance(node, ItemNode) and row.of_item is not None:
            content = row.of_item(node.state)
        else:
            content = await row.read(self._exchange, node)
        return None if content is None else element(name, content)

    async def of_items(
        self, collection: CollectionNode, states: Sequence[ItemState], more: Sequence[bytes] = ()
    ) -> AsyncIterator[bytes]:
        """
        C{DAV:response} of many items of one collection, in pieces.

        @param more: an element of each that it has beside those asked for; none at all, or one for each.
        """
        readers = None if self._wanted.is_all else await self._item_readers(collection, states[:1])
        for start in range(0, len(states), SLICE):
            part = states[start : start + SLICE]
            extra = more[start : start + SLICE] or [b""] * len(part)
            if readers is not None:
                yield b"".join(self._written(collection.path, part, extra, readers))
            else:
                each = zip(part, extra, strict=True)
                yield b"".join([await self.of(collection.item(state), element) for state, element in each])

    def _names(self, node: Node) -> Iterator[str]:
        """Expanded names, each once."""
        if not self._wanted.is_all:
            yield from self._wanted.names
            return
        chosen = {
            name: None for name, row in self._rows.items() if row.in_allprop or self._wanted.names_only
        }
        chosen.update(dict.fromkeys(name for name in node.dead_properties or () if name not in self._rows))
        yield from chosen | dict.fromkeys(self._wanted.names)

    async def _item_readers(
        self, collection: CollectionNode, sample: Sequence[ItemState]
    ) -> list[tuple[str, ItemReader]] | None:
        """A function for each property; C{None} when one of them takes more than an item's row, or is withheld."""
        readers: list[tuple[str, ItemReader]] = []
        for name in self._wanted.names:
            row = self._rows.get(name)
            if row is None or row.check is not None:
                readers.append((name, _dead(name)))
            elif row.of_item is not None:
                readers.append((name, _tagged(name, row.of_item)))
            elif row.is_shared and sample:
                try:
                    readers.append((name, _constant(await self.value(collection.item(sample[0]), name))))
                except NotPermitted:
                    return None
            else:
                return None
        return readers

    def _written(
        self,
        base: bytes,
        states: Sequence[ItemState],
        more: Sequence[bytes],
        readers: Sequence[tuple[str, ItemReader]],
    ) -> Iterator[bytes]:
        empty = {name: element(name) for name, _ in readers}
        before = _HREF_START + base
        for state, extra in zip(states, more, strict=True):
            found, missing = [], []
            for name, read in readers:
                value = read(state)
                if value is None:
                    missing.append(empty[name])
                else:
                    found.append(value)
            if extra:
                found.append(extra)
            yield before + quoted(state.name).encode() + _HREF_END
            if found or self._is_minimal or not missing:
                yield FOUND_START + b"".join(found) + FOUND_END
            if missing and not self._is_minimal:
                yield MISSING_START + b"".join(missing) + MISSING_END
            yield _RESPONSE_END


def _dead(name: str) -> ItemReader:
    def read(state: ItemState) -> bytes | None:
        value = state.properties.get(name)
        return None if value is None else value.encode()

    return read


def _tagged(name: str, of_item: ItemReader) -> ItemReader:
    start, end = tags(name)

    def read(state: ItemState) -> bytes | None:
        content = of_item(state)
        return None if content is None else start + content + end

    return read


def _constant(value: bytes | None) -> ItemReader:
    return lambda state: value


def is_protected(row: Property | None) -> bool:
    """Whether clients cannot set it (RFC 4918 §15)."""
    return row is not None and row.check is None
