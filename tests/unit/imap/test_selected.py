"""The view of one session: what numbers mean, and what went."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.imapsite import IMAPSite
from trekd.errors import SyntaxFault
from trekd.imap.grammar.sequence import SequenceSet
from trekd.imap.selected import SelectedMailbox, _vanished

_UIDS = st.lists(st.integers(1, 200), unique=True, max_size=40).map(sorted)


def selected(count: int) -> SelectedMailbox:
    """INBOX with some messages, as a session has it."""
    site = IMAPSite()
    site.fill(count)
    session = site.user().select().protocol._session
    assert session is not None
    return session.mailbox


@given(known=_UIDS, data=st.data())
def test_expunges_replayed_in_order_leave_the_survivors(known: list[int], data: st.DataObject) -> None:
    """RFC 3501 §7.4.1: each EXPUNGE moves the numbers of those behind it."""
    survivors = [uid for uid in known if data.draw(st.booleans())]
    arrived = [500, 501]
    client = list(known)
    for seq in _vanished(array("I", known), array("I", survivors + arrived), len(survivors)):
        del client[seq - 1]
    assert client == survivors


def test_few_expunges_in_a_large_mailbox_cost_little() -> None:
    known = array("I", range(1, 1_000_001))
    survivors = known[:]
    del survivors[777_777]
    assert list(_vanished(known, survivors, len(survivors))) == [777_778]


def test_positions_of_sequence_numbers() -> None:
    view = selected(5)
    assert view.positions(SequenceSet.parse(b"1:2,4:*"), uid=False) == (range(2), range(3, 5))
    with pytest.raises(SyntaxFault):
        view.positions(SequenceSet.parse(b"6"), uid=False)


def test_positions_of_uids_skip_what_is_not_there() -> None:
    view = selected(5)
    assert view.positions(SequenceSet.parse(b"2:3,99"), uid=True) == (range(1, 3),)
    assert view.positions(SequenceSet.parse(b"99"), uid=True) == ()
    assert view.positions_of(array("I", [1, 2, 5, 9])) == (range(2), range(4, 5))


def test_nothing_to_announce_after_selecting() -> None:
    view = selected(2)
    assert not view.needs_announcement(expunge=True, now=0.0)
    assert view.needs_announcement(expunge=True, now=61.0), "a hint may have been lost"
