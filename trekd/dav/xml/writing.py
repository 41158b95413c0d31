"""
Elements as octets: answers are concatenated, never built as trees.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from trekd.dav.xml.names import PREFIXES, dav, split

_HEAD = b'<?xml version="1.0" encoding="utf-8"?>\n'
_DECLARED = "".join(f' xmlns:{prefix}="{namespace}"' for namespace, prefix in PREFIXES.items()).encode()
_IMPOSSIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that no document can hold, escaped or not (XML 1.0 §2.2)."""


def escape(text: str) -> bytes:
    """Text as character data or attribute value; what XML cannot hold becomes U+FFFD."""
    if _IMPOSSIBLE.search(text):
        text = _IMPOSSIBLE.sub("\ufffd", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;").replace("\r", "&#13;").encode()


@lru_cache(1000)
def tags(name: str) -> tuple[bytes, bytes]:
    """
    The opening and the closing tag of an element.

    @param name: expanded; one of a namespace without prefix declares it itself.
    """
    namespace, local = split(name)
    prefix = PREFIXES.get(namespace)
    if prefix is not None:
        word = f"{prefix}:{local}".encode()
        return b"<" + word + b">", b"</" + word + b">"
    if not namespace:
        return b"<" + local.encode() + b">", b"</" + local.encode() + b">"
    word = f"X:{local}".encode()
    return b"<" + word + b' xmlns:X="' + escape(namespace) + b'">', b"</" + word + b">"


def element(name: str, content: bytes = b"") -> bytes:
    """An element with its content, which is XML already."""
    opening, closing = tags(name)
    return opening + content + closing if content else opening[:-1] + b"/>"


def attribute_element(name: str, attributes: Mapping[str, str], content: bytes = b"") -> bytes:
    """An element with attributes of no namespace."""
    opening, closing = tags(name)
    written = b"".join(b" %b=\"%b\"" % (key.encode(), escape(value)) for key, value in attributes.items())
    return opening[:-1] + written + (b">" + content + closing if content else b"/>")


def standalone(name: str, content: bytes = b"") -> str:
    """An element as properties are kept: it declares its own prefix and those of what is in it."""
    whole = element(name, content)
    used = {prefix: uri for uri, prefix in PREFIXES.items() if f"<{prefix}:".encode() in whole}
    declared = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in used.items()).encode()
    end = len(tags(name)[0]) - 1
    return (whole[:end] + declared + whole[end:]).decode()


def text_element(name: str, text: str) -> bytes:
    """An element with text in it."""
    return element(name, escape(text))


def href(path: bytes) -> bytes:
    """C{DAV:href} of a path or URI, percent-encoded (RFC 4918 §8.3)."""
    return element(dav("href"), path.replace(b"&", b"&amp;").replace(b"<", b"&lt;"))


def opening(name: str) -> bytes:
    """The beginning of a document with that root; it declares every prefix."""
    return _HEAD + tags(name)[0][:-1] + _DECLARED + b">"


def document(name: str, content: bytes) -> bytes:
    """A whole document."""
    return opening(name) + content + tags(name)[1]
