"""
A signer for hosts whose mail carries no signature.
"""

from __future__ import annotations

from zope.interface import implementer

from trekd.mailauth.interfaces import ISigner
from trekd.store.interfaces import IMessageSource


@implementer(ISigner)
class Unsigned:
    """Has no key for any domain."""

    async def sign(self, domain: str, message: IMessageSource) -> bytes:
        """See L{ISigner.sign}."""
        return b""
