"""
Text as it is compared: collations (RFC 4790, RFC 5051).
"""

from __future__ import annotations

import string
import unicodedata

_ASCII_UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)

COLLATIONS = ("i;ascii-casemap", "i;octet", "i;unicode-casemap")
"""What L{collated} knows."""


def fold(text: str) -> str:
    """
    C{i;unicode-casemap}: two texts match when their folded forms do; folding twice changes nothing.

    Deviates from RFC 5051 §2: cases are folded, not mapped to title case, so that a sharp s is found by C{ss} and a
    ligature by its letters.
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())


def collated(text: str, collation: str) -> str:
    """
    A text in the form in which a collation compares.

    @param collation: one of L{COLLATIONS}.
    """
    if collation == "i;unicode-casemap":
        return fold(text)
    return text.translate(_ASCII_UPPER) if collation == "i;ascii-casemap" else text
