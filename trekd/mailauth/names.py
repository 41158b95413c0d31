"""
Domain names as they stand in DNS and in signatures.
"""

from __future__ import annotations

import re

import idna

from trekd.errors import SyntaxFault

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")

_VISIBLE = re.compile(r"[ -\[\]-~]+")


def ascii_domain(text: str) -> str:
    """
    A domain in lower case, with A-labels (RFC 5890 §2.3.2.1, RFC 5891 §4), without a dot at the end.

    @raise SyntaxFault: it cannot be a domain.
    """
    name = text.lower().removesuffix(".")
    if len(name) > 253:
        raise SyntaxFault("domain")
    if not name.isascii():
        try:
            mapped = idna.uts46_remap(name, std3_rules=False, transitional=False).removesuffix(".")
            name = ".".join([label if label.isascii() else idna.alabel(label).decode() for label in mapped.split(".")])
        except UnicodeError:
            raise SyntaxFault("domain") from None
    if not name or len(name) > 253 or not all(map(_LABEL.fullmatch, name.split("."))):
        raise SyntaxFault("domain")
    return name


def looked_up(text: str) -> str:
    """
    A name to ask for, which may have characters that no domain has (RFC 7208 §4.8, RFC 2181 §11), in lower case.

    @raise SyntaxFault: nobody can have that name.
    """
    name = text.lower().removesuffix(".")
    if not _VISIBLE.fullmatch(name):
        return ascii_domain(name)
    if len(name) > 253 or not all(0 < len(label) < 64 for label in name.split(".")):
        raise SyntaxFault("domain")
    return name


def is_within(domain: str, parent: str) -> bool:
    """Whether a domain is another one or below it; both as L{ascii_domain} gives them."""
    return domain == parent or domain.endswith("." + parent)
