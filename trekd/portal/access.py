"""
May this principal do this to this mailbox or collection?  The one place that answers (STYLE §7).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Flag, auto

from trekd.store.collections import EVERYONE, Right
from trekd.values import PrincipalId


class Permission(Flag):
    """What somebody may do; protocols show views of it (RFC 3744 §3, RFC 4314 §2.1)."""

    NONE = 0
    SEE_BUSY = auto()  # when its owner is busy
    READ = auto()  # everything in it
    WRITE = auto()  # change, add and remove items
    OWN = auto()  # change it itself, remove it, say who else may do what


ALL = Permission.SEE_BUSY | Permission.READ | Permission.WRITE | Permission.OWN

_GIVEN: Mapping[Right, Permission] = {
    Right.FREEBUSY: Permission.SEE_BUSY,
    Right.READ: Permission.SEE_BUSY | Permission.READ,
    Right.WRITE: Permission.SEE_BUSY | Permission.READ | Permission.WRITE,
}


def permissions(
    principal: PrincipalId, owner: PrincipalId | None, grants: Mapping[PrincipalId, Right] | None = None
) -> Permission:
    """
    What a principal may do with something.

    @param owner: whose it is; C{None} for what the host itself shows to every account.
    @param grants: what the owner gave to others.
    """
    if owner is None:
        return Permission.READ
    if principal == owner:
        return ALL
    given = grants or {}
    found = Permission.NONE
    for grantee in (principal, EVERYONE):
        if grantee in given:
            found |= _GIVEN[given[grantee]]
    return found
