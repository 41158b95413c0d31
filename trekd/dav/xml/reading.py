"""
Octets to an element tree, refusing what a request body never needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from trekd.errors import LimitExceeded, SyntaxFault

MAX_DEPTH = 100
"""Elements inside elements."""
MAX_ATTRIBUTES = 100
"""Attributes of one element, namespaces included: old releases of libxml2 take the square of their number."""
MAX_NAMESPACES = 500
"""Namespace declarations in a document: looking up a prefix takes the number of those around it."""

_DECLARED = re.compile(rb"""<\?xml\s[^>]{0,200}?\bencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_ENCODINGS = {"utf-8": "", "utf8": "", "us-ascii": "", "ascii": "", "iso-8859-1": "latin-1", "windows-1252": "cp1252"}
"""Declared encodings that are read, and those of Python that are not part of UTF-8."""
_ATTRIBUTE = re.compile(rb"""\s*[^\s='"<>/]+\s*=\s*(?:"[^"]*"|'[^']*')""")
_NAME = re.compile(rb"[^\s>/]*")

Element = etree._Element


class DoctypeRefused(SyntaxFault):
    """A document type declaration, which could hold entities (RFC 4918 §20.6)."""


def parse(octets: bytes) -> Element:
    """
    Read a document; its size was bounded by whoever took the octets.

    @return: the root; comments and processing instructions are left out.
    @raise DoctypeRefused: it has a document type.
    @raise LimitExceeded: it is too deep, or an element has too many attributes.
    @raise SyntaxFault: it is not well formed.
    """
    octets = _as_utf_8(octets)
    _require_few_attributes(octets)
    parser = etree.XMLParser(
        encoding="utf-8",
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


def _as_utf_8(octets: bytes) -> bytes:
    """
    A document in the encoding in which it can be looked at before it is read.

    @raise SyntaxFault: it is in none that we know; UTF-8 and UTF-16 are what XML asks for (XML 1.0 §4.3.3).
    """
    try:
        if octets[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return octets.decode("utf-16").encode("utf-8")
        declared = _DECLARED.match(octets.removeprefix(b"\xef\xbb\xbf"))
        python = _ENCODINGS[declared[1].decode("ascii").lower()] if declared else ""
        return octets.decode(python).encode("utf-8") if python else octets
    except (UnicodeError, KeyError):
        raise SyntaxFault("XML document in UTF-8 or UTF-16") from None


def _require_few_attributes(octets: bytes) -> None:
    if octets.count(b"xmlns") > MAX_NAMESPACES:
        raise LimitExceeded(f"XML with at most {MAX_NAMESPACES} namespace declarations")
    if octets.count(b"=") <= MAX_ATTRIBUTES:
        return
    for tag in octets.split(b"<"):
        # Comments and the like have none.
        if tag[:1] in b"!?" or tag.count(b"=") <= MAX_ATTRIBUTES:
            continue
        if _attributes(tag) > MAX_ATTRIBUTES:
            raise LimitExceeded(f"XML with at most {MAX_ATTRIBUTES} attributes of an element")


def _attributes(tag: bytes) -> int:
    """How many attributes a tag has, without its opening bracket; text may follow it."""
    name = _NAME.match(tag)
    at, count = name.end() if name else 0, 0
    while (match := _ATTRIBUTE.match(tag, at)) is not None and count <= MAX_ATTRIBUTES:
        at, count = match.end(), count + 1
    return count


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
    if element is None:
        return ""
    if not len(element):
        return (element.text or "").strip()
    return "".join(map(str, element.itertext())).strip()


def serialised(element: Element) -> str:
    """An element that stands for itself: with its namespaces, and the language that it inherits (RFC 4918 §4.3)."""
    language = "{http://www.w3.org/XML/1998/namespace}lang"
    if element.get(language) is None:
        inherited = next((each.get(language) for each in element.iterancestors() if each.get(language)), None)
        if inherited is not None:
            element.set(language, inherited)
    octets = etree.tostring(element, encoding="unicode", with_tail=False)
    return str(octets)
