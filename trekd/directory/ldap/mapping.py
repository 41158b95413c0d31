"""
From an entry to an account: which attribute means what (C{[directory.ldap] attr_*}).

Attributes are written by people: what cannot be read is logged and treated as if it were not there, except a status,
which then keeps the account from logging in.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from functools import lru_cache

from trekd.config.schema import LDAPConfig
from trekd.directory.interfaces import Account, Status
from trekd.directory.ldap.entries import Entry
from trekd.directory.ldap.names import DNKey, dn_key
from trekd.directory.ldap.notices import Notices
from trekd.directory.ldap.quota import read_quota
from trekd.errors import SyntaxFault
from trekd.values import Address

MAX_ADDRESSES = 1000
"""Aliases or senders of one account that are looked at."""

MAX_NAME = 1000
"""Characters of a name, or of another text for people."""

_STATUSES = {
    "active": Status.ACTIVE,
    "enabled": Status.ACTIVE,
    "true": Status.ACTIVE,
    "suspended": Status.SUSPENDED,
    "nopop": Status.SUSPENDED,
    "locked": Status.SUSPENDED,
    "lockout": Status.SUSPENDED,
    "maintenance": Status.SUSPENDED,
    "pending": Status.SUSPENDED,
    "inactive": Status.SUSPENDED,
    "hold": Status.SUSPENDED,
    "disabled": Status.DISABLED,
    "deleted": Status.DISABLED,
    "closed": Status.DISABLED,
    "noaccess": Status.DISABLED,
    "false": Status.DISABLED,
}
"""Words of several schemas, in lower case."""

_NO_COPY = frozenset(["nolocal", "forwardonly", "nombox"])
"""Words of C{deliveryMode} of several schemas."""

MAX_TARGETS = 20
"""Addresses to which one account's mail is forwarded."""

MAX_ANSWER = 16 * 1024
"""Characters of an automatic answer."""

_WINDOWS_FLAGS = "useraccountcontrol"
_WINDOWS_DISABLED = 0x2


class AccountMapping:
    """
    Reads accounts out of entries.
    """

    def __init__(self, config: LDAPConfig, plans: Container[str], notices: Notices) -> None:
        """
        @param plans: names of the plans there are; may change while we run.
        """
        self._config = config
        self._plans = plans
        self._notices = notices
        self._groups = [(dn_key(row.group), row.group, row.plan) for row in config.plans]
        named = (
            config.attr_mail,
            config.attr_name,
            config.attr_alias,
            config.attr_sender,
            config.attr_quota,
            config.attr_plan,
            config.attr_status,
            config.attr_subscription,
            config.attr_forward_to,
            config.attr_delivery_mode,
            config.attr_vacation,
            config.attr_groups if config.plans else "",
        )
        self.attributes = tuple(dict.fromkeys(name for name in named if name))

    def account(self, entry: Entry) -> Account | None:
        """The account; C{None}, and a line in the log, when the entry has no address that can be one."""
        address = self.address(entry)
        if address is None:
            self._notices.warn(f"{entry.dn} has no usable address in {self._config.attr_mail}; it gets no mailbox")
            return None
        config = self._config
        other = self._addresses(entry, (config.attr_mail, config.attr_alias))
        modes = {word for value in entry.texts(config.attr_delivery_mode) for word in value.lower().split()}
        return Account(
            address,
            self.plan(entry)[0],
            self.name(entry),
            tuple(each for each in other if each != address),
            tuple(self._addresses(entry, (config.attr_sender,))),
            self._quota(entry),
            self.status(entry),
            entry.text(config.attr_subscription).strip(),
            tuple(self._addresses(entry, (config.attr_forward_to,))[:MAX_TARGETS]),
            not modes & _NO_COPY,
            _answer(entry.text(config.attr_vacation)) if "reply" in modes else "",
        )

    def address(self, entry: Entry) -> Address | None:
        """
        The canonical address: the first value of the mail attribute, in lower case; among values of which some
        begin with C{SMTP:} (proxyAddresses) it is the one in capitals.
        """
        values = entry.texts(self._config.attr_mail)
        first = next((value for value in values if value.startswith("SMTP:")), next(iter(values), ""))
        return _address(first)

    def name(self, entry: Entry) -> str:
        """The name for people."""
        return one_line(entry.text(self._config.attr_name))

    def plan(self, entry: Entry) -> tuple[str, str]:
        """The plan's name, and what decided it."""
        config = self._config
        written = entry.text(config.attr_plan).strip().lower()
        if written in self._plans:
            return written, f"{config.attr_plan} of the entry"
        if written:
            self._notices.warn(f"unknown plan {written!r} of {entry.dn}: it gets plan {config.default_plan}")
            return config.default_plan, f"the default: {config.attr_plan} names the unknown plan {written!r}"
        held = {_group_key(value) for value in entry.texts(config.attr_groups)}
        for key, group, plan in self._groups:
            if key is not None and key in held:
                return plan, f"member of {group}"
        return config.default_plan, "the default: no plan and no group that has one"

    def status(self, entry: Entry) -> Status:
        """What the account may do."""
        attribute = self._config.attr_status
        written = entry.text(attribute).strip().lower()
        if not written:
            return Status.ACTIVE
        if attribute.lower() == _WINDOWS_FLAGS and written.isdecimal() and len(written) < 12:
            return Status.DISABLED if int(written) & _WINDOWS_DISABLED else Status.ACTIVE
        if written not in _STATUSES:
            self._notices.warn(f"unknown {attribute} {written[:100]!r} of {entry.dn}: it is taken for suspended")
        return _STATUSES.get(written, Status.SUSPENDED)

    def _quota(self, entry: Entry) -> int | None:
        attribute = self._config.attr_quota
        written = entry.text(attribute)
        if not written.strip():
            return None
        try:
            return read_quota(written, attribute)
        except SyntaxFault:
            self._notices.warn(f"{attribute} {written[:100]!r} of {entry.dn} is no quota: it gets its plan's")
            return None

    def _addresses(self, entry: Entry, attributes: Iterable[str]) -> list[Address]:
        """Addresses, each once, in the directory's order."""
        values = (value for attribute in attributes for value in entry.texts(attribute)[:MAX_ADDRESSES])
        return list(dict.fromkeys(each for each in map(_address, values) if each is not None))


def _answer(text: str) -> str:
    """A text of several lines, bounded; empty when there is nothing in it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")[:MAX_ANSWER].strip()


def one_line(text: str) -> str:
    """A text for people: bounded, without line ends and control characters."""
    text = " ".join(text[: 2 * MAX_NAME].split())[:MAX_NAME]
    return "".join(each if each.isprintable() else " " for each in text)


_group_key = lru_cache(4096)(dn_key)
"""Names of groups come again with every login; people are members of hundreds."""


def _address(value: str) -> Address | None:
    """
    An attribute's value as an address in lower case.

    @return: C{None} for other things, such as C{X500:} names and the C{@domain} of a catch-all.
    """
    text = value.strip().lower().removeprefix("smtp:")
    try:
        return Address.parse(text)
    except SyntaxFault:
        return None


def member_key(dn: str) -> DNKey | str:
    """A member's name as it is compared; text that is no name stands for itself."""
    return dn_key(dn) or dn.lower()
