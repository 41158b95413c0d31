"""
What a search asks of a store: terms of a query.

Text needles are folded by the store.  A bare tuple of terms means all of them.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from enum import Enum

from trekd.values import DELETED, Flag


@dataclass(frozen=True, slots=True)
class HasFlag:
    """Messages with the flag."""

    flag: Flag


@dataclass(frozen=True, slots=True)
class HasUID:
    """Messages with one of the UIDs (ascending, typecode C{I})."""

    uids: array[int]


@dataclass(frozen=True, slots=True)
class Size:
    """Messages of C{above < size < below} octets; C{None} for no bound."""

    above: int | None = None
    below: int | None = None


@dataclass(frozen=True, slots=True)
class ChangedSince:
    """Messages whose modification sequence is above C{modseq}."""

    modseq: int


class DateKind(Enum):
    """Which date; the time of day and the zone are disregarded (RFC 3501 §6.4.4)."""

    INTERNAL = "internal"
    SENT = "sent"
    SAVED = "saved"


@dataclass(frozen=True, slots=True)
class Dated:
    """Messages with C{since <= day < before}, days as proleptic ordinals; C{None} for no bound."""

    kind: DateKind
    since: int | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Aged:
    """Messages with C{since <= internal date <= until}, Unix seconds; C{None} for no bound (RFC 5032 §3)."""

    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class HasEmailId:
    """The message with an identifier, and its copies."""

    objectid: str


@dataclass(frozen=True, slots=True)
class HeaderText:
    """Messages with a header field of that name that contains the text; '' asks for the field."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class BodyText:
    """Messages whose decoded text parts contain the text, with C{header} the headers too (TEXT)."""

    text: str
    header: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    """Messages that the term does not match."""

    term: Term


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Messages that at least one term matches."""

    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Messages that every term matches; no term matches all."""

    terms: tuple[Term, ...] = field(default=())


Term = HasFlag | HasUID | Size | ChangedSince | Dated | Aged | HasEmailId | HeaderText | BodyText | Not | AnyOf | AllOf


class SortBy(Enum):
    """What messages are sorted by (RFC 5256 §3, RFC 5957 §4)."""

    ARRIVAL = "ARRIVAL"
    CC = "CC"
    DATE = "DATE"
    DISPLAYFROM = "DISPLAYFROM"
    DISPLAYTO = "DISPLAYTO"
    FROM = "FROM"
    SIZE = "SIZE"
    SUBJECT = "SUBJECT"
    TO = "TO"


class Threading(Enum):
    """How messages are grouped into conversations (RFC 5256 §3)."""

    ORDEREDSUBJECT = "ORDEREDSUBJECT"
    REFERENCES = "REFERENCES"


@dataclass(frozen=True, slots=True)
class SortKey:
    """One sort criterion, C{reverse} for descending order."""

    by: SortBy
    reverse: bool = False


UNDELETED = Not(HasFlag(DELETED))
