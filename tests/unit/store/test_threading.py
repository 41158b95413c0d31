"""
Conversations (RFC 5256 §3), where the transcript does not go.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from trekd.store.terms import Threading
from trekd.store.threading import Threadable, threaded


def message(uid: int, subject: str = "", references: tuple[str, ...] = (), is_reply: bool = False) -> Threadable:
    """A message whose identifier is its UID, sent in the order of UIDs."""
    return Threadable(uid, uid, subject, is_reply, str(uid), references)


def test_an_endless_conversation_has_an_end() -> None:
    """Ten thousand answers, each to the one before."""
    messages = [message(uid, references=(str(uid - 1),)) for uid in range(1, 10001)]
    assert threaded(messages, Threading.REFERENCES) == [(uid - 1, uid) for uid in range(1, 10001)]


def test_messages_that_refer_to_each_other() -> None:
    """No link that would make a circle."""
    messages = [message(1, references=("3",)), message(2, references=("1",)), message(3, references=("2", "3"))]
    found = threaded(messages, Threading.REFERENCES)
    assert sorted(uid for _, uid in found) == [1, 2, 3]


def test_conversations_of_one_subject_are_one() -> None:
    """RFC 5256 §3 (5): beside each other below nobody, or below the first that is no reply."""
    by = Threading.REFERENCES
    assert threaded([message(1, "A"), message(2, "A")], by) == [(0, 0), (1, 1), (1, 2)]
    assert threaded([message(1, "A", is_reply=True), message(2, "A")], by) == [(0, 2), (1, 1)]
    assert threaded([message(1, "A"), message(2, "A"), message(3, "A", is_reply=True)], by) == [
        (0, 0),
        (1, 1),
        (1, 2),
        (1, 3),
    ]
    assert threaded([message(1), message(2)], by) == [(0, 1), (0, 2)]


def test_two_messages_with_one_identifier() -> None:
    """The first has it."""
    twice = [message(1), Threadable(2, 2, "", False, "1", ()), message(3, references=("1",))]
    assert threaded(twice, Threading.REFERENCES) == [(0, 1), (1, 3), (0, 2)]


_NAMES = st.sampled_from(["", "1", "2", "3", "4", "5", "gone", "lost"])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.sampled_from(["", "A", "B"]),
            st.booleans(),
            _NAMES,
            st.lists(_NAMES.filter(bool), max_size=4),
        ),
        max_size=12,
    ),
    st.sampled_from(Threading),
)
def test_every_message_is_told_once(given: list[tuple[int, str, bool, str, list[str]]], way: Threading) -> None:
    """However they refer to each other; who is not there holds two or more together, at the top."""
    messages = [
        Threadable(uid, date, subject, is_reply, name, tuple(references))
        for uid, (date, subject, is_reply, name, references) in enumerate(given, 1)
    ]
    found = threaded(messages, way)
    assert sorted(uid for _, uid in found if uid) == list(range(1, len(given) + 1))
    for place, (level, uid) in enumerate(found):
        assert level == 0 if not place else level <= found[place - 1][0] + 1
        if not uid:
            end = next((at for at in range(place + 1, len(found)) if found[at][0] == 0), len(found))
            assert level == 0 and [below for below, _ in found[place + 1 : end]].count(1) >= 2
