"""
The questions, each asked of one server: whose password is this, who has an address, who is in the address list.
"""

from __future__ import annotations

from trekd.config.schema import LDAPConfig
from trekd.directory.interfaces import Account, Alias, DirectoryEntry, Group
from trekd.directory.ldap.cards import CardMapping
from trekd.directory.ldap.entries import Entry, Found, ISession, Query, Refusal
from trekd.directory.ldap.escaping import fill_dn, fill_filter, fill_filter_any, in_filter
from trekd.directory.ldap.groups import Lists
from trekd.directory.ldap.mapping import AccountMapping
from trekd.directory.ldap.notices import Notices
from trekd.errors import BadCredentials, DirectoryDown
from trekd.values import Address

MAX_SCANNED = 2000
"""Entries of an address list that are sorted before the first are given."""

_PAGE = 250


class Lookup:
    """
    Asks sessions; may be used by several threads.

    @ivar mapping: how entries become accounts.
    """

    def __init__(self, config: LDAPConfig, mapping: AccountMapping, notices: Notices) -> None:
        self.mapping = mapping
        self._config = config
        self._notices = notices
        self._lists = Lists(config, mapping, notices)
        self._cards = CardMapping(config, mapping, notices)

    # Passwords

    def authenticate(self, session: ISession, login: Address, password: bytes) -> Account:
        """
        Verify a password.

        @param password: possible: neither empty nor with NUL.
        @raise BadCredentials: unknown, wrong, or without a usable address.
        @raise DirectoryDown: two entries have the login name, or no verdict.
        """
        if self._config.auth == "template":
            entry = self._verified_by_template(session, login, password)
        else:
            entry = self._verified_by_search(session, login, password)
        account = self.mapping.account(entry)
        if account is None:
            raise BadCredentials()
        return account

    def login_filter(self, login: Address) -> str:
        """The filter that finds a login's entry."""
        return fill_filter(self._config.filter, login)

    def login_entry(self, session: ISession, login: Address) -> Entry | None:
        """
        The entry that logs in with a name.

        @raise DirectoryDown: there is more than one.
        """
        return self._only(session.search(self._accounts(self.login_filter(login))), login)

    def template_dn(self, login: Address) -> str | None:
        """The name that a login binds as; C{None} for logins with characters that it cannot hold."""
        return fill_dn(self._config.user_dn_template, login)

    def template_entry(self, session: ISession, dn: str, login: Address) -> Entry | None:
        """
        The entry just verified, if it is the login's own: the filter decides, so that one who may bind as
        C{uid=alice} is not taken for the alice of every domain.
        """
        query = Query(dn, "base", self.login_filter(login), self.mapping.attributes, 1)
        read = session.search if self._config.bind_dn else session.search_as_user
        return next(iter(read(query).entries), None)

    def _verified_by_search(self, session: ISession, login: Address, password: bytes) -> Entry:
        entry = self.login_entry(session, login)
        if entry is None:
            raise BadCredentials()
        self._check(session.verify(entry.dn, password), entry.dn)
        return entry

    def _verified_by_template(self, session: ISession, login: Address, password: bytes) -> Entry:
        dn = self.template_dn(login)
        if dn is None:
            raise BadCredentials()
        self._check(session.verify(dn, password), dn)
        entry = self.template_entry(session, dn, login)
        if entry is None:
            raise BadCredentials()
        return entry

    def _check(self, refusal: Refusal | None, dn: str) -> None:
        if refusal is None:
            return
        if refusal.is_strange:
            self._notices.warn(f"the password of {dn} was not taken: {refusal.reason}")
        raise BadCredentials()

    # Addresses

    def find(self, session: ISession, address: Address) -> Account | Group | Alias | None:
        """
        Who gets mail for an address; with C{catch_all} an L{Alias} to the account that takes the rest.

        @raise DirectoryDown: two entries have the address, or no verdict.
        """
        found = self._find_exactly(session, address)
        if found is not None or not self._config.catch_all:
            return found
        if address.without_tag != address:
            found = self._find_exactly(session, address.without_tag)
            if found is not None:
                return found
        owner = self._find_exactly(session, Address("", address.domain))
        return None if owner is None else Alias(address, (owner.address,))

    def _find_exactly(self, session: ISession, address: Address) -> Account | Group | None:
        entry = self._owner(session, address, self._lists.attributes)
        if entry is None:
            return None
        if self._lists.is_list(entry):
            return self._lists.expand(session, entry, address)
        return self.mapping.account(entry)

    def _owner(self, session: ISession, address: Address, attributes: tuple[str, ...]) -> Entry | None:
        """The account, else the list, that has an address."""
        config = self._config
        query = self._accounts(fill_filter(config.recipient_filter, address), attributes)
        entry = self._only(session.search(query), address)
        if entry is None and config.group_filter:
            text = fill_filter(config.group_filter, address)
            query = Query(config.group_base or config.base, config.scope, text, attributes, 2)
            entry = self._only(session.search(query), address)
        return entry

    # The address list

    def describe(self, session: ISession, address: Address) -> DirectoryEntry | None:
        """See L{IDirectory.describe<trekd.directory.interfaces.IDirectory.describe>}."""
        entry = self._owner(session, address, (*self._cards.photo_attributes, "objectClass"))
        return None if entry is None else self._cards.card(entry, self._lists.is_list(entry))

    def search(self, session: ISession, text: str, limit: int) -> tuple[DirectoryEntry, ...]:
        """See L{IDirectory.search<trekd.directory.interfaces.IDirectory.search>}."""
        config = self._config
        wanted = self._containing(text)
        searches = [(config.base, config.filter, False)]
        if config.group_filter:
            searches.append((config.group_base or config.base, config.group_filter, True))
        hits: dict[Address, DirectoryEntry] = {}
        for base, template, is_group in searches:
            text = f"(&{fill_filter_any(template)}{wanted})"
            query = Query(base, config.scope, text, self._cards.attributes, max(limit, MAX_SCANNED), _PAGE)
            for entry in session.search(query).entries:
                card = self._cards.card(entry, is_group)
                if card is not None:
                    hits.setdefault(card.address, card)
        ordered = sorted(hits.values(), key=lambda hit: (hit.display_name or str(hit.address)).casefold())
        return tuple(ordered[:limit])

    def _containing(self, text: str) -> str:
        """The filter for a text in the name or the address; an empty text is in every one."""
        names = [name for name in (self._config.attr_name, self._config.attr_mail) if name]
        part = f"*{in_filter(text)}*" if text else "*"
        return f"(|{''.join(f'({name}={part})' for name in names)})" if text else f"({self._config.attr_mail}=*)"

    # What they share

    def _accounts(self, text: str, attributes: tuple[str, ...] = ()) -> Query:
        config = self._config
        return Query(config.base, config.scope, text, attributes or self.mapping.attributes, 2)

    def _only(self, found: Found, address: Address) -> Entry | None:
        """
        The entry, when there is just one.

        @raise DirectoryDown: there are two: whose mailbox it is must not be left to chance.
        """
        if not found.entries:
            return None
        if len(found.entries) > 1 or found.was_cut:
            names = " and ".join(entry.dn for entry in found.entries)
            self._notices.error(f"{address} belongs to more than one entry: {names}")
            raise DirectoryDown("more than one entry has the address")
        return found.entries[0]
