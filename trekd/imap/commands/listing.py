r"""
LIST with its extensions, LSUB and XLIST (RFC 3501 §6.3.8, §6.3.9; RFC 5258; RFC 5819; RFC 6154; RFC 3348; RFC 9590).

Special use and C{\HasChildren} are shown unasked: clients that know only plain LIST look for them.  A name
without a mailbox is listed when there are mailboxes below it, as C{\Noselect} in the plain commands and as
C{\NonExistent} in the extended one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trekd.errors import SyntaxFault
from trekd.imap.commands.status import status_line
from trekd.imap.grammar.commands import List, Lsub, XList
from trekd.imap.grammar.names import ListPattern, list_pattern
from trekd.imap.grammar.writing import list_response, metadata_response
from trekd.imap.session import Session
from trekd.imap.tree import Tree, above, ordered, read_tree
from trekd.values import MailboxId, MailboxName

# --- LIST -----------------------------------------------------------------------------------------


async def list_mailboxes(session: Session, command: List) -> bytes:
    """List names; an empty pattern asks for the delimiter, but not in the extended form (RFC 5258 §3)."""
    if not command.extended and command.patterns == ("",):
        session.wire.write(list_response(["\\Noselect"], None))
        return b"OK LIST completed"
    if "RECURSIVEMATCH" in command.selection and not command.selection - {"RECURSIVEMATCH", "REMOTE"}:
        raise SyntaxFault("another selection option beside RECURSIVEMATCH")
    patterns = tuple(list_pattern(command.reference, pattern) for pattern in command.patterns if pattern)
    query = _Query.of(command, await read_tree(session.store), patterns)
    annotations = await session.store.annotations() if command.entries else {}
    lines = []
    for name in query.candidates():
        if query.matches(name):
            lines += [await _line(session, query, name), _metadata(query, name, annotations)]
    session.wire.write(b"".join(lines))
    return b"OK LIST completed"


@dataclass(frozen=True, slots=True)
class _Query:
    """
    An extended LIST and the names it is about.

    @ivar chosen: names that meet every selection criterion, C{None} when there is none.
    @ivar informed: names that get CHILDINFO: above one that is chosen and not listed itself (RFC 5258 §3.5).
    """

    command: List
    tree: Tree
    patterns: tuple[ListPattern, ...]
    chosen: frozenset[MailboxName] | None
    informed: frozenset[MailboxName]

    @classmethod
    def of(cls, command: List, tree: Tree, patterns: tuple[ListPattern, ...]) -> _Query:
        """Apply the selection options (RFC 5258 §3.1, RFC 6154 §2)."""
        if not command.selection - {"REMOTE"}:
            return cls(command, tree, patterns, None, frozenset())
        chosen = set(tree.mailboxes) | tree.subscribed
        if "SUBSCRIBED" in command.selection:
            chosen &= tree.subscribed
        if "SPECIAL-USE" in command.selection:
            chosen &= {name for name, state in tree.mailboxes.items() if state.special_use}
        informed: set[MailboxName] = set()
        if "RECURSIVEMATCH" in command.selection:
            informed = above(name for name in chosen if not _matches(patterns, name))
        return cls(command, tree, patterns, frozenset(chosen), frozenset(informed))

    def candidates(self) -> list[MailboxName]:
        """The names to be listed if they match, in order."""
        return ordered(self.tree.names() if self.chosen is None else self.chosen | self.informed)

    def matches(self, name: MailboxName) -> bool:
        """Whether one of the patterns matches."""
        return _matches(self.patterns, name)

    def is_chosen(self, name: MailboxName) -> bool:
        """Whether the name meets the criteria itself."""
        return self.chosen is None or name in self.chosen


def _matches(patterns: Iterable[ListPattern], name: MailboxName) -> bool:
    return any(pattern.matches(name) for pattern in patterns)


async def _line(session: Session, query: _Query, name: MailboxName) -> bytes:
    """A LIST response, with CHILDINFO and STATUS where they belong."""
    command = query.command
    absent = ("\\NonExistent", "\\Noselect") if command.extended else ("\\Noselect",)
    attributes = query.tree.attributes(name, absent)
    if "SUBSCRIBED" in command.selection | command.returns and name in query.tree.subscribed:
        attributes.append("\\Subscribed")
    criteria = sorted(command.selection - {"REMOTE", "RECURSIVEMATCH"}) if name in query.informed else []
    line = list_response(attributes, name, child_info=criteria)
    state = query.tree.mailboxes.get(name)
    if "STATUS" in command.returns and state is not None and query.is_chosen(name):
        line += await status_line(session, state, command.status_items)
    return line


def _metadata(query: _Query, name: MailboxName, annotations: Mapping[MailboxId, Mapping[str, bytes]]) -> bytes:
    """A METADATA response where one is asked for, C{NIL} for entries that are not there (RFC 9590 §3)."""
    state = query.tree.mailboxes.get(name)
    entries = query.command.entries
    if state is None or not entries or not query.is_chosen(name):
        return b""
    there = annotations.get(state.id, {})
    return metadata_response(name, {entry: there.get(entry.lower()) for entry in entries})


# --- LSUB and XLIST -------------------------------------------------------------------------------


async def lsub(session: Session, command: Lsub) -> bytes:
    r"""
    List subscriptions, by special use as well (quirk C{lsub-special-use}).

    With C{%} a name above subscribed ones is listed as C{\Noselect} when it is not subscribed itself
    (RFC 3501 §6.3.9).
    """
    if not command.pattern:
        session.wire.write(list_response(["\\Noselect"], None, response="LSUB"))
        return b"OK LSUB completed"
    pattern = list_pattern(command.reference, command.pattern)
    tree = await read_tree(session.store)
    superior = above(tree.subscribed) - tree.subscribed if "%" in pattern.text else set()
    for name in ordered(tree.subscribed | superior):
        if pattern.matches(name):
            attributes = ["\\Noselect"] if name in superior else _subscribed_attributes(tree, name)
            session.wire.write(list_response(attributes, name, response="LSUB"))
    return b"OK LSUB completed"


def _subscribed_attributes(tree: Tree, name: MailboxName) -> list[str]:
    state = tree.mailboxes.get(name)
    return list(state.special_use) if state is not None else []


async def xlist(session: Session, command: XList) -> bytes:
    r"""LIST as Google had it before RFC 6154: INBOX is C{\Inbox} (quirk C{lsub-special-use})."""
    if not command.pattern:
        session.wire.write(list_response(["\\Noselect"], None, response="XLIST"))
        return b"OK XLIST completed"
    pattern = list_pattern(command.reference, command.pattern)
    tree = await read_tree(session.store)
    for name in ordered(tree.names()):
        if pattern.matches(name):
            attributes = tree.attributes(name, ("\\Noselect",))
            if name.is_inbox:
                attributes.append("\\Inbox")
            session.wire.write(list_response(attributes, name, response="XLIST"))
    return b"OK XLIST completed"
