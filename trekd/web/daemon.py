"""
Operations on the daemon itself: its sessions and limits, failed logins, the configuration, what is remembered of the
directory.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

from trekd.directory.interfaces import Account
from trekd.errors import NotPermitted, SyntaxFault, Unavailable
from trekd.values import Address, PrincipalId
from trekd.web.bodies import full_address, object_of, text_of
from trekd.web.collaborators import Collaborators, Facts


class DaemonOperations:
    """What needs a running daemon, except L{explain}, which needs only a directory."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators

    async def status(self) -> Facts:
        """What runs, and how many sessions there are by service."""
        sessions = self._with.required_ledger().sessions()
        return {
            **self._with.status(),
            "sessions": {
                "total": len(sessions),
                "logged_in": sum(each.principal is not None for each in sessions),
                "services": dict(sorted(Counter(each.service for each in sessions).items())),
            },
        }

    async def sessions(self, address: str | None) -> list[Facts]:
        """All sessions, oldest first, or those of one account."""
        principal = None if address is None else (await self._with.account(address)).principal
        return [
            {
                "session": each.session,
                "service": each.service,
                "peer": each.peer,
                "account": each.principal,
                "plan": each.plan,
                "since": each.since,
                **each.details,
            }
            for each in self._with.required_ledger().sessions()
            if principal in (None, each.principal)
        ]

    async def limits(self, address: str | None) -> Facts:
        """Slots that accounts or subscriptions take, or one account's, and the last refusals."""
        ledger = self._with.required_ledger()
        account = None if address is None else await self._with.account(address)
        principal = None if account is None else account.principal
        refusals = [each for each in ledger.refusals() if principal in (None, each.principal)]
        return {
            "usage": [asdict(each) for each in ledger.usage(account)],
            "refusals": [asdict(each) for each in reversed(refusals)],
        }

    async def kick(self, body: object) -> Facts:
        """End one session, C{{"session": ID}}, or all of an account, C{{"address": ADDRESS}}."""
        wanted = object_of(body, "session", "address")
        session, address = text_of(wanted, "session", None), text_of(wanted, "address", None)
        if (session is None) == (address is None):
            raise SyntaxFault("either a session or an address")
        principal = None if address is None else await self._principal(address)
        return {"kicked": self._with.required_ledger().kick(session, principal)}

    async def _principal(self, address: str) -> PrincipalId:
        """Whom an address or alias means; as typed when the directory knows it no more, or is down."""
        parsed = full_address(address)
        try:
            found = await self._with.directory.find(parsed)
        except Unavailable:
            found = None
        return found.principal if isinstance(found, Account) else parsed.principal

    async def reload(self) -> Facts:
        """Read configuration and certificates again."""
        self._with.required_ledger()
        taken, left = self._with.reload()
        return {"taken": taken, "restart": left}

    async def failures(self) -> Facts:
        """Failed logins that count."""
        return dict(self._with.failures())

    async def forgive(self, key: str | None) -> Facts:
        """Let failed logins no longer count."""
        self._with.forgive(key)
        return {}

    async def explain(self, body: object) -> list[Facts]:
        """How the directory answers for C{{"address": ADDRESS, "password": ...}}, step by step; without a password
        none is tested."""
        fields = object_of(body, "address", "password")
        if self._with.diagnosis is None:
            backend = self._with.config().directory.backend
            raise NotPermitted(f"the {backend} directory has no steps to show; see trekctl account show")
        address = Address.parse(text_of(fields, "address", ""))
        steps = await self._with.diagnosis.explain(address, text_of(fields, "password", None))
        served = self._serving_step(address)
        return [served, *({"step": step.name, "text": step.text, "good": step.is_good} for step in steps)]

    def _serving_step(self, address: Address) -> Facts:
        try:
            self._with.check_served(address)
        except NotPermitted as refusal:
            return {"step": "domain", "text": f"refused before the directory is asked: {refusal}", "good": False}
        return {"step": "domain", "text": f"{address.domain} is served", "good": True}

    async def flush(self, body: object) -> Facts:
        """Forget what is remembered of C{{"address": ADDRESS}}, or without it of all."""
        self._with.required_ledger()
        address = text_of(object_of(body, "address"), "address", None)
        self._with.flush(None if address is None else Address.parse(address))
        return {}
