"""
SASLprep (RFC 4013): the one form of a password that all its keyboards agree on, before it is turned into SCRAM keys.

Clients do the same to what is typed (RFC 5802 §2.2, RFC 7677 §4), so the outcome must be theirs to the octet.
"""

from __future__ import annotations

import stringprep
import unicodedata

from trekd.errors import SyntaxFault

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str) -> str:
    """
    Prepare a string.

    Characters that Unicode 3.2 did not have yet stay as they are, as in a query (RFC 3454 §7): passwords hold emoji
    nowadays, and a client that refuses them does not get here.

    @raise SyntaxFault: a prohibited character (RFC 4013 §2.3), or left-to-right and right-to-left mixed (RFC 3454 §6).
    """
    if text.isascii() and text.isprintable():
        return text
    mapped = "".join(map(_mapped, text))
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if any(table(character) for character in prepared for table in _PROHIBITED):
        raise SyntaxFault("password without control characters")
    if any(map(stringprep.in_table_d1, prepared)):
        _check_direction(prepared)
    return prepared


def _mapped(character: str) -> str:
    """RFC 4013 §2.1: spaces are one space, what is not seen is nothing."""
    if stringprep.in_table_c12(character):
        return " "
    return "" if stringprep.in_table_b1(character) else character


def _check_direction(prepared: str) -> None:
    ends = stringprep.in_table_d1(prepared[0]) and stringprep.in_table_d1(prepared[-1])
    if not ends or any(map(stringprep.in_table_d2, prepared)):
        raise SyntaxFault("password of one direction")
