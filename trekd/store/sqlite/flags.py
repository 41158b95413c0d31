"""
Flags as they are stored: bits for those that queries ask for, and the wire-ready list.
"""

from __future__ import annotations

from functools import lru_cache

from trekd.store.interfaces import FlagOperation
from trekd.store.rendering import flag_list
from trekd.values import SYSTEM_FLAGS, Flag

BITS = {Flag(flag): 1 << place for place, flag in enumerate(SYSTEM_FLAGS)}
DELETED_BIT = 4
SEEN_BIT = 8
KEYWORD_BIT = 1 << len(SYSTEM_FLAGS)
"""Set when there is at least one keyword."""


def bits(flags: frozenset[Flag]) -> int:
    """The bits of a set of flags."""
    found = 0
    for flag in flags:
        found |= BITS.get(flag, KEYWORD_BIT)
    return found


def wire(flags: frozenset[Flag]) -> str:
    """The column C{flags}: the list as it goes on the wire."""
    return flag_list(flags).decode("ascii")


@lru_cache(4096)
def parsed(text: str) -> frozenset[Flag]:
    """The flags of a stored list."""
    return frozenset(map(Flag, text[1:-1].split()))


def changed(before: frozenset[Flag], operation: FlagOperation, flags: frozenset[Flag]) -> frozenset[Flag]:
    """What STORE makes of a message's flags (RFC 3501 §6.4.6)."""
    match operation:
        case FlagOperation.ADD:
            return before | flags
        case FlagOperation.REMOVE:
            return before - flags
        case FlagOperation.REPLACE:
            return flags
