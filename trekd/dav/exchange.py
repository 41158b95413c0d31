"""
A request and its answer, as methods see them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.interfaces import IReactorTime

from trekd.config.schema import DAVConfig
from trekd.dav.bodies import Body
from trekd.dav.errors import Fault
from trekd.dav.paths import Location
from trekd.dav.xml.reading import Element, parse
from trekd.directory.interfaces import Account, IDirectory
from trekd.portal.interfaces import IMailUser
from trekd.store.collections import CollectionState, ICollections
from trekd.store.interfaces import IStore
from trekd.values import PrincipalId

if TYPE_CHECKING:
    from trekd.dav.locks import LockTable
    from trekd.dav.tables import Tables

T = TypeVar("T")

LARGE_XML = 64 * 1024
"""Octets from which on a document is read in a thread."""


@dataclass(slots=True)
class Site:
    """
    What is there for all requests.

    @ivar portal: C{twisted.cred}'s; logins go through it.
    @ivar quota: an account's quota in octets, 0 for no limit.
    @ivar clock: runs evenly; C{time_of_day}: Unix seconds, which somebody may set.
    @ivar off_reactor: run a function in a thread: C{await off_reactor(function, *arguments)}.
    @ivar parts: what extensions keep for all requests, by its class.
    """

    hostname: str
    config: DAVConfig
    portal: Any
    directory: IDirectory
    store: IStore
    quota: Callable[[Account], int]
    clock: IReactorTime
    time_of_day: Callable[[], float]
    off_reactor: Callable[..., Awaitable[Any]]
    locks: LockTable
    tables: Tables
    parts: dict[type, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Exchange:
    """
    One request.

    @ivar location: C{None} for paths beside C{/dav/} that clients try.
    @ivar path: as it was sent, without the query.
    @ivar query: what followed the question mark, undecoded.
    @ivar judged: etag of the item by which the request's conditions were judged, '' for none; C{None}: they were not.
    @ivar header_values: lower-case name to value, several joined with commas.
    """

    site: Site
    user: IMailUser
    method: str
    location: Location | None
    path: bytes
    query: str
    header_values: Mapping[str, str]
    body: Body
    judged: str | None = None
    _kept: dict[Any, Any] = field(default_factory=dict)

    @property
    def principal(self) -> PrincipalId:
        """Who asks."""
        return self.user.account.principal

    @property
    def shelf(self) -> ICollections:
        """The collections of who asks."""
        found: ICollections = ICollections(self.user.store)
        return found

    def header(self, name: str) -> str:
        """A header field's value, '' when it is not there."""
        return self.header_values.get(name, "")

    async def collections(self, shelf: ICollections) -> tuple[CollectionState, ...]:
        """An account's collections, looked up once until L{forget}."""
        found: tuple[CollectionState, ...] = await self.once(("collections", shelf.principal), shelf.collections)
        return found

    def forget(self) -> None:
        """Something was changed: what was looked up counts no longer."""
        self._kept.clear()

    async def once(self, key: object, make: Callable[[], Awaitable[T]]) -> T:
        """The value of C{make()}, made once for a request."""
        if key not in self._kept:
            self._kept[key] = await make()
        found: T = self._kept[key]
        return found

    async def document(self) -> Element | None:
        """
        The body as XML; C{None} when there is none.

        @raise Fault: it is encoded, or no XML by its media type.
        @raise SyntaxFault: it cannot be read.
        """
        octets = await self.body.octets(self.site.config.max_xml)
        if not octets:
            return None
        if self.header("content-encoding").lower() not in ("", "identity"):
            raise Fault(415, text="Bodies are taken without content encoding.")
        if len(octets) < LARGE_XML:
            return parse(octets)
        root: Element = await self.site.off_reactor(parse, octets)
        return root

    async def required_document(self) -> Element:
        """
        @raise Fault: there is no body.
        """
        root = await self.document()
        if root is None:
            raise Fault(400, text="A body is needed.")
        return root

    @property
    def depth(self) -> str:
        """
        The Depth field: C{0}, C{1}, C{infinity}, or '' (RFC 4918 §10.2).

        @raise Fault: it is something else.
        """
        depth = self.header("depth").strip().lower()
        if depth not in ("", "0", "1", "infinity"):
            raise Fault(400, text="Depth is 0, 1 or infinity.")
        return depth

    @property
    def preferences(self) -> frozenset[str]:
        """What C{Prefer} asks for, in lower case (RFC 7240 §2); C{Brief: t} is C{return=minimal}."""
        found = {word.strip().lower().replace('"', "") for word in self.header("prefer").split(",")} - {""}
        # Quirk brief
        if self.header("brief").strip().lower() == "t":
            found.add("return=minimal")
        return frozenset(found)

    @property
    def is_minimal(self) -> bool:
        """Whether the client wants no more than it needs (RFC 8144 §2)."""
        return "return=minimal" in self.preferences


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What is sent back.

    @ivar body: octets, or pieces of them as they are made; the reactor has its turn between two pieces.
    @ivar size: octets of a body in pieces, where it is known.
    """

    status: int
    body: bytes | AsyncIterator[bytes] = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    size: int | None = None

    def adding(self, *headers: tuple[bytes, bytes]) -> Answer:
        """The same with more header fields."""
        return Answer(self.status, self.body, self.headers + headers, self.size)


XML_TYPE = (b"content-type", b"application/xml; charset=utf-8")


def xml_answer(status: int, body: bytes | AsyncIterator[bytes], *headers: tuple[bytes, bytes]) -> Answer:
    """An answer that is an XML document."""
    return Answer(status, body, (XML_TYPE, *headers))
