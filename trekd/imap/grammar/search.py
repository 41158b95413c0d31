"""
What SEARCH asks for (RFC 3501 §6.4.4), as a tree of values.

The keys that are short for others are spelled out: C{UNSEEN} is C{Not(HasFlag(SEEN))}, C{NEW} is
C{And((Recent(), Not(HasFlag(SEEN))))}.  C{And} in C{And}, C{Or} in C{Or} and C{NOT NOT} are flattened, so
that a walk over the tree goes no deeper than C{ParseOptions.max_nesting}.
"""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass
from typing import TypeAlias

from trekd.imap.grammar.sequence import SequenceSet
from trekd.values import Flag


@dataclass(frozen=True, slots=True)
class All:
    """Every message."""


@dataclass(frozen=True, slots=True)
class And:
    """Messages that match all of two or more criteria."""

    criteria: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Messages that match one of two or more criteria."""

    criteria: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Messages that do not match."""

    criterion: Criterion


@dataclass(frozen=True, slots=True)
class HasFlag:
    """Messages with a system flag or keyword."""

    flag: Flag


@dataclass(frozen=True, slots=True)
class Recent:
    """Messages that are C{\\Recent} in this session."""


class Relation(enum.Enum):
    """How a message's day stands to the day asked for; time and zone are disregarded (RFC 3501 §6.4.4)."""

    BEFORE = "BEFORE"
    ON = "ON"
    SINCE = "SINCE"


@dataclass(frozen=True, slots=True)
class Arrived:
    """Messages by the day of their INTERNALDATE: C{BEFORE}, C{ON}, C{SINCE} (that day or later)."""

    relation: Relation
    day: datetime.date


@dataclass(frozen=True, slots=True)
class Sent:
    """Messages by the day of their Date field: C{SENTBEFORE}, C{SENTON}, C{SENTSINCE}."""

    relation: Relation
    day: datetime.date


@dataclass(frozen=True, slots=True)
class Saved:
    """Messages by the day they came into this mailbox: C{SAVEDBEFORE}, C{SAVEDON}, C{SAVEDSINCE} (RFC 8514 §4.3)."""

    relation: Relation
    day: datetime.date


@dataclass(frozen=True, slots=True)
class Within:
    """
    Messages by the age of their INTERNALDATE: C{YOUNGER}, C{OLDER} (RFC 5032 §3).

    @ivar seconds: 1 or more.
    """

    seconds: int
    is_older: bool


@dataclass(frozen=True, slots=True)
class HasEmailId:
    """
    The message with an EMAILID, and its copies (RFC 8474 §6).

    @ivar objectid: as the client sent it.
    """

    objectid: str


@dataclass(frozen=True, slots=True)
class Larger:
    """Messages of more than so many octets."""

    octets: int


@dataclass(frozen=True, slots=True)
class Smaller:
    """Messages of fewer than so many octets."""

    octets: int


@dataclass(frozen=True, slots=True)
class HeaderContains:
    """
    Messages with a header field that contains a string, letter case disregarded.

    @ivar field: the field's name in lower case, without colon.
    @ivar needle: decoded; empty matches every message that has the field.
    """

    field: str
    needle: str


@dataclass(frozen=True, slots=True)
class BodyContains:
    """Messages whose body contains a decoded string, letter case disregarded."""

    needle: str


@dataclass(frozen=True, slots=True)
class TextContains:
    """Messages whose header or body contains a decoded string, letter case disregarded."""

    needle: str


@dataclass(frozen=True, slots=True)
class ModSeqFrom:
    """Messages with this modification sequence or a higher one (RFC 7162 §3.1.5)."""

    modseq: int


@dataclass(frozen=True, slots=True)
class InUids:
    """Messages by UID."""

    uids: SequenceSet


@dataclass(frozen=True, slots=True)
class InSeqs:
    """Messages by sequence number."""

    seqs: SequenceSet


Criterion: TypeAlias = (
    All
    | And
    | Or
    | Not
    | HasFlag
    | Recent
    | Arrived
    | Sent
    | Saved
    | Within
    | HasEmailId
    | Larger
    | Smaller
    | HeaderContains
    | BodyContains
    | TextContains
    | ModSeqFrom
    | InUids
    | InSeqs
)


THREADING = frozenset({"ORDEREDSUBJECT", "REFERENCES"})
"""thread-alg (RFC 5256 §5)"""

SORT_KEYS = frozenset({"ARRIVAL", "CC", "DATE", "DISPLAYFROM", "DISPLAYTO", "FROM", "SIZE", "SUBJECT", "TO"})
"""sort-key (RFC 5256 §5, RFC 5957 §5)"""


@dataclass(frozen=True, slots=True)
class SortCriterion:
    """
    What messages are sorted by.

    @ivar key: one of L{SORT_KEYS}.
    """

    key: str
    is_reverse: bool = False


def has(criterion: Criterion, kind: type[Criterion]) -> bool:
    """Whether a criterion of that class is asked for anywhere."""
    match criterion:
        case And(criteria) | Or(criteria):
            return any(has(each, kind) for each in criteria)
        case Not(negated):
            return has(negated, kind)
        case _:
            return isinstance(criterion, kind)
