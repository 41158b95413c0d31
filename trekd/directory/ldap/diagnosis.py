"""
C{trekctl directory test}: the questions of a login and of a delivery, step by step, with what the server answered.
"""

from __future__ import annotations

from collections.abc import Iterator

from trekd.config.schema import LDAPConfig
from trekd.directory.interfaces import Account, Alias, Group, Status, Step
from trekd.directory.ldap.entries import Entry, ISession, Refusal
from trekd.directory.ldap.lookup import Lookup
from trekd.errors import DirectoryDown
from trekd.values import Address

_MAX_SHOWN = 10


class Diagnosis:
    """
    Asks what a login asks, and tells all of it but passwords.
    """

    def __init__(self, config: LDAPConfig, lookup: Lookup) -> None:
        self._config = config
        self._lookup = lookup

    def explain(self, session: ISession, address: Address, password: bytes | None) -> tuple[Step, ...]:
        """See L{IDirectoryDiagnosis.explain<trekd.directory.interfaces.IDirectoryDiagnosis.explain>}."""
        steps = [Step("server", f"{session.uri} ({self._transport(session.uri)})")]
        try:
            # A step at a time, so that those before an outage are shown.
            for step in self._login(session, address, password):
                steps.append(step)
            steps.append(self._recipient(session, address))
        except DirectoryDown as fault:
            steps.append(Step("result", f"no verdict, users are told to try later: {fault}", False))
        return tuple(steps)

    def _transport(self, uri: str) -> str:
        config = self._config
        if not uri.startswith("ldaps:") and not config.starttls:
            return "not encrypted"
        kind = "TLS" if uri.startswith("ldaps:") else "StartTLS"
        return kind if config.tls_verify else f"{kind}, certificate NOT verified"

    def _login(self, session: ISession, address: Address, password: bytes | None) -> Iterator[Step]:
        config = self._config
        yield Step("service account", config.bind_dn or "none: searches are anonymous")
        by_template = config.auth == "template"
        if by_template:
            dn = self._lookup.template_dn(address)
            yield Step("bind as", dn or "nothing: the address has characters that the template cannot hold", bool(dn))
            if dn is None:
                return
            if password is None:
                yield Step("password", "not tested; --password-stdin tests it, and shows the entry")
                return
            refusal = session.verify(dn, password)
            yield _password_step(refusal)
            if refusal is not None:
                return
            entry = self._lookup.template_entry(session, dn, address)
        else:
            yield Step("search", f"{config.base} ({config.scope})")
            yield Step("filter", self._lookup.login_filter(address))
            entry = self._lookup.login_entry(session, address)
        if entry is None:
            yield Step("entry", "none: a login is refused like one with a wrong password", False)
            return
        yield from self._entry(entry)
        if password is not None and not by_template:
            yield _password_step(session.verify(entry.dn, password))

    def _entry(self, entry: Entry) -> Iterator[Step]:
        yield Step("entry", entry.dn)
        for name in self._lookup.mapping.attributes:
            values = entry.texts(name)
            more = f" and {len(values) - _MAX_SHOWN} more" if len(values) > _MAX_SHOWN else ""
            yield Step(f"  {name}", "; ".join(values[:_MAX_SHOWN]) + more if values else "absent")
        account = self._lookup.mapping.account(entry)
        if account is None:
            yield Step("account", f"none: {self._config.attr_mail} holds no usable address", False)
            return
        yield Step("account", str(account.address))
        yield Step("aliases", ", ".join(map(str, account.aliases)) or "none")
        yield Step("may also send as", ", ".join(map(str, account.senders)) or "nobody else")
        yield Step("quota", "its plan's" if account.quota is None else f"{account.quota} octets")
        yield Step("status", account.status.value, account.status is Status.ACTIVE)
        if account.subscription:
            yield Step("subscription", account.subscription)
        plan, reason = self._lookup.mapping.plan(entry)
        yield Step("plan", f"{plan} ({reason})")

    def _recipient(self, session: ISession, address: Address) -> Step:
        found = self._lookup.find(session, address)
        if found is None:
            return Step("mail", "refused: nobody has the address", False)
        if isinstance(found, Account):
            is_taken = found.status is not Status.DISABLED
            text = f"goes to {found.address}" if is_taken else f"refused: {found.address} is disabled"
            return Step("mail", text, is_taken)
        others = found.targets if isinstance(found, Alias) else found.members
        shown = ", ".join(map(str, others[:_MAX_SHOWN])) + (" ..." if len(others) > _MAX_SHOWN else "")
        kind = f"list {found.address}" if isinstance(found, Group) else "catch-all"
        return Step("mail", f"goes to {kind}, {len(others)} member{'s' * (len(others) != 1)}: {shown}", bool(others))


def _password_step(refusal: Refusal | None) -> Step:
    return Step("password", "right" if refusal is None else f"refused: {refusal.reason}", refusal is None)
