"""
Operations on accounts of the embedded directory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, DeferredQueue
from twisted.logger import Logger

from trekd.directory.interfaces import Account, IAccountAdministration, NewAccount, Status
from trekd.errors import NoSuchPlan, SyntaxFault
from trekd.web.bodies import (
    addresses_of,
    full_address,
    name_of,
    object_of,
    quota_of,
    status_of,
    text_of,
)
from trekd.web.collaborators import Collaborators, Facts

_log = Logger()

_FIELDS = ("plan", "name", "quota", "status", "aliases", "senders", "subscription")


class AccountOperations:
    """Accounts: shown, added, changed, removed; what was changed holds at once."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators

    async def list_all(self) -> list[Facts]:
        """All accounts by address."""
        return [_facts(account) for account in await self._with.required_administration().accounts()]

    async def show(self, address: str) -> Facts:
        """One account, with what its mail takes."""
        account = await self._with.account(address)
        facts = _facts(account)
        facts["effective_quota"] = self._with.quota(account)
        if account.principal in await self._with.store().accounts():
            store = await self._with.open_store(account)
            facts["octets"], facts["messages"] = await store.usage()
        return facts

    async def add(self, body: object) -> AsyncIterator[Facts]:
        """
        Add accounts, all or none.

        @param body: C{{"accounts": [{"address": ..., "password": ..., "plan": ..., "quota": ..., "name": ...}]}}.
        @return: C{{"done": n}} as it goes on, C{{"added": [ADDRESS...]}} in the end.
        """
        listed = object_of(body, "accounts").get("accounts")
        if not isinstance(listed, list):
            raise SyntaxFault("a list of accounts")
        new = [self._new_account(each) for each in listed]
        async for step in _steps(self._with.required_administration(), new):
            yield step
        for each in new:
            _log.info("account {principal} added", principal=each.address.principal)
        yield {"added": [str(each.address).lower() for each in new]}

    async def change(self, address: str, body: object) -> Facts:
        """
        Change fields of an account; those not given stay.  Sessions of an account that may no longer log in end.
        """
        fields = object_of(body, *_FIELDS)
        account = _changed(await self._with.account(address), fields)
        self._check_plan(account.plan)
        for alias in account.aliases:
            self._with.check_served(alias)
        await self._with.required_administration().change(account)
        _log.info("account {principal} changed: {fields}", principal=account.principal, fields=", ".join(fields))
        if "quota" in fields or "plan" in fields:
            await self._renew_quota(account)
        ended = 0
        if account.status is not Status.ACTIVE and self._with.ledger is not None:
            ended = self._with.ledger.kick(principal=account.principal)
        return {**_facts(account), "sessions_ended": ended}

    async def set_password(self, address: str, body: object) -> Facts:
        """Change a password, C{{"password": ...}}."""
        password = text_of(object_of(body, "password"), "password", None)
        if password is None:
            raise SyntaxFault("a password")
        parsed = full_address(address)
        await self._with.required_administration().set_password(parsed, password)
        _log.info("password of {principal} changed", principal=parsed.principal)
        return {}

    async def remove(self, address: str, with_mail: bool) -> Facts:
        """
        Remove an account, what it has set, and its sessions; with its mail when that is asked for.

        Whoever gets the address later must not get its forwards.
        """
        parsed = full_address(address)
        await self._with.required_administration().remove(parsed)
        settings = self._with.settings()
        if settings is not None:
            await settings.forget(parsed.principal)
        _log.info("account {principal} removed", principal=parsed.principal, with_mail=with_mail)
        ended = 0 if self._with.ledger is None else self._with.ledger.kick(principal=parsed.principal)
        if with_mail:
            await self._with.store().remove(parsed.principal)
        return {"sessions_ended": ended}

    async def _renew_quota(self, account: Account) -> None:
        """Let a new quota hold for sessions that have the account open."""
        if account.principal in await self._with.store().accounts():
            await self._with.open_store(account)

    def _new_account(self, body: object) -> NewAccount:
        fields = object_of(body, "address", "password", "plan", "quota", "name")
        address = full_address(text_of(fields, "address", ""))
        self._with.check_served(address)
        plan = text_of(fields, "plan", None) or self._with.config().directory.local.default_plan
        self._check_plan(plan)
        return NewAccount(address, plan, text_of(fields, "password", None), name_of(fields, ""), quota_of(fields, None))

    def _check_plan(self, plan: str) -> None:
        plans = self._with.config().plans
        if plan not in plans:
            raise NoSuchPlan(f"{plan!r}; plans: {', '.join(sorted(plans))}")


async def _steps(administration: IAccountAdministration, new: list[NewAccount]) -> AsyncIterator[Facts]:
    """Add accounts and tell how many are done as it goes on."""
    told: DeferredQueue[int | None] = DeferredQueue()
    adding = Deferred.fromCoroutine(_add(administration, new, told))
    while (done := await told.get()) is not None:
        yield {"done": done}
    await adding


async def _add(administration: IAccountAdministration, new: list[NewAccount], told: Any) -> None:
    try:
        await administration.add(new, told.put)
    finally:
        told.put(None)


def _facts(account: Account) -> dict[str, Any]:
    """An account as JSON."""
    return {
        "address": str(account.address),
        "plan": account.plan,
        "name": account.display_name,
        "quota": account.quota,
        "status": account.status.value,
        "aliases": [str(alias) for alias in account.aliases],
        "senders": [str(sender) for sender in account.senders],
        "subscription": account.subscription,
    }


def _changed(account: Account, fields: Mapping[str, object]) -> Account:
    """An account with the fields given."""
    return replace(
        account,
        plan=text_of(fields, "plan", account.plan),
        display_name=name_of(fields, account.display_name),
        quota=quota_of(fields, account.quota),
        status=status_of(fields, account.status),
        aliases=addresses_of(fields, "aliases", account.aliases),
        senders=addresses_of(fields, "senders", account.senders),
        subscription=text_of(fields, "subscription", account.subscription),
    )
