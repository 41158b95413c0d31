"""
Entries of the organisation's directory as vCards (RFC 6350): what a card says, its name and its entity tag.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace

from trekd.calendar.contentlines import Component, Property, join_values, write
from trekd.calendar.contentlines import escape as escaped
from trekd.directory.interfaces import DirectoryEntry, Phone
from trekd.errors import SyntaxFault
from trekd.values import Address

SUFFIX = ".vcf"

_PHONES = {
    Phone.WORK: ("WORK", "VOICE"),
    Phone.HOME: ("HOME", "VOICE"),
    Phone.CELL: ("CELL",),
    Phone.FAX: ("WORK", "FAX"),
}


@dataclass(frozen=True, slots=True)
class EntryCard:
    """
    An entry as a card of version 3.0.

    A list of the directory is a card like a person's: it has an address to write to, and programs show a group by its
    members, which are not told.

    @ivar name: path segment; the same as long as the address is.
    @ivar etag: unquoted.  Deviates from RFC 9110 §8.8.1: it stands for the card without its picture, which listings
        and searches do not ask the directory for; a new picture alone does not change it.
    @ivar tree: all of it.
    """

    name: str
    etag: str
    tree: Component

    @property
    def octets(self) -> bytes:
        """The whole card."""
        return write(self.tree)


def card_of_entry(entry: DirectoryEntry) -> EntryCard:
    """The card of an entry; the same for the same entry."""
    tree = Component("VCARD", tuple(_lines(replace(entry, photo=b""))))
    etag = hashlib.sha256(write(tree)).hexdigest()[:32]
    if entry.photo:
        picture = Property(
            "PHOTO", b64encode(entry.photo).decode("ascii"), (("ENCODING", ("b",)), ("TYPE", ("JPEG",)))
        )
        tree = replace(tree, properties=(*tree.properties, picture))
    return EntryCard(card_name(entry.address), etag, tree)


def card_name(address: Address) -> str:
    """Under which name the card of an address is found."""
    return address.principal + SUFFIX


def address_named(name: str) -> Address | None:
    """The address whose card has a name, C{None} for no such name."""
    if not name.endswith(SUFFIX):
        return None
    try:
        return Address.parse(name.removesuffix(SUFFIX))
    except SyntaxFault:
        return None


def _lines(entry: DirectoryEntry) -> Iterator[Property]:
    yield Property("VERSION", "3.0")
    # RFC 6352 §5.1: the same each time, and unlike that of anybody else.
    yield Property("UID", escaped(entry.address.principal))
    name = entry.display_name or " ".join(filter(None, (entry.given_name, entry.family_name)))
    yield Property("FN", escaped(name or str(entry.address)))
    parts = (entry.family_name, entry.given_name) if entry.family_name or entry.given_name else (name, "")
    yield Property("N", join_values((*parts, "", "", ""), ";"))
    yield Property("EMAIL", escaped(str(entry.address)), (("TYPE", ("INTERNET", "WORK")),))
    for kind, number in entry.phones:
        yield Property("TEL", escaped(number), (("TYPE", _PHONES[kind]),))
    if entry.organization or entry.unit:
        yield Property("ORG", join_values(filter(None, (entry.organization, entry.unit)), ";"))
    if entry.title:
        yield Property("TITLE", escaped(entry.title))
    post = entry.post
    if post.street or post.locality or post.region or post.code or post.country:
        place = ("", "", post.street, post.locality, post.region, post.code, post.country)
        yield Property("ADR", join_values(place, ";"), (("TYPE", ("WORK",)),))
    if entry.note:
        yield Property("NOTE", escaped(entry.note))
