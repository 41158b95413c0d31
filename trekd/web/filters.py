"""
What C{trekctl forward} and C{trekctl vacation} can ask for.
"""

from __future__ import annotations

from trekd.directory.interfaces import Account
from trekd.errors import Refused, SyntaxFault
from trekd.filters.interfaces import DAYS, Forwarding, Vacation
from trekd.values import PrincipalId
from trekd.web.bodies import addresses_of, full_address, object_of, text_of
from trekd.web.collaborators import Collaborators, Facts

_MAX_TIME = 2**40
"""Unix seconds that nobody lives to see."""


class FilterOperations:
    """See L{trekd.web.operations}."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators

    async def forwarding(self, address: str) -> Facts:
        """Where an account's mail goes, and who says so: C{trekctl}, the C{directory} or nobody."""
        account = await self._with.account(address)
        chosen = await self._with.required_settings().forwarding(account.principal)
        if chosen is not None:
            return _forwarding_facts(account, chosen, "trekctl")
        if account.forwards:
            return _forwarding_facts(account, Forwarding(account.forwards, account.forward_keep), "directory")
        return {"account": account.principal, "set_by": None, "targets": [], "keep": True}

    async def set_forwarding(self, address: str, body: object) -> Facts:
        """
        Forward to C{targets}, with C{keep} also into the mailbox.

        @raise SyntaxFault: the targets are none, too many, or no addresses.
        """
        fields = object_of(body, "targets", "keep")
        keep = fields.get("keep", False)
        if not isinstance(keep, bool):
            raise SyntaxFault("keep as true or false")
        account = await self._with.account(address)
        forwarding = Forwarding(tuple(dict.fromkeys(addresses_of(fields, "targets", ()))), keep)
        if forwarding.targets == (account.address,):
            raise SyntaxFault("another address than the account's own")
        await self._with.required_settings().set_forwarding(account.principal, forwarding)
        return _forwarding_facts(account, forwarding, "trekctl")

    async def end_forwarding(self, address: str) -> Facts:
        """Forward no more, but for what the directory says."""
        principal = await self._principal(address)
        await self._with.required_settings().set_forwarding(principal, None)
        return {"account": principal}

    async def vacation(self, address: str) -> Facts:
        """An account's automatic answer, and who says so."""
        account = await self._with.account(address)
        chosen = await self._with.required_settings().vacation(account.principal)
        if chosen is not None:
            return _vacation_facts(account, chosen, "trekctl")
        if account.vacation:
            return _vacation_facts(account, Vacation(account.vacation), "directory")
        return {"account": account.principal, "set_by": None, "text": ""}

    async def set_vacation(self, address: str, body: object) -> Facts:
        """
        Answer with C{text}, from C{since} until C{until} (Unix seconds).

        @raise SyntaxFault: a field is not as it should be.
        """
        fields = object_of(body, "text", "subject", "since", "until", "days")
        text = text_of(fields, "text", "").replace("\r\n", "\n").replace("\r", "\n")
        subject = text_of(fields, "subject", "")
        since, until = _number(fields, "since", 0), _number(fields, "until", 0)
        vacation = Vacation(text, subject, since, until, _number(fields, "days", DAYS))
        account = await self._with.account(address)
        await self._with.required_settings().set_vacation(account.principal, vacation)
        return _vacation_facts(account, vacation, "trekctl")

    async def end_vacation(self, address: str) -> Facts:
        """Answer no more, but for what the directory says."""
        principal = await self._principal(address)
        await self._with.required_settings().set_vacation(principal, None)
        return {"account": principal}

    async def _principal(self, address: str) -> PrincipalId:
        """An account, which may have left the directory."""
        try:
            return (await self._with.account(address)).principal
        except Refused:
            return full_address(address).principal


def _number(fields: Facts, key: str, default: int) -> int:
    value = fields.get(key)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_TIME:
        raise SyntaxFault(f"{key} as a number")
    return value


def _forwarding_facts(account: Account, forwarding: Forwarding, by: str) -> Facts:
    return {
        "account": account.principal,
        "set_by": by,
        "targets": [str(one) for one in forwarding.targets],
        "keep": forwarding.keep,
    }


def _vacation_facts(account: Account, vacation: Vacation, by: str) -> Facts:
    return {
        "account": account.principal,
        "set_by": by,
        "subject": vacation.subject,
        "text": vacation.text,
        "since": vacation.since or None,
        "until": vacation.until or None,
        "days": vacation.days,
    }
