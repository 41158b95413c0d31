"""
Reports that look for principals (RFC 3744 §9).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from trekd.dav.errors import ErrorAnswer, Fault
from trekd.dav.exchange import Answer, Exchange, xml_answer
from trekd.dav.multistatus import multistatus, status_response
from trekd.dav.nodes import CollectionNode, Node, PrincipalNode, PrincipalsNode, find, principal_node, require
from trekd.dav.paths import Location
from trekd.dav.properties import Selection
from trekd.dav.rights import account_of
from trekd.dav.sharing.entries import entries
from trekd.dav.sharing.proxies import groups_of
from trekd.dav.xml.names import caldav, calendar_server, dav
from trekd.dav.xml.reading import Element, child, names, text
from trekd.dav.xml.requests import PropertiesWanted
from trekd.dav.xml.writing import attribute_element, document, element, escape
from trekd.directory.interfaces import Account
from trekd.errors import NotPermitted, SyntaxFault
from trekd.portal.access import Permission, may_know

MAX_FOUND = 100
"""Principals in one answer."""
MAX_ENTRIES = 1000
"""Entries of the directory that one text brings."""
MAX_LOOKED_AT = 2000
"""Resources that one principal-match looks at."""
MAX_CRITERIA = 20

_TRUNCATED = ErrorAnswer(507, dav("number-of-matches-within-limits"))


def _is_name(account: Account, wanted: str) -> bool:
    # As DAV:displayname shows it.
    return wanted in (account.display_name or str(account.address)).casefold()


def _is_address(account: Account, wanted: str) -> bool:
    addresses = (str(each).casefold() for each in (account.address, *account.aliases))
    return any(wanted.removeprefix("mailto:") in each for each in addresses)


SEARCHABLE: dict[str, tuple[str, Callable[[Account, str], bool]]] = {
    dav("displayname"): ("Name", _is_name),
    calendar_server("email-address-set"): ("Mail address", _is_address),
    caldav("calendar-user-address-set"): ("Address for invitations", _is_address),
}
"""Property to what it is, for people, and whether an account's has a folded text."""


def require_depth_0(exchange: Exchange) -> None:
    """
    @raise Fault: RFC 3744 §9: the reports are defined for no other Depth.
    """
    if exchange.depth not in ("", "0"):
        raise Fault(400, text="The report is for Depth 0.")


def wanted_properties(root: Element) -> PropertiesWanted:
    """What a report's C{DAV:prop} asks for."""
    return PropertiesWanted(names(child(root, dav("prop"))))


async def acl_principals(exchange: Exchange, node: Node, root: Element) -> Answer:
    """C{DAV:acl-principal-prop-set} (RFC 3744 §9.2)."""
    require_depth_0(exchange)
    if node.owner is not None and not isinstance(node, PrincipalNode):
        await require(exchange, node, Permission.READ_ACL)
    selection = Selection(exchange, wanted_properties(root))
    places = [each.where for each in await entries(exchange, node) if each.where is not None]
    responses = []
    for where in dict.fromkeys(places):
        found = await find(exchange, where)
        responses.append(status_response(where.path(True), 404) if found is None else await selection.of(found))
    return xml_answer(207, multistatus(responses))


# Who am I


async def principal_match(exchange: Exchange, node: Node, root: Element) -> Answer:
    """C{DAV:principal-match} (RFC 3744 §9.3)."""
    require_depth_0(exchange)
    own, named = child(root, dav("self")), child(root, dav("principal-property"))
    if (own is None) == (named is None):
        raise SyntaxFault("self or principal-property")
    if named is None:
        found = await _selves(exchange, node)
    else:
        if len(names(named)) != 1:
            raise SyntaxFault("principal-property")
        found = await _Matching(exchange, names(named)[0]).below(node)
    wanted = wanted_properties(root)
    if not wanted.names:
        return xml_answer(207, multistatus(status_response(each.path, 200) for each in found))
    selection = Selection(exchange, wanted)
    return xml_answer(207, multistatus([await selection.of(each) for each in found]))


async def _selves(exchange: Exchange, node: Node) -> list[Node]:
    """The principals at or below a node that who asks is, or is a member of."""
    every = [principal_node(exchange.user.account), *await groups_of(exchange)]
    return [each for each in every if each.location.is_within(node.location)]


class _Matching:
    """The resources below one with a property that names who asks."""

    def __init__(self, exchange: Exchange, name: str) -> None:
        self._exchange = exchange
        self._name = name
        self._selection = Selection(exchange, PropertiesWanted((name,)))
        self._seen = 0

    async def below(self, node: Node) -> list[Node]:
        """
        @raise Fault: there is too much to look at.
        """
        own = {each.location for each in await _selves(self._exchange, PrincipalsNode(Location(("principals",)), None))}
        paths = {location.path(True) for location in own}
        found: list[Node] = []
        waiting: list[Node] = [node]
        while waiting:
            parent = waiting.pop()
            inside: Sequence[Node] = await parent.members(self._exchange)
            waiting += inside
            if isinstance(parent, CollectionNode):
                states = await parent.shelf.items(parent.state.id)
                inside = [*inside, *(parent.item(each) for each in states[:MAX_LOOKED_AT])]
            self._seen += len(inside)
            if self._seen > MAX_LOOKED_AT:
                raise Fault(507, dav("number-of-matches-within-limits"), "There is too much to look at.")
            found += [each for each in inside if await self._matches(each, paths)]
        return found

    async def _matches(self, node: Node, paths: set[bytes]) -> bool:
        try:
            value = await self._selection.value(node, self._name)
        except NotPermitted:
            return False
        return value is not None and any(element(dav("href"), path) in value for path in paths)


# Who else is there


@dataclass(frozen=True, slots=True)
class Criterion:
    """
    One text that properties have to hold.

    @ivar names: each of these.
    @ivar wanted: folded.
    """

    names: tuple[str, ...]
    wanted: str

    def fits(self, account: Account) -> bool:
        """Whether an account has it; a property that cannot be searched fits nobody."""
        return all(name in SEARCHABLE and SEARCHABLE[name][1](account, self.wanted) for name in self.names)


@dataclass(frozen=True, slots=True)
class _Found:
    """
    What a search gave.

    @ivar is_cut: there may be more.
    """

    accounts: tuple[Account, ...]
    is_cut: bool


def _criteria(root: Element) -> tuple[Criterion, ...]:
    """
    @raise SyntaxFault: there is none, or one looks for nothing.
    """
    found = []
    for each in root.findall(dav("property-search"))[:MAX_CRITERIA]:
        properties, wanted = names(child(each, dav("prop"))), text(child(each, dav("match"))).casefold()
        if not properties or not wanted:
            raise SyntaxFault("property-search")
        found.append(Criterion(properties, wanted))
    if not found:
        raise SyntaxFault("property-search")
    return tuple(found)


async def principal_search(exchange: Exchange, node: Node, root: Element) -> Answer:
    """C{DAV:principal-property-search} (RFC 3744 §9.4); C{test="anyof"} as Apple's programs have it."""
    require_depth_0(exchange)
    criteria = _criteria(root)
    everywhere = child(root, dav("apply-to-principal-collection-set")) is not None
    if not everywhere and not PrincipalsNode(Location(("principals",)), None).location.is_within(node.location):
        return xml_answer(207, multistatus(()))
    fit = any if root.get("test") == "anyof" else all
    # One text is looked for in the directory, all of them in what that gives.
    texts = [each.wanted for each in criteria]
    if fit is all:
        texts = [max(texts, key=len)]
    searched = [each.removeprefix("mailto:") for each in texts]
    found = await _accounts(exchange, searched, lambda account: fit(each.fits(account) for each in criteria))
    return await _principals(exchange, node, root, found)


async def token_search(exchange: Exchange, node: Node, root: Element) -> Answer:
    """C{CS:calendarserver-principal-search}: each word is in the name or in an address."""
    require_depth_0(exchange)
    tokens = [text(each).casefold() for each in root.findall(calendar_server("search-token"))[:MAX_CRITERIA]]
    if not all(tokens) or not tokens:
        raise SyntaxFault("search-token")

    def fits(account: Account) -> bool:
        return all(_is_name(account, token) or _is_address(account, token) for token in tokens)

    return await _principals(exchange, node, root, await _accounts(exchange, [max(tokens, key=len)], fits))


async def _accounts(exchange: Exchange, texts: Iterable[str], fits: Callable[[Account], bool]) -> _Found:
    """Accounts that have one of the texts in name or address, and fit."""
    found: dict[str, Account] = {}
    is_cut = False
    scope = exchange.site.config.directory_book
    for wanted in dict.fromkeys(texts) if scope != "off" else ():
        entries = await exchange.site.directory.search(wanted, MAX_ENTRIES)
        is_cut = is_cut or len(entries) >= MAX_ENTRIES
        for entry in entries:
            if entry.is_group or not may_know(exchange.user.account, entry.address, scope):
                continue
            account = await account_of(exchange, str(entry.address))
            if account is not None and fits(account):
                found[account.principal] = account
            if len(found) > MAX_FOUND:
                return _Found(tuple(found.values())[:MAX_FOUND], True)
    return _Found(tuple(found.values()), is_cut)


async def _principals(exchange: Exchange, node: Node, root: Element, found: _Found) -> Answer:
    selection = Selection(exchange, wanted_properties(root))
    responses = [await selection.of(principal_node(each)) for each in found.accounts]
    if found.is_cut:
        responses.append(status_response(node.path, 507, _TRUNCATED))
    return xml_answer(207, multistatus(responses))


async def searchable(exchange: Exchange, node: Node, root: Element) -> Answer:
    """C{DAV:principal-search-property-set} (RFC 3744 §9.5)."""
    require_depth_0(exchange)
    rows = b"".join(
        element(
            dav("principal-search-property"),
            element(dav("prop"), element(name))
            + attribute_element(dav("description"), {"xml:lang": "en"}, escape(description)),
        )
        for name, (description, _) in SEARCHABLE.items()
    )
    return xml_answer(200, document(dav("principal-search-property-set"), rows))
