"""
May this principal do this to this mailbox or collection?  The one place that answers (STYLE §7).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Flag, auto

from trekd.directory.interfaces import Account
from trekd.store.collections import EVERYONE, Right
from trekd.values import Address, PrincipalId


class Permission(Flag):
    """What somebody may do; protocols show views of it (RFC 3744 §3, RFC 4314 §2.1)."""

    NONE = 0
    SEE_BUSY = auto()  # when its owner is busy
    READ = auto()  # everything in it
    WRITE_CONTENT = auto()  # change items that are there
    WRITE_PROPERTIES = auto()  # what is kept beside the content
    BIND = auto()  # add items
    UNBIND = auto()  # remove items
    UNLOCK = auto()  # end what others have locked
    READ_ACL = auto()  # see who else may do what
    WRITE_ACL = auto()  # and say so
    WRITE = WRITE_CONTENT | WRITE_PROPERTIES | BIND | UNBIND
    OWN = UNLOCK | READ_ACL | WRITE_ACL  # change the whole of it, remove it


VISIT = Permission.SEE_BUSY | Permission.READ
"""Look at everything, change nothing."""
ALL = VISIT | Permission.WRITE | Permission.OWN

GIVEN: Mapping[Right, Permission] = {
    Right.FREEBUSY: Permission.SEE_BUSY,
    Right.READ: VISIT,
    Right.WRITE: VISIT | Permission.WRITE,
}
"""What each right allows."""


def permissions(
    principal: PrincipalId, owner: PrincipalId | None, *grants: Mapping[PrincipalId, Right]
) -> Permission:
    """
    What a principal may do with something.

    @param owner: whose it is; C{None} for what the host itself shows to every account.
    @param grants: what the owner gave to others, for the thing itself and for what is around it: they add up.
    """
    if owner is None:
        return VISIT
    if principal == owner:
        return ALL
    found = Permission.NONE
    for given in grants:
        for grantee in (principal, EVERYONE):
            if grantee in given:
                found |= GIVEN[given[grantee]]
    return found


def may_know(asker: Account, address: Address, scope: str) -> bool:
    """
    Whether an account may learn that an address is somebody's, and whose.

    @param scope: C{[dav] directory_book}: C{all} shows everybody; else it is those in the domains of one's own
        addresses, who with C{off} have to be known already: nobody is found by searching.
    """
    own = {each.domain for each in (asker.address, *asker.aliases)}
    return scope == "all" or address.domain in own


def right_for(allowed: Permission) -> Right | None:
    """The right that allows exactly this; C{None}: there is none, so nobody can be given it."""
    return next((right for right, permission in GIVEN.items() if permission == allowed), None)
