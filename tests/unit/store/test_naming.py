"""
Rules of mailbox names.
"""

from __future__ import annotations

import pytest

from trekd.errors import BadMailboxName, MailboxExists, NoSuchMailbox, NotPermitted, TrekError
from trekd.store.naming import FIRST_MAILBOXES, Renaming, listing_order, missing_superiors, plan_renaming
from trekd.values import INBOX, SPECIAL_USES, MailboxName


def named(*texts: str) -> tuple[MailboxName, ...]:
    """Mailbox names."""
    return tuple(map(MailboxName, texts))


def test_first_mailboxes_have_known_uses() -> None:
    """INBOX is the first and has none (RFC 6154 §2)."""
    assert FIRST_MAILBOXES[0] == (INBOX, ())
    assert {use for _, uses in FIRST_MAILBOXES for use in uses} <= set(SPECIAL_USES)


def test_inbox_is_listed_first() -> None:
    """Before names that sort before it; not so its inferiors."""
    names = named("a", "INBOX/x", "INBOX", "A", "!")
    assert sorted(names, key=listing_order) == list(named("INBOX", "!", "A", "INBOX/x", "a"))


def test_missing_superiors_come_from_the_top() -> None:
    """Those that are there are left out."""
    name = MailboxName("a/b/c/d")
    assert missing_superiors(name, ()) == named("a", "a/b", "a/b/c")
    assert missing_superiors(name, named("a/b")) == named("a", "a/b/c")
    assert missing_superiors(MailboxName("a"), ()) == ()


@pytest.mark.parametrize(
    ("source", "target", "taken", "create", "moves"),
    [
        ("a", "b", ["a"], [], [("a", "b")]),
        ("a", "x/y/b", ["a", "x"], ["x/y"], [("a", "x/y/b")]),
        ("a", "b", ["a", "a/c", "a/c/d", "ab"], [], [("a", "b"), ("a/c", "b/c"), ("a/c/d", "b/c/d")]),
        ("a", "b", ["a/c"], [], [("a/c", "b/c")]),
        ("a", "b", ["a", "b/x"], [], [("a", "b")]),
        ("a/b", "a", ["a/b", "a/b/b", "a/b/c"], [], [("a/b", "a"), ("a/b/b", "a/b"), ("a/b/c", "a/c")]),
        ("INBOX/a", "b", ["INBOX", "INBOX/a"], [], [("INBOX/a", "b")]),
        ("INBOX", "b/c", ["INBOX", "INBOX/a"], ["b", "b/c"], []),
        ("INBOX", "INBOX/b", ["INBOX"], ["INBOX/b"], []),
    ],
)
def test_renaming_is_planned(
    source: str, target: str, taken: list[str], create: list[str], moves: list[tuple[str, str]]
) -> None:
    """RFC 3501 §6.3.5."""
    plan = plan_renaming(MailboxName(source), MailboxName(target), named(*taken))
    expected = Renaming(named(*create), tuple((MailboxName(old), MailboxName(new)) for old, new in moves))
    assert plan == expected


def test_no_new_name_is_taken_when_its_turn_comes() -> None:
    """The moves can be made one by one."""
    taken = set(named("t/b", "t/b/c", "t/b/b", "t/b/b/c", "t/b/b/b", "t/b/b/b/b", "x"))
    plan = plan_renaming(MailboxName("t/b"), MailboxName("t"), taken)
    for old, new in plan.moves:
        taken.remove(old)
        assert new not in taken
        taken.add(new)
    assert taken == set(named("t", "t/b", "t/c", "t/b/c", "t/b/b", "t/b/b/b", "x"))


@pytest.mark.parametrize(
    ("source", "target", "taken", "error"),
    [
        ("a", "b", [], NoSuchMailbox),
        ("a", "b", ["ab"], NoSuchMailbox),
        ("a", "b", ["a", "b"], MailboxExists),
        ("a", "a", ["a"], MailboxExists),
        ("a", "a", ["a/b"], MailboxExists),
        ("a", "b", ["a", "a/c", "b/c"], MailboxExists),
        ("a", "a/b", ["a"], NotPermitted),
        ("a", "INBOX", ["a", "INBOX"], MailboxExists),
        ("INBOX", "b", ["INBOX", "b"], MailboxExists),
        ("INBOX", "INBOX", ["INBOX"], MailboxExists),
        ("a", "b" * 500, ["a", "a/" + "c" * 600], BadMailboxName),
    ],
)
def test_renaming_is_refused(source: str, target: str, taken: list[str], error: type[TrekError]) -> None:
    """Each refusal of the contract."""
    with pytest.raises(error):
        plan_renaming(MailboxName(source), MailboxName(target), named(*taken))
