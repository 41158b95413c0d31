"""
Conversations: the two ways of RFC 5256 §3 to group messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trekd.store.terms import Threading


@dataclass(frozen=True, slots=True)
class Threadable:
    """
    What is known of a message that is grouped.

    @ivar date: sent, or arrived when nobody knows when it was sent; Unix seconds.
    @ivar subject: its base.
    @ivar is_reply: the subject says that it is a reply or was forwarded.
    @ivar message_id: C{""} without a valid one.
    @ivar references: identifiers of earlier messages, the oldest first.
    """

    uid: int
    date: int
    subject: str
    is_reply: bool
    message_id: str
    references: tuple[str, ...]


class Node:
    """
    A message in its conversation.

    @ivar uid: 0 stands for a message that is not there.
    """

    __slots__ = ("children", "date", "is_reply", "parent", "subject", "uid")

    def __init__(self) -> None:
        self.uid = 0
        self.date = 0
        self.subject = ""
        self.is_reply = False
        self.parent: Node | None = None
        self.children: dict[Node, None] = {}

    def fill(self, message: Threadable) -> None:
        """Stand for a message."""
        self.uid, self.date = message.uid, message.date
        self.subject, self.is_reply = message.subject, message.is_reply


MOST_ABOVE = 1000
"""Messages above another that are looked at for a loop; longer lines of ancestors count as one."""


def threaded(messages: Sequence[Threadable], way: Threading) -> list[tuple[int, int]]:
    """
    Group messages.

    @param messages: by UID, ascending.
    @return: each message's level, from 0 on, and UID; behind it what answers it.  UID 0 stands for a message that is
        not there, at level 0 only, with two or more below it.
    """
    roots = _by_references(messages) if way is Threading.REFERENCES else _by_subject(messages)
    found: list[tuple[int, int]] = []
    waiting = [(0, node) for node in reversed(roots)]
    while waiting:
        level, node = waiting.pop()
        found.append((level, node.uid))
        waiting += [(level + 1, child) for child in reversed(node.children)]
    return found


def _by_subject(messages: Sequence[Threadable]) -> list[Node]:
    roots: dict[str, Node] = {}
    for message in sorted(messages, key=lambda each: (each.date, each.uid)):
        node = Node()
        node.fill(message)
        first = roots.setdefault(message.subject, node)
        if first is not node:
            _adopt(first, node)
    return sorted(roots.values(), key=_when)


def _by_references(messages: Sequence[Threadable]) -> list[Node]:
    nodes = _linked(messages)
    roots = _pruned([node for node in nodes if node.parent is None])
    for node in roots:
        if not node.uid:
            _sort(node)
    roots.sort(key=_when)
    roots = _merged(roots)
    _sort_siblings(roots)
    return sorted(roots, key=_when)


def _when(node: Node) -> tuple[int, int]:
    """What siblings are sorted by; a message that is not there is as old as the first below it."""
    first = node if node.uid else next(iter(node.children))
    return first.date, first.uid


def _adopt(parent: Node, child: Node) -> None:
    if child.parent is not None:
        del child.parent.children[child]
    child.parent = parent
    parent.children[child] = None


def _sort(node: Node) -> None:
    node.children = dict.fromkeys(sorted(node.children, key=_when))


def _makes_loop(parent: Node, child: Node) -> bool:
    if parent is child:
        return True
    if not child.children:
        return False
    above: Node | None = parent
    for _ in range(MOST_ABOVE):
        if above is None:
            return False
        if above is child:
            return True
        above = above.parent
    return True


def _linked(messages: Sequence[Threadable]) -> list[Node]:
    """Step 1: messages below those that they refer to; among them such as are not there."""
    by_id: dict[str, Node] = {}
    nodes: list[Node] = []

    def named(identifier: str) -> Node:
        node = by_id.get(identifier)
        if node is None:
            node = by_id[identifier] = Node()
            nodes.append(node)
        return node

    for message in messages:
        node = named(message.message_id) if message.message_id else Node()
        if node.uid or not message.message_id:
            node = Node()  # without an identifier, or with that of an earlier message
            nodes.append(node)
        node.fill(message)
        above: Node | None = None
        for identifier in message.references:
            referred = named(identifier)
            if above is not None and referred.parent is None and not _makes_loop(above, referred):
                _adopt(above, referred)
            above = referred
        if node.parent is not None:
            del node.parent.children[node]
            node.parent = None
        if above is not None and not _makes_loop(above, node):
            _adopt(above, node)
    return nodes


def _pruned(roots: Iterable[Node]) -> list[Node]:
    """Step 3: without messages that are not there, but at the top where they hold others together."""
    for node in _youngest_first(roots):
        kept: list[Node] = []
        for child in node.children:
            kept += [child] if child.uid else child.children
        for child in kept:
            child.parent = node
        node.children = dict.fromkeys(kept)
    found: list[Node] = []
    for node in roots:
        if node.uid or len(node.children) > 1:
            found.append(node)
        else:
            found += node.children
    for node in found:
        node.parent = None
    return found


def _merged(roots: list[Node]) -> list[Node]:
    """Step 5: conversations with one base subject become one."""
    table: dict[str, Node] = {}
    for node in roots:
        subject = _subject(node)
        known = table.setdefault(subject, node)
        if known is not node and known.uid and (not node.uid or (known.is_reply and not node.is_reply)):
            table[subject] = node
    found: dict[Node, None] = dict.fromkeys(roots)
    for node in roots:
        subject = _subject(node)
        known = table[subject]
        if not subject or known is node:
            continue
        del found[node]
        if not known.uid and not node.uid:
            for child in list(node.children):
                _adopt(known, child)
        elif not known.uid or (node.is_reply and not known.is_reply):
            _adopt(known, node)
        else:
            del found[known]
            both = table[subject] = Node()
            _adopt(both, known)
            _adopt(both, node)
            found[both] = None
    return list(found)


def _subject(node: Node) -> str:
    return node.subject if node.uid else next(iter(node.children)).subject


def _sort_siblings(roots: Sequence[Node]) -> None:
    """Step 6."""
    for node in _youngest_first(roots):
        _sort(node)


def _youngest_first(roots: Iterable[Node]) -> list[Node]:
    """All messages, each before the one above it; however deep a conversation is."""
    found: list[Node] = []
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += node.children
    return found[::-1]
