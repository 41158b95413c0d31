"""
Sync tokens: URIs that name a collection and where a client's copy of it stands (RFC 6578 §4).
"""

from __future__ import annotations

from trekd.errors import SyncTokenExpired
from trekd.store.collections import CollectionState
from trekd.values import ModSeq

_PREFIX = "data:,"


def sync_token(state: CollectionState, modseq: ModSeq) -> str:
    """The token for a copy as of a modification sequence."""
    return f"{_PREFIX}{state.id}:{modseq}"


def sync_token_of(state: CollectionState) -> str:
    """The token for a copy that has everything."""
    return sync_token(state, state.modseq)


def ctag_of(state: CollectionState) -> str:
    """Changes whenever anything in the collection does (caldav-ctag §4)."""
    return f"{state.id}:{state.modseq}"


def since(token: str, state: CollectionState) -> ModSeq:
    """
    Where a client stands; nowhere without a token.

    @raise SyncTokenExpired: the token is none of this collection's.
    """
    if not token:
        return ModSeq(0)
    head, colon, number = token.rpartition(":")
    known = head == f"{_PREFIX}{state.id}" and number.isascii() and number.isdecimal() and len(number) < 19
    if not (colon and known) or number.startswith("0"):
        raise SyncTokenExpired(token[:100])
    return ModSeq(int(number))
