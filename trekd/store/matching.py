"""
Queries evaluated on one message at a time.

A provider that narrows a search by other means decides with this what is left; so every provider finds the same.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Protocol

from trekd.store.interfaces import (
    MessageReader,
)
from trekd.store.terms import (
    Aged,
    AllOf,
    AnyOf,
    BodyText,
    ChangedSince,
    Dated,
    DateKind,
    HasEmailId,
    HasFlag,
    HasUID,
    HeaderText,
    Not,
    Size,
    Term,
)
from trekd.values import Flag


class Searched(Protocol):
    """A message as a query sees it; whatever is dear to get is a method."""

    @property
    def uid(self) -> int: ...

    @property
    def flags(self) -> frozenset[Flag]: ...

    @property
    def modseq(self) -> int: ...

    @property
    def size(self) -> int:
        """In octets."""

    @property
    def internal_day(self) -> int:
        """As L{rendering.internal_day <trekd.store.rendering.internal_day>} returns it."""

    @property
    def sent_date(self) -> int | None:
        """As in L{MessageFacts <trekd.store.interfaces.MessageFacts>}; likewise the two below."""

    @property
    def arrived(self) -> int:
        """The internal date as Unix seconds."""

    @property
    def saved_day(self) -> int:
        """The day in UTC that it came into its mailbox, as a proleptic ordinal."""

    @property
    def objectid(self) -> str: ...

    @property
    def parts(self) -> bytes: ...

    def folded_field(self, field: str) -> str:
        """Decoded and folded text of C{subject}, C{from}, C{to}, C{cc} or C{bcc}."""

    def header(self) -> bytes: ...

    def octets(self) -> bytes: ...


Predicate = Callable[[Searched], bool]

FOLDED_FIELDS = frozenset(("subject", "from", "to", "cc", "bcc"))
"""Fields, in lower case, whose folded text the message facts have."""


_DAYS: dict[DateKind, Callable[[Searched], int | None]] = {
    DateKind.INTERNAL: lambda message: message.internal_day,
    DateKind.SENT: lambda message: message.sent_date,
    DateKind.SAVED: lambda message: message.saved_day,
}


def predicate(term: Term, reader: MessageReader) -> Predicate:
    """A function that says whether a message matches the term; cheap terms are asked before dear ones."""
    match term:
        case Not(inner):
            wanted = predicate(inner, reader)
            return lambda message: not wanted(message)
        case AllOf(terms):
            every = _cheapest_first(terms, reader)
            return lambda message: all(matches(message) for matches in every)
        case AnyOf(terms):
            some = _cheapest_first(terms, reader)
            return lambda message: any(matches(message) for matches in some)
        case HeaderText(field, text):
            return _header_text(field.lower(), reader.fold(text), reader)
        case BodyText(text, with_header):
            return _body_text(reader.fold(text), with_header, reader)
        case _:
            return _on_row(term)


def leaves(term: Term) -> Iterator[Term]:
    """The terms in a term that have none inside."""
    match term:
        case Not(inner):
            yield from leaves(inner)
        case AllOf(terms) | AnyOf(terms):
            for each in terms:
                yield from leaves(each)
        case _:
            yield term


def needs_octets(term: Term) -> bool:
    """Whether a query may look at the octets of messages, not only at what is stored beside them."""
    return any(map(_leaf_needs_octets, leaves(term)))


def _leaf_needs_octets(leaf: Term) -> bool:
    match leaf:
        case HeaderText(field, text):
            return not text or field.lower() not in FOLDED_FIELDS
        case BodyText(text, _):
            return bool(text)
        case _:
            return False


def _cheapest_first(terms: tuple[Term, ...], reader: MessageReader) -> list[Predicate]:
    return [predicate(term, reader) for term in sorted(terms, key=needs_octets)]


def _on_row(term: HasFlag | HasUID | Size | ChangedSince | Dated | Aged | HasEmailId) -> Predicate:
    match term:
        case HasFlag(flag):
            return lambda message: flag in message.flags
        case HasUID(uids):
            return lambda message: (place := bisect_left(uids, message.uid)) < len(uids) and uids[place] == message.uid
        case Size(above, below):
            return lambda message: (above is None or message.size > above) and (below is None or message.size < below)
        case ChangedSince(modseq):
            return lambda message: message.modseq > modseq
        case Dated(kind, since, before):
            day = _DAYS[kind]
            return lambda message: _is_between(day(message), since, before)
        case Aged(since, until):
            return lambda message: _is_between(message.arrived, since, None if until is None else until + 1)
        case HasEmailId(objectid):
            return lambda message: message.objectid == objectid


def _is_between(moment: int | None, since: int | None, before: int | None) -> bool:
    return moment is not None and (since is None or since <= moment) and (before is None or moment < before)


def _header_text(field: str, needle: str, reader: MessageReader) -> Predicate:
    if needle and field in FOLDED_FIELDS:
        return lambda message: needle in message.folded_field(field)
    name = field.encode("utf-8", "replace")
    return lambda message: reader.header_contains(message.header(), name, needle)


def _body_text(needle: str, with_header: bool, reader: MessageReader) -> Predicate:
    if not needle:
        return lambda message: True
    return lambda message: reader.text_contains(message.octets(), message.parts, needle, with_header)
