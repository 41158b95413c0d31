"""
APPEND and REPLACE (RFC 3501 §6.3.11, RFC 3502, RFC 4469, RFC 8508): what stands around their literals.

The literals are streamed and never seen here.  A command is read in pieces, one before each literal and one behind the
last; each piece says what to do first, and what the literal behind it is.
"""

from __future__ import annotations

import re

from trekd.imap.grammar import commands
from trekd.imap.grammar.commands import AppendMessage, AppendPiece, AppendStep, LiteralUse, MessageComplete, MessageURL
from trekd.imap.grammar.sequence import SequenceSet
from trekd.imap.grammar.tokens import Cursor, ParseOptions
from trekd.values import Flag

_SEQ_NUMBER = re.compile(rb"\*|[1-9][0-9]{0,9}(?![0-9])")
"""seq-number = nz-number / "*" """
_CATENATE = re.compile(rb"CATENATE \(", re.IGNORECASE)


def parse_append(fragments: tuple[bytes, ...], options: ParseOptions) -> commands.Append:
    """
    Read APPEND, REPLACE or UID REPLACE up to the first literal of a message.

    @param fragments: as in the first L{trekd.imap.grammar.fragments.MessageOffered}.
    @raise SyntaxFault: as L{trekd.imap.grammar.parsing.parse_command}.
    @raise BadMailboxName: likewise.
    """
    cursor = Cursor(fragments, options)
    tag = cursor.tag()
    cursor.sp()
    name = cursor.choice(frozenset({"APPEND", "REPLACE", "UID"}), "APPEND")
    if name == "APPEND":
        return append(cursor, tag, has_literal=True)
    if name == "UID":
        cursor.sp()
        cursor.choice(frozenset({"REPLACE"}), "REPLACE")
    return replace(cursor, tag, uid=name == "UID", has_literal=True)


def parse_append_piece(fragments: tuple[bytes, ...], behind: LiteralUse, options: ParseOptions) -> AppendPiece:
    """
    Read what stands between two literals.

    @param fragments: as in the second and later L{trekd.imap.grammar.fragments.MessageOffered}.
    @param behind: what the literal before it was.
    @raise SyntaxFault: it is malformed.
    """
    return _piece(Cursor(fragments, options), behind is not LiteralUse.MESSAGE, has_literal=True)


def parse_append_end(rest: bytes, behind: LiteralUse, options: ParseOptions) -> AppendPiece:
    """
    Read what stands behind the last literal.

    @raise SyntaxFault: it is malformed.
    """
    return _piece(Cursor((rest,), options), behind is not LiteralUse.MESSAGE, has_literal=False)


def append(cursor: Cursor, tag: bytes, has_literal: bool = False) -> commands.Append:
    """
    append = "APPEND" SP mailbox 1*append-message (RFC 4466 §6)

    @param has_literal: a literal of a message follows.
    """
    cursor.sp()
    return commands.Append(tag, cursor.mailbox(), _piece(cursor, False, has_literal, is_first=True))


def replace(cursor: Cursor, tag: bytes, uid: bool = False, has_literal: bool = False) -> commands.Replace:
    """replace = "REPLACE" SP seq-number SP mailbox append-message (RFC 8508 §5)"""
    cursor.sp()
    replaced = SequenceSet.parse(cursor.match(_SEQ_NUMBER, "seq-number")[0])
    cursor.sp()
    mailbox = cursor.mailbox()
    return commands.Replace(tag, mailbox, _piece(cursor, False, has_literal, is_first=True), replaced, uid)


def _piece(cursor: Cursor, inside: bool, has_literal: bool, is_first: bool = False) -> AppendPiece:
    """
    append-message = [SP flag-list] [SP date-time] SP append-data
    append-data = literal / literal8 / "CATENATE" SP "(" cat-part *(SP cat-part) ")" (RFC 4466 §6, RFC 4469 §5)

    @param inside: the cursor is behind a cat-part.
    @param is_first: a message has to come.
    """
    steps: list[AppendStep] = []
    while True:
        if inside and cursor.skip(b")"):
            steps.append(MessageComplete())
            inside = False
        elif inside:
            cursor.sp()
            use = _cat_part(cursor, steps, has_literal)
            if use is not None:
                return AppendPiece(tuple(steps), use)
        elif cursor.at_end and not has_literal and not is_first:
            return AppendPiece(tuple(steps), None)
        else:
            is_first = False
            steps.append(_head(cursor))
            if not cursor.test(_CATENATE):
                cursor.skip(b"~")
                _require_literal(cursor, has_literal)
                return AppendPiece(tuple(steps), LiteralUse.MESSAGE)
            cursor.match(_CATENATE, "CATENATE")
            use = _cat_part(cursor, steps, has_literal)
            if use is not None:
                return AppendPiece(tuple(steps), use)
            inside = True


def _head(cursor: Cursor) -> AppendMessage:
    """[SP flag-list] [SP date-time] SP"""
    if cursor.at_end and not cursor.peek():
        cursor.fail("literal")
    cursor.sp()
    flags: tuple[Flag, ...] = ()
    moment = None
    if cursor.peek() == b"(":
        flags = cursor.flag_list()
        cursor.sp()
    if cursor.peek() == b'"':
        moment = cursor.date_time()
        cursor.sp()
    return AppendMessage(flags, moment)


def _cat_part(cursor: Cursor, steps: list[AppendStep], has_literal: bool) -> LiteralUse | None:
    """
    cat-part = "TEXT" SP literal / "URL" SP astring (RFC 4469 §5)

    @return: what the literal is that comes next, C{None} when the part is whole.
    """
    kind = cursor.choice(frozenset({"TEXT", "URL"}), "cat-part")
    cursor.sp()
    if kind == "URL" and cursor.peek():
        steps.append(MessageURL(cursor.astring()))
        return None
    if kind == "TEXT":
        cursor.skip(b"~")
    _require_literal(cursor, has_literal)
    return LiteralUse.TEXT if kind == "TEXT" else LiteralUse.URL


def _require_literal(cursor: Cursor, has_literal: bool) -> None:
    if cursor.peek() or not has_literal:
        cursor.fail("literal")
