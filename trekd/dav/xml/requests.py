"""
The request bodies of RFC 4918 and its extensions as frozen values.

Elements that nobody knows are ignored (RFC 4918 §17).
"""

from __future__ import annotations

from dataclasses import dataclass

from trekd.dav.xml.names import dav
from trekd.dav.xml.reading import Element, child, elements, names, serialised, text
from trekd.errors import SyntaxFault


@dataclass(frozen=True, slots=True)
class PropertiesWanted:
    """
    What PROPFIND, or a report, asks for (RFC 4918 §9.1).

    @ivar names: expanded names, each once; with C{is_all} those asked for beside all (C{include}).
    @ivar is_all: all that C{allprop} means.
    @ivar names_only: no values.
    """

    names: tuple[str, ...] = ()
    is_all: bool = False
    names_only: bool = False


ALL_PROPERTIES = PropertiesWanted(is_all=True)


def properties_wanted(root: Element | None) -> PropertiesWanted:
    """
    Read C{prop}, C{allprop} or C{propname} inside C{propfind} or a report.

    @param root: C{None} for no body, which asks for all.
    @raise SyntaxFault: it holds none of the three, or several.
    """
    if root is None:
        return ALL_PROPERTIES
    forms = [form for form in ("prop", "allprop", "propname") if child(root, dav(form)) is not None]
    if len(forms) != 1:
        raise SyntaxFault("one of prop, allprop and propname")
    if forms == ["prop"]:
        return PropertiesWanted(names(child(root, dav("prop"))))
    if forms == ["propname"]:
        return PropertiesWanted(is_all=True, names_only=True)
    return PropertiesWanted(names(child(root, dav("include"))), is_all=True)


def propfind(root: Element | None) -> PropertiesWanted:
    """
    @raise SyntaxFault: it is no C{propfind}.
    """
    if root is not None and root.tag != dav("propfind"):
        raise SyntaxFault("propfind")
    return properties_wanted(root)


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """
    One property that PROPPATCH sets or removes.

    @ivar element: the new value; C{None} removes.
    """

    name: str
    element: Element | None

    @property
    def serialised(self) -> str:
        """The new value as it is stored."""
        return "" if self.element is None else serialised(self.element)


def propertyupdate(root: Element) -> tuple[PropertyChange, ...]:
    """
    The changes in document order (RFC 4918 §9.2).

    @raise SyntaxFault: it is no C{propertyupdate}, or changes nothing.
    """
    if root.tag != dav("propertyupdate"):
        raise SyntaxFault("propertyupdate")
    changes = _changes(root)
    if not changes:
        raise SyntaxFault("set or remove")
    return changes


def mkcol(root: Element, name: str = dav("mkcol")) -> tuple[PropertyChange, ...]:
    """
    The properties of a collection that is to be made (RFC 5689 §3).

    @raise SyntaxFault: the root has another name.
    """
    if root.tag != name:
        raise SyntaxFault("mkcol")
    return tuple(change for change in _changes(root) if change.element is not None)


def _changes(root: Element) -> tuple[PropertyChange, ...]:
    changes = []
    for instruction in elements(root):
        if instruction.tag in (dav("set"), dav("remove")):
            for prop in instruction.findall(dav("prop")):
                kept = instruction.tag == dav("set")
                changes += [PropertyChange(str(each.tag), each if kept else None) for each in elements(prop)]
    return tuple(changes)


@dataclass(frozen=True, slots=True)
class LockWanted:
    """
    What LOCK asks for (RFC 4918 §14.11).

    @ivar owner: C{DAV:owner} as it was sent, '' for none.
    """

    is_exclusive: bool
    owner: str


def lockinfo(root: Element) -> LockWanted:
    """
    @raise SyntaxFault: it is no C{lockinfo}, or asks for another lock than a write lock.
    """
    scope, kind = child(root, dav("lockscope")), child(root, dav("locktype"))
    if root.tag != dav("lockinfo") or names(kind) != (dav("write"),):
        raise SyntaxFault("lockinfo for a write lock")
    if names(scope) not in ((dav("exclusive"),), (dav("shared"),)):
        raise SyntaxFault("lockscope")
    owner = child(root, dav("owner"))
    return LockWanted(names(scope) == (dav("exclusive"),), "" if owner is None else serialised(owner))


@dataclass(frozen=True, slots=True)
class SyncWanted:
    """
    What a sync-collection report asks for (RFC 6578 §3.2).

    @ivar token: '' for the first time.
    @ivar level: C{1} or C{infinite}; '' when it was not said.
    @ivar limit: members at most; C{None} for no limit.
    """

    token: str
    level: str
    limit: int | None
    properties: PropertiesWanted


def sync_collection(root: Element) -> SyncWanted:
    """
    @raise SyntaxFault: the limit is no positive number, or no properties are asked for.
    """
    limit = child(root, dav("limit"))
    nresults = None if limit is None else text(child(limit, dav("nresults")))
    if nresults is not None and not (nresults.isascii() and nresults.isdecimal() and int(nresults[:18]) > 0):
        raise SyntaxFault("nresults")
    return SyncWanted(
        text(child(root, dav("sync-token"))),
        text(child(root, dav("sync-level"))),
        None if nresults is None else int(nresults[:18]),
        PropertiesWanted(names(child(root, dav("prop")))),
    )
