"""
Names as they travel: A-labels, lower case, without the dot at the end.
"""

from __future__ import annotations

import dns.exception
import dns.name
import idna

from trekd.errors import SyntaxFault


def a_name(text: str) -> str:
    """
    A name in A-labels (RFC 5890 §2.3.2.1), lower case, without the dot at the end; labels in ASCII stay what they
    are, underscores included.

    Mapped as UTS 46 says, so that what a person typed is found, then checked by IDNA2008 (RFC 5891 §4).

    @raise SyntaxFault: no name of the DNS can be written so.
    """
    try:
        mapped = text if text.isascii() else idna.uts46_remap(text, std3_rules=False, transitional=False)
        labels = [_a_label(label) for label in mapped.removesuffix(".").split(".")]
        name = ".".join(labels)
        dns.name.from_text(name + ".", origin=None)
    except (idna.IDNAError, dns.exception.DNSException, UnicodeError):
        raise SyntaxFault("domain name") from None
    return name


def _a_label(label: str) -> str:
    if not label.isascii():
        return idna.alabel(label).decode("ascii")
    if not 1 <= len(label) <= 63 or not label.isprintable() or set(label) & set(' \\"();@$'):
        raise SyntaxFault("domain name")
    return label.lower()


def wire_name(name: str) -> dns.name.Name:
    """
    A name as dnspython wants it, absolute.

    @param name: as L{a_name} gives it; C{""} is the root.
    """
    return dns.name.from_text(name + ".", origin=None)


def name_text(name: dns.name.Name) -> str:
    """
    A name of an answer as text, lower case, without the dot at the end: printable ASCII whatever is in it.

    @return: C{""} for the root.
    """
    return name.to_text(omit_final_dot=True).lower().removesuffix(".")
