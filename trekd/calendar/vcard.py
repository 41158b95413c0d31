"""
Address object resources (RFC 6352 §5.1): one vCard of version 3.0 (RFC 2426) or 4.0 (RFC 6350).

Strict where the card would be lost or mean something else: one card alone, a known version, a UID.  Lenient where
clients break rules and nothing is in doubt: N may be missing in 3.0, FN where there is an N, VERSION may stand
anywhere, and a property may be unknown.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from trekd.calendar.contentlines import Component, Property, TreeLimits, parse, parse_all, unescape, write
from trekd.calendar.folding import fold
from trekd.errors import InvalidCard, SyntaxFault, UnsupportedCard

VERSIONS = ("3.0", "4.0")

CARD_LIMITS = TreeLimits(lines=20_000, depth=2)
"""Of one card; a group of ten thousand members fits."""

BOOK_LIMITS = TreeLimits(lines=20_000_000, depth=2)
"""Of a file of many cards."""

_GROUPS = ("KIND", "X-ADDRESSBOOKSERVER-KIND")
_MEMBERS = ("MEMBER", "X-ADDRESSBOOKSERVER-MEMBER")


@dataclass(frozen=True, slots=True)
class Card:
    """
    A card, understood.

    @ivar tree: all of it.
    @ivar version: one of L{VERSIONS}.
    @ivar uid: without escapes.
    """

    tree: Component
    version: str
    uid: str

    @property
    def is_group(self) -> bool:
        """Whether it stands for several (RFC 6350 §6.1.4; in 3.0, as Apple's Address Book Server wrote it)."""
        return any(self.tree.value(name).strip().lower() == "group" for name in _GROUPS)

    @property
    def members(self) -> tuple[str, ...]:
        """URIs of a group's members, in the order they stand (RFC 6350 §6.6.5)."""
        return tuple(each.value.strip() for name in _MEMBERS for each in self.tree.every(name))


def read_card(octets: bytes, limits: TreeLimits = CARD_LIMITS) -> Card:
    """
    Read what a client wants to store.

    @raise InvalidCard: valid-address-data.
    @raise UnsupportedCard: supported-address-data.
    """
    try:
        tree = parse(octets, limits)
    except SyntaxFault as fault:
        raise InvalidCard(str(fault)) from None
    return card_of(tree)


def card_of(tree: Component) -> Card:
    """
    The same of a tree.

    @raise InvalidCard: valid-address-data.
    @raise UnsupportedCard: supported-address-data.
    """
    if tree.kind != "VCARD":
        raise InvalidCard("no VCARD")
    if tree.components:
        raise InvalidCard("a component inside VCARD")
    versions = {each.value.strip() for each in tree.every("VERSION")}
    if len(versions) != 1:
        raise InvalidCard("two VERSIONs" if versions else "no VERSION")
    version = versions.pop()
    if version not in VERSIONS:
        raise UnsupportedCard(version[:20])
    uids = [each.text.strip() for each in tree.every("UID")]
    if len(uids) != 1 or not uids[0]:
        raise InvalidCard("two UIDs" if len(uids) > 1 else "no UID")
    if tree.first("FN") is None and tree.first("N") is None:
        raise InvalidCard("no FN")
    return Card(tree, version, uids[0])


# --- Facts ----------------------------------------------------------------------------------------

LONG = "~"
"""
Before a property's name: the card has values of it that are not in the index, so its octets have to be looked at.
Alone: the same of any property that the index has not.
"""

MOST_VALUES = 50
"""Of one property that are kept in the index."""
MOST_NAMES = 200
"""Different properties that are."""
MOST_CHARACTERS = 2000
"""Of a value that is."""

_OCTETS = frozenset(("PHOTO", "LOGO", "SOUND", "KEY"))


@dataclass(frozen=True, slots=True)
class CardFacts:
    """
    What is kept about a card to find it again.

    @ivar texts: property name in capitals, without group, and value L{folded <trekd.calendar.folding.fold>}, for
        every property; the value is empty for those that are no text or too long, and one with L{LONG} before its
        name tells so.
    """

    uid: str
    texts: tuple[tuple[str, str], ...]
    component: str = "VCARD"
    spans: tuple[tuple[int, int, str], ...] = ()
    open_from: int | None = None
    is_floating: bool = False


def card_facts(card: Card) -> CardFacts:
    """What there is to know about a card."""
    counts: dict[str, int] = {}
    texts: dict[tuple[str, str], None] = {}
    for each in card.tree.properties:
        name = each.name.upper()
        if name not in counts and (len(counts) >= MOST_NAMES or len(name) > MOST_CHARACTERS):
            texts[LONG, ""] = None
            continue
        counts[name] = counts.get(name, 0) + 1
        if counts[name] > MOST_VALUES or _is_long(name, each):
            texts[LONG + name, ""] = None
            texts[name, ""] = None
        else:
            texts[name, fold(searchable(each))] = None
    return CardFacts(card.uid, tuple(texts))


def searchable(each: Property) -> str:
    """A property's value as queries see it: without escapes, structured and listed values in one piece."""
    return unescape(each.value)


def kinds_of(values: Iterable[str]) -> tuple[str, ...]:
    """The words of TYPE parameters; RFC 6350 §5.6 writes several in one quoted value as well."""
    return tuple(word for value in values for word in value.split(","))


def _is_long(name: str, each: Property) -> bool:
    return name in _OCTETS or len(each.value) > MOST_CHARACTERS or each.value[:5].lower() == "data:"


# --- Many cards -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ImportedCard:
    """
    One card of a file.

    @ivar octets: as it is to be stored.
    @ivar card: C{None} when it cannot be stored.
    @ivar fault: why not.
    """

    octets: bytes
    card: Card | None
    fault: InvalidCard | UnsupportedCard | None = None


def with_uid(tree: Component) -> Component:
    """A card with a UID: its own, or one made of its content."""
    if tree.value("UID").strip():
        return tree
    made = Property("UID", "urn:uuid:" + str(uuid.UUID(bytes=hashlib.sha256(write(tree)).digest()[:16], version=4)))
    kept = tuple(each for each in tree.properties if not each.is_named("UID"))
    at = 1 if kept and kept[0].is_named("VERSION") else 0
    return replace(tree, properties=(*kept[:at], made, *kept[at:]))


def split_cards(octets: bytes, limits: TreeLimits = BOOK_LIMITS) -> Iterator[ImportedCard]:
    """
    The cards of a file, in order; one without UID gets one made of its content, the same each time.

    @raise SyntaxFault: these are no content lines; nothing was given out.
    """
    for tree in parse_all(octets, limits):
        whole = with_uid(tree)
        written = write(whole)
        try:
            yield ImportedCard(written, card_of(whole))
        except (InvalidCard, UnsupportedCard) as fault:
            yield ImportedCard(written, None, fault)
