"""
Queries on one message.
"""

from __future__ import annotations

from array import array

import pytest

from tests.fakes.mime import PlainReader
from trekd.store.matching import needs_octets, predicate
from trekd.store.terms import (
    AllOf,
    AnyOf,
    BodyText,
    Dated,
    DateKind,
    HasFlag,
    HasUID,
    HeaderText,
    Not,
    Size,
    Term,
)
from trekd.values import SEEN, Flag


class Seldom:
    """A message that notes when its octets are asked for."""

    uid = 5
    flags = frozenset((SEEN, Flag("$Label")))
    size = 100
    internal_day = 10
    sent_date: int | None = None
    parts = b"17"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def folded_field(self, field: str) -> str:
        """The subject; other fields are empty."""
        return "straße".casefold() if field == "subject" else ""

    def header(self) -> bytes:
        """The header, noted."""
        self.asked.append("header")
        return b"X-Other: Value\r\n\r\n"

    def octets(self) -> bytes:
        """The message, noted."""
        self.asked.append("octets")
        return b"X-Other: Value\r\n\r\nSome TEXT"


CASES: list[tuple[Term, bool]] = [
    (HasFlag(Flag("\\SEEN")), True),
    (HasFlag(Flag("$label")), True),
    (HasFlag(Flag("other")), False),
    (HasUID(array("I", [1, 5])), True),
    (HasUID(array("I", [1, 6])), False),
    (HasUID(array("I")), False),
    (Size(99, 101), True),
    (Size(100), False),
    (Size(below=100), False),
    (Dated(DateKind.INTERNAL, 10, 11), True),
    (Dated(DateKind.INTERNAL, before=10), False),
    (Dated(DateKind.INTERNAL, since=11), False),
    (Dated(DateKind.SENT), False),
    (HeaderText("Subject", "STRASSE"), True),
    (HeaderText("From", "x"), False),
    (HeaderText("x-other", "VALUE"), True),
    (HeaderText("x-other", ""), True),
    (HeaderText("subject", ""), False),
    (HeaderText("x-öther", ""), False),
    (BodyText("some text"), True),
    (BodyText("value"), False),
    (BodyText("value", header=True), True),
    (BodyText(""), True),
    (AllOf(), True),
    (AnyOf(()), False),
]


@pytest.mark.parametrize(("term", "expected"), CASES)
def test_term_matches(term: Term, expected: bool) -> None:
    """Alone, negated, and in company."""
    for query, answer in (
        (term, expected),
        (Not(term), not expected),
        (AllOf((AllOf(), term)), expected),
        (AnyOf((term, AnyOf(()))), expected),
        (Not(Not(term)), expected),
    ):
        assert predicate(query, PlainReader())(Seldom()) is answer


@pytest.mark.parametrize(("term", "expected"), CASES)
def test_octets_are_asked_for_only_when_announced(term: Term, expected: bool) -> None:
    """L{needs_octets} tells beforehand."""
    message = Seldom()
    predicate(Not(AllOf((AllOf(), term))), PlainReader())(message)
    assert needs_octets(Not(AnyOf((term,)))) == bool(message.asked)


def test_cheap_terms_are_asked_first() -> None:
    """A flag decides before the text is read, however the query is written."""
    message = Seldom()
    reader = PlainReader()
    assert not predicate(AllOf((BodyText("x"), HeaderText("x-other", "y"), HasFlag(Flag("other")))), reader)(message)
    assert predicate(AnyOf((BodyText("x"), HasFlag(SEEN))), reader)(message)
    assert predicate(Not(AllOf((Not(BodyText("x")), Not(HasFlag(SEEN))))), reader)(message)
    assert message.asked == []
