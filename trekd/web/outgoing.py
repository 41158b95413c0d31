"""
Operations on mail to other servers: users' own SMTP providers (C{trekctl smtp}), and what accounts sent
(C{trekctl usage}).

A profile is tested before it is saved: what does not work is not stored, unless that is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from ipaddress import ip_address
from typing import Any

from twisted.logger import Logger

from trekd.config.kinds import HOSTNAME
from trekd.errors import NoSuchAccount, NoSuchProfile, NotPermitted, ProfileExists, SyntaxFault
from trekd.queue.interfaces import IUsage
from trekd.relay.interfaces import (
    EVERYBODY,
    IProfileAdministration,
    Profile,
    ProfileRecord,
    ProfileSettings,
    TLSMode,
)
from trekd.web.bodies import full_address, object_of, text_of
from trekd.web.collaborators import Collaborators, Facts

_log = Logger()

_FIELDS = ("owner", "host", "port", "tls", "user", "sender", "password", "test")
_PORTS = {TLSMode.IMPLICIT: 465, TLSMode.STARTTLS: 587}
_MOST = 1000
SERVER = "server"
"""In place of a profile: the server's own way."""
INHERIT = "inherit"
"""In place of a profile: what the domain, or the default, says."""


class OutgoingOperations:
    """See L{Operations<trekd.web.operations.Operations>}."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators

    # What accounts sent

    async def usage(self, address: str) -> Facts:
        """What an account sent and may send; the instants are C{None} where it may send now."""
        account = await self._with.account(address)
        usage = await self._usage().of(account)
        facts = asdict(usage)
        for key, counts in (("messages_free", (usage.hour, usage.day)), ("newcomers_free", (usage.newcomers,))):
            if all(not each.allowed or each.used < each.allowed for each in counts):
                facts[key] = None
        return {"account": facts.pop("principal"), "plan": account.plan, **facts}

    async def top(self, most: str) -> list[Facts]:
        """Who sent most in the last 24 hours."""
        if not most.isascii() or not most.isdigit() or not 1 <= int(most[:9]) <= _MOST:
            raise SyntaxFault(f"a number from 1 to {_MOST}")
        rows = await self._usage().top(int(most))
        return [{"account": principal, "messages": messages, "newcomers": new} for principal, messages, new in rows]

    # Profiles

    async def profiles(self) -> list[Facts]:
        """All profiles by name."""
        return [self._facts(record) for record in await self._administration().profiles()]

    async def profile(self, name: str) -> Facts:
        """One profile."""
        return self._facts(await self._record(name))

    async def add(self, body: object) -> Facts:
        """
        Test a profile and save it when it works.

        @param body: C{name}, C{host}, C{password}, and what of C{owner}, C{port}, C{tls}, C{user} and C{sender} is not
            the default; with C{"test": false} it is saved unseen.
        @return: C{saved}, C{steps} of the test, and the C{profile} when it was saved.
        """
        fields = object_of(body, "name", *_FIELDS)
        name, tls = text_of(fields, "name", ""), _tls(fields, TLSMode.IMPLICIT)
        blank = ProfileSettings(name, "", "", _PORTS[tls], tls)
        settings = await self._settings(blank, fields)
        if not settings.host:
            raise SyntaxFault("a host")
        if any(record.name == name for record in await self._administration().profiles()):
            raise ProfileExists(name)
        secret = text_of(fields, "password", "")
        steps, is_good = await self._tested(await self._administration().trial(settings, secret), fields)
        if is_good:
            await self._administration().add(settings, secret)
            _log.info("SMTP profile {profile} added", profile=name)
        return await self._saved(name, steps, is_good)

    async def change(self, name: str, body: object) -> Facts:
        """Test a profile with the fields given and save it when it works; the others stay.  See L{add}."""
        fields = object_of(body, *_FIELDS)
        old = (await self._record(name)).settings
        settings = await self._settings(old, fields)
        if settings.tls is not old.tls and "port" not in fields and old.port == _PORTS[old.tls]:
            settings = replace(settings, port=_PORTS[settings.tls])
        secret = text_of(fields, "password", None)
        steps, is_good = await self._tested(await self._administration().trial(settings, secret), fields)
        if is_good:
            await self._administration().change(settings, secret)
            _log.info("SMTP profile {profile} changed: {fields}", profile=name, fields=", ".join(fields))
        return await self._saved(name, steps, is_good)

    async def test(self, name: str) -> Facts:
        """Test a profile as it is; one that works has its lane open again."""
        record = await self._record(name)
        steps, is_good = await self._tested(await self._administration().trial(record.settings, None), {})
        if is_good:
            self._administration().tell(name)
        return {"works": is_good, "steps": steps}

    async def remove(self, name: str) -> Facts:
        """Remove a profile that nobody uses."""
        await self._administration().remove(name)
        _log.info("SMTP profile {profile} removed", profile=name)
        return {}

    async def use(self, name: str, body: object) -> Facts:
        """
        Say whose mail takes a profile: C{{"mailbox": ADDRESS}}, C{{"domain": DOMAIN}} or C{{"default": true}}.

        @param name: a profile; L{SERVER} or L{INHERIT}.
        """
        subject = await self._subject(object_of(body, "mailbox", "domain", "default"), may_be_gone=name == INHERIT)
        profile = {SERVER: "", INHERIT: None}.get(name, name)
        await self._administration().use(subject, profile)
        _log.info("mail of {subject} takes SMTP profile {profile}", subject=subject, profile=name)
        return {"subject": subject, "profile": name}

    async def rekey(self) -> Facts:
        """Seal all passwords with a new key."""
        lost = await self._administration().rekey()
        _log.info("passwords of SMTP profiles are sealed with a new key")
        return {"lost": list(lost)}

    # What they share

    def _administration(self) -> IProfileAdministration:
        if self._with.profiles is None:
            raise NotPermitted("no daemon runs")
        return self._with.profiles

    def _usage(self) -> IUsage:
        if self._with.usage is None:
            raise NotPermitted("no daemon runs")
        return self._with.usage

    async def _record(self, name: str) -> ProfileRecord:
        for record in await self._administration().profiles():
            if record.name == name:
                return record
        raise NoSuchProfile(name)

    async def _tested(self, profile: Profile, fields: Mapping[str, object]) -> tuple[list[Facts], bool]:
        """
        @return: the steps of the test, and whether all were good; without a test there are none.
        """
        if fields.get("test") is False:
            return [], True
        if self._with.probe is None:
            raise NotPermitted("profiles cannot be tested here; save it without a test (--no-test)")
        steps = await self._with.probe.probe(profile)
        shown: list[Facts] = [{"step": step.name, "text": step.text, "good": step.is_good} for step in steps]
        return shown, bool(steps) and all(step.is_good for step in steps)

    async def _saved(self, name: str, steps: list[Facts], is_good: bool) -> Facts:
        return {"saved": is_good, "steps": steps, **({"profile": await self.profile(name)} if is_good else {})}

    async def _settings(self, old: ProfileSettings, fields: Mapping[str, object]) -> ProfileSettings:
        """The settings with the fields given."""
        sender = text_of(fields, "sender", None)
        return replace(
            old,
            owner=await self._owner(text_of(fields, "owner", old.owner)),
            host=self._host(text_of(fields, "host", old.host)),
            port=_port(fields, old.port),
            tls=_tls(fields, old.tls),
            user=text_of(fields, "user", old.user),
            sender=old.sender if sender is None else full_address(sender) if sender else None,
        )

    def _host(self, text: str) -> str:
        if not text:
            return ""
        try:
            return str(ip_address(text.removeprefix("[").removesuffix("]")))
        except ValueError:
            pass
        try:
            host = HOSTNAME.read(text, "").encode("idna").decode()
        except (ValueError, UnicodeError):
            raise SyntaxFault(f"a host name, not {text!r}") from None
        if host == self._with.config().server.hostname:
            raise NotPermitted(f"{host} is this host itself")
        return str(host)

    async def _owner(self, text: str) -> str:
        if "@" in text:
            return (await self._with.account(text)).principal
        return self._domain(text) if text else ""

    def _domain(self, text: str) -> str:
        try:
            domain = str(HOSTNAME.read(text, ""))
        except ValueError:
            raise SyntaxFault(f"a domain, not {text!r}") from None
        domains = self._with.config().server.domains
        if domain not in domains and "*" not in domains:
            raise NotPermitted(f"{domain} is not one of [server] domains ({', '.join(domains)})")
        return domain

    async def _subject(self, fields: Mapping[str, object], may_be_gone: bool) -> str:
        """
        @param may_be_gone: what was said of an account or domain that is here no longer can still be taken back.
        """
        mailbox, domain = text_of(fields, "mailbox", None), text_of(fields, "domain", None)
        is_default = fields.get("default") is True
        if (mailbox is not None) + (domain is not None) + is_default != 1:
            raise SyntaxFault("a mailbox, a domain, or the default")
        if mailbox is None:
            return EVERYBODY if domain is None else domain.lower() if may_be_gone else self._domain(domain)
        try:
            return (await self._with.account(mailbox)).principal
        except NoSuchAccount:
            if not may_be_gone:
                raise
            return full_address(mailbox).principal

    def _facts(self, record: ProfileRecord) -> dict[str, Any]:
        """A profile as JSON: never its secret."""
        of = record.settings
        return {
            "name": of.name,
            "owner": of.owner,
            "host": of.host,
            "port": of.port,
            "tls": of.tls.value,
            "user": of.user,
            "sender": str(of.sender) if of.sender is not None else None,
            "used_by": list(record.used_by),
            "problem": record.problem,
            "lane": self._with.lanes().get(f"profile:{of.name}"),
        }


def _port(fields: Mapping[str, object], default: int) -> int:
    port = fields.get("port")
    if port is None:
        return default
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
        raise SyntaxFault("port as a number from 1 to 65535")
    return port


def _tls(fields: Mapping[str, object], default: TLSMode) -> TLSMode:
    try:
        return TLSMode(text_of(fields, "tls", default.value))
    except ValueError:
        raise SyntaxFault("tls as implicit or starttls; there is no mode without TLS") from None
