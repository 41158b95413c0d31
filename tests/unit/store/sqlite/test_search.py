"""Queries in SQL and message by message find the same; neither is stopped by their size."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.storecase import flags, uid_set, view_of
from tests.fakes.mime import PlainReader
from tests.unit.store.sqlite.conftest import Site
from trekd.store.interfaces import (
    MailboxView,
    NewMessage,
)
from trekd.store.sqlite import search
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
from trekd.values import INBOX, SEEN, Flag, MailboxName


def letter(number: int) -> NewMessage:
    """Messages that differ in everything that can be asked for."""
    header = f"Subject: Alpha {number % 3}\r\nFrom: f{number}@example.com\r\nX-Odd: {number % 2}\r\n"
    if number % 4:
        header += f"Date: {number} Jul 1996 23:59:59 -0700\r\n"
    texts = [text for step, text in ((2, "\\Seen"), (3, "$Work"), (5, "\\Flagged")) if number % step == 0]
    body = "needle" if number % 6 == 0 else "hay" * 10 * number
    date = datetime(1996, 8, number, 12, tzinfo=UTC)
    return NewMessage(f"{header}\r\n{body}\r\n".encode(), b"", flags(*texts), date)


@pytest.fixture
def view(site: Site) -> MailboxView:
    """INBOX with twelve messages, of which one is gone, and one that came later."""
    site.reactor.run(site.alice.append(INBOX, [letter(number) for number in range(1, 13)]))
    view = site.reactor.run(view_of(site.alice))
    site.reactor.run(site.alice.move(view, (range(6, 7),), site.reactor.run(site.alice.create(OTHER)).name))
    site.reactor.run(site.alice.append(INBOX, [letter(6)]))
    return view


OTHER = MailboxName("Other")
DAY = datetime(1996, 7, 6).toordinal()
LEAVES: st.SearchStrategy[Term] = st.one_of(
    st.sampled_from([HasFlag(SEEN), HasFlag(Flag("$work")), HasFlag(Flag("$absent"))]),
    st.sets(st.integers(1, 20)).map(lambda uids: HasUID(uid_set(*sorted(uids)))),
    st.builds(Size, st.none() | st.integers(0, 500), st.none() | st.integers(0, 2**70)),
    st.builds(
        Dated,
        st.sampled_from(DateKind),
        st.none() | st.integers(DAY - 6, DAY + 40),
        st.none() | st.integers(DAY - 6, DAY + 40),
    ),
    st.builds(HeaderText, st.sampled_from(["Subject", "from", "X-Odd", "Bcc"]), st.sampled_from(["", "ALPHA 1", "1"])),
    st.builds(BodyText, st.sampled_from(["", "NEEDLE", "hayhay", "alpha 2"]), st.booleans()),
)
TERMS: st.SearchStrategy[Term] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, max_size=4).map(lambda terms: AllOf(tuple(terms))),
        st.lists(inner, max_size=4).map(lambda terms: AnyOf(tuple(terms))),
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(TERMS)
def test_sql_finds_what_reading_finds(site: Site, view: MailboxView, term: Term) -> None:
    in_sql = site.reactor.run(site.alice.search(view, term))
    nodes, search.MOST_NODES = search.MOST_NODES, 0
    try:
        one_by_one = site.reactor.run(site.alice.search(view, term))
    finally:
        search.MOST_NODES = nodes
    assert in_sql == one_by_one
    assert set(in_sql) <= set(view.uids) - {7}


def test_query_of_many_terms(site: Site, view: MailboxView) -> None:
    """Thousands, in one row or inside each other: more than SQLite takes."""
    everything = [uid for uid in view.uids if uid != 7]
    term: Term = AnyOf(tuple(HeaderText("subject", "alpha") for _ in range(5000)))
    assert list(site.reactor.run(site.alice.search(view, term))) == everything
    term = AllOf(tuple(Not(HasFlag(Flag(f"k{number}"))) for number in range(5000)))
    assert list(site.reactor.run(site.alice.search(view, term))) == everything
    term = HasFlag(SEEN)
    for _ in range(200):
        term = Not(AnyOf((term,)))
    assert list(site.reactor.run(site.alice.search(view, term))) == [2, 4, 6, 8, 10, 12]


def test_needle_that_is_no_unicode(site: Site, view: MailboxView) -> None:
    """Lone surrogates cannot be stored, so they cannot be found."""
    assert not site.reactor.run(site.alice.search(view, HeaderText("subject", "\ud800")))


def test_long_search_lets_others_read(site: Site, view: MailboxView, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives its thread back every now and then."""
    monkeypatch.setattr(search, "AT_ONCE", 1)
    turns: list[int] = []

    class Counting(PlainReader):
        def text_contains(self, octets: bytes, parts: bytes, needle: str, with_header: bool) -> bool:
            turns.append(1)
            return super().text_contains(octets, parts, needle, with_header)

    object.__setattr__(site.alice._around, "reader", Counting())
    monkeypatch.setattr(search, "STEP_SECONDS", 0.0001)
    assert list(site.reactor.run(site.alice.search(view, BodyText("needle")))) == [6, 12]
    assert len(turns) == 11
