"""
The directory as an address book that is only read: C{/dav/directory/}, and one in everybody's home.

Nothing is kept: each question goes to the directory, and none is answered with more than L{MOST_CARDS}.  Whoever asks
sees the entries of the domains of its own addresses, or all (C{[dav] directory_book}).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trekd.calendar.contentlines import write
from trekd.calendar.vcard import card_of
from trekd.calendar.vcardconversion import converted
from trekd.calendar.vcardfilters import CardFilter, CardProp, matches
from trekd.dav.conditions import read_etags
from trekd.dav.contacts.accepting import preferred_version
from trekd.dav.contacts.books import CONVERSION, media_type
from trekd.dav.contacts.entries import EntryCard, address_named, card_name, card_of_entry
from trekd.dav.errors import Fault
from trekd.dav.exchange import Answer, Exchange
from trekd.dav.nodes import COLLECTION, HomeNode, Node
from trekd.dav.paths import Location
from trekd.dav.quirks import knows_directory_gateway
from trekd.dav.xml.names import carddav, dav
from trekd.directory.interfaces import DirectoryEntry
from trekd.errors import DirectoryDown
from trekd.store.collections import CollectionKind, Mount
from trekd.values import Address

NAME = "directory"
"""Of the branch, and of the book in a home."""

MOST_CARDS = 1000
"""In one answer."""

_MOST_ENTRIES = 2000
"""That one search of the directory is asked for."""

_MOST_SEARCHES = 5
"""Of the directory, for one query; one that would take more is put to what a listing finds."""

_SEARCHABLE = frozenset(("FN", "N", "EMAIL", "UID"))
"""Properties whose text is in what the directory searches: names and addresses."""

_LONGEST_TEXT = 200

_PARTS = re.compile(r"[;,\\\n]")


@dataclass(frozen=True, slots=True)
class DirectoryCard(Node):
    """An entry of the directory."""

    card: EntryCard

    is_collection = False

    async def get(self, exchange: Exchange) -> Answer:
        """
        The card, in the version that the client would rather have.

        @raise Fault: the client takes no vCard at all.
        """
        etag = b'"' + self.card.etag.encode() + b'"'
        headers = ((b"etag", etag), (b"cache-control", b"private, no-cache"), (b"vary", b"Accept"))
        unwanted = exchange.header("if-none-match").replace("W/", "")
        if unwanted:
            etags = read_etags(unwanted)
            if etags is None or self.card.etag in etags:
                return Answer(304, b"", headers)
        version = preferred_version(exchange.header("accept"), "3.0")
        if version is None:
            raise Fault(406, CONVERSION, "Contacts are given as text/vcard.")
        body = await exchange.site.off_reactor(_written, self.card, version)
        return Answer(200, body, ((b"content-type", media_type(version).encode()), *headers))


@dataclass(frozen=True, slots=True)
class DirectoryBook(Node):
    """
    The directory.

    @ivar is_gateway: programs that know such books find it by C{CARDDAV:directory-gateway}; else it is an ordinary
        one in a home.
    """

    is_gateway: bool

    def resource_type(self, exchange: Exchange) -> tuple[str, ...]:
        """An address book (draft-daboo-carddav-directory-gateway-02, section 4.1)."""
        gateway = (carddav("directory"),) if self.is_gateway else ()
        return (COLLECTION, carddav("addressbook"), *gateway)

    async def display_name(self, exchange: Exchange) -> str | None:
        """What it is."""
        return "Directory"

    async def child(self, exchange: Exchange, name: str) -> Node | None:
        """The card of an address; an alias has none of its own."""
        return await self.described(exchange, name)

    async def members(self, exchange: Exchange) -> Sequence[Node]:
        """
        All cards.

        @raise Fault: they are too many; programs have to search.
        """
        return await self._all(exchange)

    async def _all(self, exchange: Exchange) -> list[DirectoryCard]:
        found, is_cut = await self.search(exchange, CardFilter(), None)
        if is_cut:
            text = f"There are more than {MOST_CARDS} entries; search for those that you want."
            raise Fault(507, dav("number-of-matches-within-limits"), text)
        return found

    async def get(self, exchange: Exchange) -> Answer:
        """
        All cards, one after the other.

        @raise Fault: they are too many.
        """
        body = await exchange.site.off_reactor(_joined, await self._all(exchange))
        return Answer(200, body, ((b"content-type", b"text/vcard; charset=utf-8"), (b"cache-control", b"no-cache")))

    # What reports ask

    async def described(self, exchange: Exchange, name: str) -> DirectoryCard | None:
        """
        The card of a name, with its picture.

        @raise Fault: the directory does not answer.
        """
        address = address_named(name)
        if address is None:
            return None
        try:
            entry = await exchange.site.directory.describe(address)
        except DirectoryDown:
            raise _down() from None
        if entry is None or entry.address.principal != address.principal or not _is_visible(exchange, entry.address):
            return None
        return self._node(card_of_entry(entry))

    async def search(
        self, exchange: Exchange, wanted: CardFilter, limit: int | None
    ) -> tuple[list[DirectoryCard], bool]:
        """
        The cards that fulfil a filter, without pictures, by name; and whether there may be more than are given.

        @raise Fault: the directory does not answer.
        """
        most = MOST_CARDS if limit is None else min(limit, MOST_CARDS)
        texts = directory_texts(wanted)
        entries, is_cut = await _entries(exchange, _listing(exchange) if texts is None else texts)
        visible = [entry for entry in entries if _is_visible(exchange, entry.address)]
        cards: list[EntryCard] = await exchange.site.off_reactor(_matching, visible, wanted)
        return [self._node(card) for card in cards[:most]], is_cut or len(cards) > most

    def _node(self, card: EntryCard) -> DirectoryCard:
        return DirectoryCard(self.location.child(card.name), None, card)


# --- Who sees it ----------------------------------------------------------------------------------


def is_shown(exchange: Exchange) -> bool:
    """Whether there is such a book."""
    return exchange.site.config.directory_book != "off"


def gateway(exchange: Exchange) -> DirectoryBook | None:
    """C{/dav/directory/}."""
    return DirectoryBook(Location((NAME,)), None, True) if is_shown(exchange) else None


async def in_home(exchange: Exchange, home: HomeNode, name: str | None) -> Sequence[Node]:
    """The book in an account's home, for programs that do not look for a gateway."""
    if CollectionKind.ADDRESS_BOOK not in home.kinds or not is_shown(exchange) or name not in (None, NAME):
        return ()
    # Quirk directory-gateway
    if name is None and knows_directory_gateway(exchange.header("user-agent")):
        return ()
    taken = [(each.name, each.kind) for each in await exchange.collections(home.shelf) if each.parent is None]
    # "mounts" is where trekd.dav.sharing looks as well.
    shown: Sequence[Mount] = await exchange.once("mounts", home.shelf.mounts)
    taken += [(each.name, each.kind) for each in shown]
    if (NAME, CollectionKind.ADDRESS_BOOK) in taken:
        return ()
    return [DirectoryBook(home.location.child(NAME), None, False)]


def _domains(exchange: Exchange) -> list[str]:
    """Of the addresses of who asks."""
    account = exchange.user.account
    return list(dict.fromkeys(address.domain for address in (account.address, *account.aliases)))


def _is_visible(exchange: Exchange, address: Address) -> bool:
    return exchange.site.config.directory_book == "all" or address.domain in _domains(exchange)


# --- Asking the directory -------------------------------------------------------------------------


def directory_texts(wanted: CardFilter) -> tuple[str, ...] | None:
    """
    The texts to search the directory for, of which every card that fulfils a filter has one.

    @return: C{None}: the filter asks for what the directory cannot search.
    """
    each = [_prop_texts(prop) for prop in wanted.props]
    if wanted.is_all:
        known = [texts for texts in each if texts]
        found: Iterable[str] = max(known, key=lambda texts: min(map(len, texts)), default=())
    else:
        found = () if None in each else (text for texts in each for text in texts or ())
    texts = tuple(dict.fromkeys(found))
    return texts if 0 < len(texts) <= _MOST_SEARCHES else None


def _prop_texts(wanted: CardProp) -> tuple[str, ...] | None:
    """The same of one condition; C{None}: it is about something else."""
    if wanted.is_not_defined or wanted.name.group or wanted.name.name not in _SEARCHABLE:
        return None
    texts = [max(_PARTS.split(each.text), key=len).strip() for each in wanted.texts if not each.negate]
    usable = tuple(text for text in texts if 0 < len(text) <= _LONGEST_TEXT)
    if wanted.is_all:
        return (max(usable, key=len),) if usable else None
    whole = usable and len(usable) == len(wanted.texts) and not wanted.params
    return usable if whole else None


def _listing(exchange: Exchange) -> tuple[str, ...]:
    """The texts that all visible entries have."""
    if exchange.site.config.directory_book == "all":
        return ("",)
    return tuple("@" + domain for domain in _domains(exchange))


async def _entries(exchange: Exchange, texts: Sequence[str]) -> tuple[list[DirectoryEntry], bool]:
    """
    What the directory finds, each entry once and by name, and whether it may have more.

    @raise Fault: it does not answer.
    """
    found: dict[str, DirectoryEntry] = {}
    is_cut = False
    try:
        for text in texts:
            entries = await exchange.site.directory.search(text, _MOST_ENTRIES)
            is_cut = is_cut or len(entries) >= _MOST_ENTRIES
            found.update((card_name(entry.address), entry) for entry in entries)
    except DirectoryDown:
        raise _down() from None
    return sorted(found.values(), key=lambda entry: (entry.display_name or str(entry.address)).casefold()), is_cut


def _down() -> Fault:
    """The directory tells the log itself."""
    return Fault(503, text="The directory does not answer; try again later.", headers=((b"retry-after", b"30"),))


def _written(card: EntryCard, version: str) -> bytes:
    return write(converted(card_of(card.tree), version))


def _joined(nodes: Sequence[DirectoryCard]) -> bytes:
    return b"".join(node.card.octets for node in nodes)


def _matching(entries: Sequence[DirectoryEntry], wanted: CardFilter) -> list[EntryCard]:
    cards = (card_of_entry(entry) for entry in entries)
    # A name with a slash could not be asked for.
    return [card for card in cards if "/" not in card.name and matches(wanted, card.tree)]
