"""
The rows of which DAV is made: methods, properties, reports, kinds of collections, branches of the tree.

L{trekd.dav.tree} joins the rows of the core and of every extension; nothing else names an extension.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trekd.dav.exchange import Answer, Exchange
from trekd.dav.itemchanges import ItemChanges
from trekd.dav.nodes import CollectionNode, ItemNode, Node
from trekd.dav.xml.reading import Element
from trekd.portal.access import Permission
from trekd.store.collections import CollectionKind, ItemState, NewItem
from trekd.store.interfaces import IMessageSource


@dataclass(frozen=True, slots=True)
class Method:
    """
    A method of HTTP.

    @ivar applies: to what is there; for a path with nothing there the method itself decides.
    """

    name: str
    perform: Callable[[Exchange], Awaitable[Answer]]
    applies: Callable[[Node], bool]


@dataclass(frozen=True, slots=True)
class Property:
    """
    A live property.  Values are what stands inside the property's element, XML already; C{None}: it has none.

    @ivar read: of any node; of items only where C{of_item} is not given.
    @ivar of_item: of an item, from its row alone.
    @ivar is_shared: every item of one collection has the same value.
    @ivar in_allprop: whether C{allprop} gives it (RFC 4918 §9.1).
    @ivar check: may a client set it to this?  Raises L{Fault <trekd.dav.errors.Fault>} if not.  The element is then
        kept among the dead properties, where C{read} finds it.  C{None}: it is protected.
    """

    name: str
    read: Callable[[Exchange, Node], Awaitable[bytes | None]]
    of_item: Callable[[ItemState], bytes | None] | None = None
    is_shared: bool = False
    in_allprop: bool = False
    check: Callable[[Node, Element], None] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """
    A report (RFC 3253 §3.6).

    @ivar permission: what one must be allowed to do with the node; C{NONE}: the report sees to that, and where
        nothing is allowed at all there is nothing for it.
    """

    name: str
    perform: Callable[[Exchange, Node, Element], Awaitable[Answer]]
    applies: Callable[[Exchange, Node], bool]
    permission: Permission = Permission.READ


Reader = Callable[[Exchange, CollectionNode, str, "bytes | IMessageSource"], Awaitable[NewItem]]
"""What a client wants to store under a name, judged and with its facts; raises L{Fault} for what cannot be stored."""


@dataclass(frozen=True, slots=True)
class Kind:
    """
    A kind of collection.

    @ivar home: first segment of its paths.
    @ivar resource_type: C{DAV:resourcetype} of its collections, and what an extended MKCOL asks for.
    @ivar read_item: of what PUT and POST bring; C{None}: clients store nothing there.
    @ivar max_item: which key of C{[dav]} bounds an item.
    @ivar suffix: of names that we choose (RFC 5995 §3.1).
    @ivar has_inside: its collections have collections inside.
    @ivar is_synced: it answers sync-collection: all that it has are items.
    @ivar can_be_made: by clients.
    @ivar require_fit: raises when an item of another collection of the kind may not be copied into this one.
    @ivar get: GET on the collection; C{None} has nothing to show.
    @ivar uid_conflict: the precondition that two items with one UID break.
    @ivar misplaced: the precondition that a collection breaks that is copied or moved to where none of its kind can be.
    @ivar too_large: the precondition that an item breaks that is larger than C{max_item} allows.
    @ivar other_form: GET on an item whose client would rather have another media type; C{None}: as it is stored.
    @ivar components_property: the property that says, when a collection is made and never again, what may be stored
        in it.
    @ivar read_components: what its element says; raises L{Fault} for what cannot be.
    """

    kind: CollectionKind
    home: str
    resource_type: tuple[str, ...]
    read_item: Reader | None = None
    max_item: str = "max_item"
    suffix: str = ""
    has_inside: bool = False
    is_synced: bool = True
    can_be_made: bool = True
    require_fit: Callable[[CollectionNode, ItemState], None] | None = None
    get: Callable[[Exchange, CollectionNode], Awaitable[Answer]] | None = None
    uid_conflict: str = ""
    misplaced: str = ""
    too_large: str = ""
    other_form: Callable[[Exchange, ItemNode], Awaitable[Answer | None]] | None = None
    components_property: str = ""
    read_components: Callable[[Element], tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Members:
    """
    Members that an extension adds to nodes of the core.

    @ivar inside: the class of those nodes; of homes only the own one is asked.
    @ivar find: all of them, or with a name the one that has it.
    """

    inside: type[Node]
    find: Callable[[Exchange, Any, str | None], Awaitable[Sequence[Node]]]


@dataclass(frozen=True, slots=True)
class Post:
    """
    A use of POST.

    @ivar applies: to this request for this node; the first that does takes it.
    """

    applies: Callable[[Exchange, Node], bool]
    perform: Callable[[Exchange, Any], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Tables:
    """
    All rows.

    @ivar branches: first segment of a path to what it leads to, if it is there.
    @ivar compliance: what the DAV field says (RFC 4918 §10.1).
    """

    methods: Mapping[str, Method]
    properties: Mapping[str, Property]
    reports: Mapping[str, Report]
    kinds: Mapping[CollectionKind, Kind]
    branches: Mapping[str, Callable[[Exchange], Node | None]]
    compliance: tuple[str, ...]
    members: tuple[Members, ...] = ()
    posts: tuple[Post, ...] = ()
    changes: Mapping[CollectionKind, ItemChanges] = field(default_factory=dict)

    def allowed(self, node: Node) -> tuple[str, ...]:
        """The methods that apply to a node, by name."""
        return tuple(sorted(name for name, method in self.methods.items() if method.applies(node)))


@dataclass(frozen=True, slots=True)
class Rows:
    """What one extension brings; a row replaces an earlier one of the same name."""

    methods: Iterable[Method] = ()
    properties: Iterable[Property] = ()
    reports: Iterable[Report] = ()
    kinds: Iterable[Kind] = ()
    branches: Mapping[str, Callable[[Exchange], Node | None]] = field(default_factory=dict)
    compliance: tuple[str, ...] = ()
    members: Iterable[Members] = ()
    posts: Iterable[Post] = ()
    changes: Mapping[CollectionKind, ItemChanges] = field(default_factory=dict)


def joined(*extensions: Rows) -> Tables:
    """One set of tables."""
    return Tables(
        {row.name: row for rows in extensions for row in rows.methods},
        {row.name: row for rows in extensions for row in rows.properties},
        {row.name: row for rows in extensions for row in rows.reports},
        {row.kind: row for rows in extensions for row in rows.kinds},
        {name: make for rows in extensions for name, make in rows.branches.items()},
        tuple(dict.fromkeys(token for rows in extensions for token in rows.compliance)),
        tuple(row for rows in extensions for row in rows.members),
        tuple(row for rows in extensions for row in rows.posts),
        {kind: changes for rows in extensions for kind, changes in rows.changes.items()},
    )
