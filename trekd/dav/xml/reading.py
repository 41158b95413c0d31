"""
Octets to an element tree, refusing what a request body never needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lxml import etree

from trekd.errors import LimitExceeded, SyntaxFault

MAX_DEPTH = 100
"""Elements inside elements."""

Element = etree._Element


class DoctypeRefused(SyntaxFault):
    """A document type declaration, which could hold entities (RFC 4918 §20.6)."""


def parse(octets: bytes) -> Element:
    """
    Read a document; its size was bounded by whoever took the octets.

    @return: the root; comments and processing instructions are left out.
    @raise DoctypeRefused: it has a document type.
    @raise LimitExceeded: it is too deep.
    @raise SyntaxFault: it is not well formed.
    """
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(octets, parser)
    except etree.XMLSyntaxError as error:
        if b"<!DOCTYPE" in octets:
            raise DoctypeRefused("XML document without a document type") from None
        raise _fault(error) from None
    except (ValueError, LookupError):
        raise SyntaxFault("XML document") from None
    docinfo: Any = root.getroottree().docinfo
    if docinfo.doctype:
        raise DoctypeRefused("XML document without a document type")
    _require_shallow(root)
    return root


def _fault(error: etree.XMLSyntaxError) -> SyntaxFault:
    """What was wrong, without the document's own words."""
    if "depth" in str(error).lower():
        return LimitExceeded(f"XML at most {MAX_DEPTH} elements deep")
    return SyntaxFault("well-formed XML document", max(getattr(error, "offset", 0) or 0, 0))


def _require_shallow(root: Element) -> None:
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            raise LimitExceeded(f"XML at most {MAX_DEPTH} elements deep")


def elements(parent: Element) -> Iterator[Element]:
    """The elements right inside one."""
    return (child for child in parent if isinstance(child.tag, str))


def child(parent: Element, name: str) -> Element | None:
    """The first element of that name right inside."""
    return parent.find(name)


def names(parent: Element | None) -> tuple[str, ...]:
    """The names of the elements right inside, each once, in order."""
    return () if parent is None else tuple(dict.fromkeys(str(each.tag) for each in elements(parent)))


def text(element: Element | None) -> str:
    """The character data right inside, without white space at its ends; '' for no element."""
    return "" if element is None else "".join(map(str, element.itertext())).strip()


def serialised(element: Element) -> str:
    """An element that stands for itself: with its namespaces, and the language that it inherits (RFC 4918 §4.3)."""
    language = "{http://www.w3.org/XML/1998/namespace}lang"
    if element.get(language) is None:
        inherited = next((each.get(language) for each in element.iterancestors() if each.get(language)), None)
        if inherited is not None:
            element.set(language, inherited)
    octets = etree.tostring(element, encoding="unicode", with_tail=False)
    return str(octets)
