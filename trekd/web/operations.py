"""
What C{trekctl} can ask for: one method each, values in and out as in JSON, without HTTP.

The daemon offers them on its control socket (L{trekd.web.control}); when it is down C{trekctl} calls those that need
only files in its own process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred, DeferredQueue
from twisted.logger import Logger

from trekd.config.schema import Config
from trekd.directory.interfaces import (
    Account,
    IAccountAdministration,
    IDirectory,
    IDirectoryDiagnosis,
    NewAccount,
    Status,
)
from trekd.errors import (
    MailboxExists,
    NoSuchAccount,
    NoSuchMailbox,
    NoSuchPlan,
    NotPermitted,
    SyntaxFault,
)
from trekd.portal.interfaces import ILedger
from trekd.store.interfaces import IAccountStore, IStore, NewMessage
from trekd.values import Address, MailboxName, PrincipalId
from trekd.web.messages import StoredMessage, export, read_record

Facts = Mapping[str, Any]
MAX_QUOTA = 2**53
MAX_NAME = 1000
_log = Logger()

_FIELDS = ("plan", "name", "quota", "status", "aliases", "senders", "subscription")


@dataclass(frozen=True, slots=True)
class Collaborators:
    """
    What the operations work with.

    @ivar config: gives the configuration in force.
    @ivar administration: C{None} when the directory is not ours to change.
    @ivar store: gives the store.
    @ivar quota: gives an account's quota in octets, 0 for no limit.
    @ivar ledger: C{None} when no daemon runs; likewise the others below.
    @ivar status: gives what C{trekctl status} shows beside the sessions: version, start, listeners.
    @ivar reload: gives the sections taken over, and those that need a restart.
    @ivar failures: gives failed logins that count, by address prefix or account.
    @ivar forgive: lets those of one prefix or account, or all, no longer count.
    @ivar diagnosis: C{None} when the directory has nothing to say about how it answers.
    @ivar flush: forgets what is remembered of an account, or all.
    """

    config: Callable[[], Config]
    directory: IDirectory
    administration: IAccountAdministration | None
    store: Callable[[], IStore]
    quota: Callable[[Account], int]
    ledger: ILedger | None = None
    status: Callable[[], Facts] = dict
    reload: Callable[[], tuple[tuple[str, ...], tuple[str, ...]]] = lambda: ((), ())
    failures: Callable[[], Mapping[str, int]] = dict
    forgive: Callable[[str | None], None] = lambda key: None
    diagnosis: IDirectoryDiagnosis | None = None
    flush: Callable[[Address | None], None] = lambda address: None


class Operations:
    """
    The operations.  Each takes a body (JSON, already read, or octets) and gives JSON, or an iterator of JSON or octets.

    Errors are those of L{trekd.errors}; L{SyntaxFault} for a body that is not as it should be.
    """

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators

    # The daemon

    async def status(self) -> Facts:
        """What runs, and how many sessions there are by service."""
        sessions = self._ledger().sessions()
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
        principal = None if address is None else (await self._account(address)).principal
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
            for each in self._ledger().sessions()
            if principal in (None, each.principal)
        ]

    async def limits(self, address: str | None) -> Facts:
        """Slots that accounts or subscriptions take, or one account's, and the last refusals."""
        ledger = self._ledger()
        account = None if address is None else await self._account(address)
        principal = None if account is None else account.principal
        refusals = [each for each in ledger.refusals() if principal in (None, each.principal)]
        return {
            "usage": [asdict(each) for each in ledger.usage(account)],
            "refusals": [asdict(each) for each in reversed(refusals)],
        }

    async def kick(self, body: object) -> Facts:
        """End one session, C{{"session": ID}}, or all of an account, C{{"address": ADDRESS}}."""
        wanted = _object(body, "session", "address")
        session, address = _text(wanted, "session", None), _text(wanted, "address", None)
        if (session is None) == (address is None):
            raise SyntaxFault("either a session or an address")
        principal = None if address is None else _address(address).principal
        return {"kicked": self._ledger().kick(session, principal)}

    async def reload(self) -> Facts:
        """Read configuration and certificates again."""
        self._ledger()
        taken, left = self._with.reload()
        return {"taken": taken, "restart": left}

    async def failures(self) -> Facts:
        """Failed logins that count."""
        return dict(self._with.failures())

    async def forgive(self, key: str | None) -> Facts:
        """Let failed logins no longer count."""
        self._with.forgive(key)
        return {}

    # The directory

    async def explain(self, body: object) -> list[Facts]:
        """How the directory answers for C{{"address": ADDRESS, "password": ...}}, step by step; without a password
        none is tested."""
        fields = _object(body, "address", "password")
        if self._with.diagnosis is None:
            backend = self._with.config().directory.backend
            raise NotPermitted(f"the {backend} directory has no steps to show; see trekctl account show")
        address = Address.parse(_text(fields, "address", ""))
        steps = await self._with.diagnosis.explain(address, _text(fields, "password", None))
        served = self._serving_step(address)
        return [served, *({"step": step.name, "text": step.text, "good": step.is_good} for step in steps)]

    def _serving_step(self, address: Address) -> Facts:
        try:
            self._check_served(address)
        except NotPermitted as refusal:
            return {"step": "domain", "text": f"refused before the directory is asked: {refusal}", "good": False}
        return {"step": "domain", "text": f"{address.domain} is served", "good": True}

    async def flush(self, body: object) -> Facts:
        """Forget what is remembered of C{{"address": ADDRESS}}, or without it of all."""
        self._ledger()
        address = _text(_object(body, "address"), "address", None)
        self._with.flush(None if address is None else Address.parse(address))
        return {}

    # Accounts

    async def accounts(self) -> list[Facts]:
        """All accounts by address."""
        return [_facts(account) for account in await self._administration().accounts()]

    async def account(self, address: str) -> Facts:
        """One account, with what its mail takes."""
        account = await self._account(address)
        facts = _facts(account)
        facts["effective_quota"] = self._with.quota(account)
        if account.principal in await self._with.store().accounts():
            store = await self._open(account)
            facts["octets"], facts["messages"] = await store.usage()
        return facts

    async def add(self, body: object) -> AsyncIterator[Facts]:
        """
        Add accounts, all or none.

        @param body: C{{"accounts": [{"address": ..., "password": ..., "plan": ..., "quota": ..., "name": ...}]}}.
        @return: C{{"done": n}} as it goes on, C{{"added": [ADDRESS...]}} in the end.
        """
        listed = _object(body, "accounts").get("accounts")
        if not isinstance(listed, list):
            raise SyntaxFault("a list of accounts")
        new = [self._new_account(each) for each in listed]
        async for step in _steps(self._administration(), new):
            yield step
        for each in new:
            _log.info("account {principal} added", principal=each.address.principal)
        yield {"added": [str(each.address).lower() for each in new]}

    async def change(self, address: str, body: object) -> Facts:
        """
        Change fields of an account; those not given stay.  Sessions of an account that may no longer log in end.
        """
        fields = _object(body, *_FIELDS)
        account = _changed(await self._account(address), fields)
        self._check_plan(account.plan)
        for alias in account.aliases:
            self._check_served(alias)
        await self._administration().change(account)
        _log.info("account {principal} changed: {fields}", principal=account.principal, fields=", ".join(fields))
        if "quota" in fields or "plan" in fields:
            await self._renew_quota(account)
        ended = 0
        if account.status is not Status.ACTIVE and self._with.ledger is not None:
            ended = self._with.ledger.kick(principal=account.principal)
        return {**_facts(account), "sessions_ended": ended}

    async def set_password(self, address: str, body: object) -> Facts:
        """Change a password, C{{"password": ...}}."""
        password = _text(_object(body, "password"), "password", None)
        if password is None:
            raise SyntaxFault("a password")
        parsed = _address(address)
        await self._administration().set_password(parsed, password)
        _log.info("password of {principal} changed", principal=parsed.principal)
        return {}

    async def remove(self, address: str, with_mail: bool) -> Facts:
        """Remove an account and end its sessions; with its mail when that is asked for."""
        parsed = _address(address)
        await self._administration().remove(parsed)
        _log.info("account {principal} removed", principal=parsed.principal, with_mail=with_mail)
        ended = 0 if self._with.ledger is None else self._with.ledger.kick(principal=parsed.principal)
        if with_mail:
            await self._with.store().remove(parsed.principal)
        return {"sessions_ended": ended}

    # Mail

    async def check(self, address: str | None) -> AsyncIterator[Facts]:
        """
        Verify accounts' storage.

        @return: C{{"account": ADDRESS, "complaints": [...]}} for each.
        """
        if address is None:
            principals = await self._with.store().accounts()
        else:
            principals = (await self._stored(address),)
        for principal in principals:
            store = await self._open_stored(principal)
            yield {"account": principal, "complaints": list(await store.check())}

    async def export(self, address: str) -> AsyncIterator[bytes]:
        """All mail of an account, as L{trekd.web.messages} writes it."""
        store = await self._open_stored(await self._stored(address))
        async for piece in export(store):
            yield piece

    async def append(self, address: str, mailbox: str, octets: bytes) -> Facts:
        """
        Add messages to a mailbox, all or none; it is made when it is not there.

        @param octets: message records and the end mark of L{trekd.web.messages}.
        """
        name = MailboxName(mailbox)
        messages = _messages(octets)
        store = await self._open(await self._account(address))
        await _make_mailbox(store, name)
        if messages:
            await store.append(name, messages)
        return {"appended": len(messages)}

    # What they share

    def _ledger(self) -> ILedger:
        if self._with.ledger is None:
            raise NotPermitted("no daemon runs")
        return self._with.ledger

    def _administration(self) -> IAccountAdministration:
        if self._with.administration is None:
            backend = self._with.config().directory.backend
            raise NotPermitted(f"accounts are kept in the {backend} directory; change them there")
        return self._with.administration

    async def _account(self, address: str) -> Account:
        found = await self._with.directory.find(_address(address))
        if not isinstance(found, Account):
            raise NoSuchAccount(address)
        return found

    async def _open(self, account: Account) -> IAccountStore:
        return await self._with.store().open(account.principal, self._with.quota(account))

    async def _stored(self, address: str) -> PrincipalId:
        """The account with mail that an address means; it may have left the directory."""
        parsed = _address(address)
        found = await self._with.directory.find(parsed)
        principal = found.principal if isinstance(found, Account) else parsed.principal
        if principal not in await self._with.store().accounts() and not isinstance(found, Account):
            raise NoSuchAccount(address)
        return principal

    async def _open_stored(self, principal: PrincipalId) -> IAccountStore:
        found = await self._with.directory.find(_address(principal))
        if isinstance(found, Account) and found.principal == principal:
            return await self._open(found)
        return await self._with.store().open(principal)

    async def _renew_quota(self, account: Account) -> None:
        """Let a new quota hold for sessions that have the account open."""
        if account.principal in await self._with.store().accounts():
            await self._open(account)

    def _new_account(self, body: object) -> NewAccount:
        fields = _object(body, "address", "password", "plan", "quota", "name")
        address = _address(_text(fields, "address", ""))
        self._check_served(address)
        plan = _text(fields, "plan", None) or self._with.config().directory.local.default_plan
        self._check_plan(plan)
        return NewAccount(address, plan, _text(fields, "password", None), _name(fields, ""), _quota(fields, None))

    def _check_plan(self, plan: str) -> None:
        plans = self._with.config().plans
        if plan not in plans:
            raise NoSuchPlan(f"{plan!r}; plans: {', '.join(sorted(plans))}")

    def _check_served(self, address: Address) -> None:
        domains = self._with.config().server.domains
        if address.domain not in domains and "*" not in domains:
            raise NotPermitted(f"{address}: {address.domain} is not one of [server] domains ({', '.join(domains)})")


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


async def _make_mailbox(store: IAccountStore, name: MailboxName) -> None:
    """Make a mailbox, subscribed, unless it is there."""
    try:
        await store.mailbox(name)
    except NoSuchMailbox:
        try:
            await store.create(name)
        except MailboxExists:
            return
        await store.subscribe(name)


def _messages(octets: bytes) -> list[NewMessage]:
    """Read message records up to the end mark."""
    stream, messages = BytesIO(octets), []
    while (record := read_record(stream)) is not None:
        if not isinstance(record, StoredMessage):
            raise SyntaxFault("messages only")
        messages.append(NewMessage(record.octets, b"", record.flags, record.internal_date))
    return messages


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
        plan=_text(fields, "plan", account.plan),
        display_name=_name(fields, account.display_name),
        quota=_quota(fields, account.quota),
        status=_status(fields, account.status),
        aliases=_addresses(fields, "aliases", account.aliases),
        senders=_addresses(fields, "senders", account.senders),
        subscription=_text(fields, "subscription", account.subscription),
    )


# --- JSON, not trusted to have the shape it should have --------------------------------------------


def _address(text: str) -> Address:
    try:
        return Address.parse(text)
    except SyntaxFault:
        raise SyntaxFault(f"a full mail address, not {text!r}") from None


def _object(body: object, *keys: str) -> Mapping[str, object]:
    if not isinstance(body, dict) or not body.keys() <= set(keys):
        raise SyntaxFault(f"an object with {', '.join(keys)}")
    return body


def _text(fields: Mapping[str, object], key: str, default: Any) -> Any:
    value = fields.get(key)
    if value is None:
        return default
    if not isinstance(value, str) or len(value) > 64 * 1024:
        raise SyntaxFault(f"{key} as text")
    return value


def _name(fields: Mapping[str, object], default: str) -> str:
    name: str = _text(fields, "name", default)
    if len(name) > MAX_NAME or not name.isprintable():
        raise SyntaxFault(f"name as at most {MAX_NAME} printable characters")
    return name


def _quota(fields: Mapping[str, object], default: int | None) -> int | None:
    if "quota" not in fields:
        return default
    quota = fields["quota"]
    if quota is None:
        return None
    if not isinstance(quota, int) or isinstance(quota, bool) or not 0 <= quota <= MAX_QUOTA:
        raise SyntaxFault("quota as a number of octets")
    return quota


def _status(fields: Mapping[str, object], default: Status) -> Status:
    try:
        return Status(_text(fields, "status", default.value))
    except ValueError:
        raise SyntaxFault(f"status as one of {', '.join(each.value for each in Status)}") from None


def _addresses(fields: Mapping[str, object], key: str, default: tuple[Address, ...]) -> tuple[Address, ...]:
    value = fields.get(key)
    if value is None:
        return default
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise SyntaxFault(f"{key} as a list of addresses")
    return tuple(_address(each) for each in value)
