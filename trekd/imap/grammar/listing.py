"""
The arguments of LIST, LSUB, XLIST and STATUS, octets to values (RFC 3501 §9, RFC 5258 §6, RFC 5819 §4, RFC 9590 §4).
"""

from __future__ import annotations

from trekd.imap.grammar.commands import STATUS_ITEMS, List, Lsub, Status, XList
from trekd.imap.grammar.metadata import entries
from trekd.imap.grammar.tokens import Cursor

_LIST_SELECT = frozenset({"SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"})
_LIST_RETURN = frozenset({"SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "STATUS", "METADATA"})


def read_list(cursor: Cursor, tag: bytes) -> List:
    """list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts] (RFC 5258 §6)"""
    cursor.sp()
    selection: frozenset[str] | None = None
    if cursor.peek() == b"(":
        selection = _list_select_opts(cursor)
        cursor.sp()
    reference = cursor.reference()
    cursor.sp()
    many = cursor.peek() == b"("
    patterns = cursor.some_of(cursor.list_mailbox) if many else (cursor.list_mailbox(),)
    if cursor.at_end:
        extended = many or selection is not None
        return List(tag, reference, patterns, extended, selection or frozenset())
    cursor.sp()
    return List(tag, reference, patterns, True, selection or frozenset(), *_list_return_opts(cursor))


def _list_select_opts(cursor: Cursor) -> frozenset[str]:
    """A modifier needs an option that can stand by itself (RFC 5258 §3.1)."""
    options = frozenset(cursor.list_of(lambda: cursor.choice(_LIST_SELECT, "list-select-opt")))
    if "RECURSIVEMATCH" in options and not options & {"SUBSCRIBED", "SPECIAL-USE"}:
        cursor.fail("list-select-base-opt beside RECURSIVEMATCH")
    return options


def _list_return_opts(cursor: Cursor) -> tuple[frozenset[str], tuple[str, ...], tuple[str, ...]]:
    """list-return-opts = "RETURN" SP "(" [return-option *(SP return-option)] ")" """
    items: list[str] = []
    annotations: list[str] = []

    def option() -> str:
        name = cursor.choice(_LIST_RETURN, "return-option")
        if name == "STATUS":
            cursor.sp()
            items.extend(_status_items(cursor))
        elif name == "METADATA":
            cursor.sp()
            annotations.extend(entries(cursor))
        return name

    cursor.choice(frozenset({"RETURN"}), "RETURN")
    cursor.sp()
    names = frozenset(cursor.list_of(option))
    return names, tuple(dict.fromkeys(items)), tuple(dict.fromkeys(annotations))


def read_lsub(cursor: Cursor, tag: bytes) -> Lsub:
    """lsub = "LSUB" SP mailbox SP list-mailbox"""
    cursor.sp()
    reference = cursor.reference()
    cursor.sp()
    return Lsub(tag, reference, cursor.list_mailbox())


def read_xlist(cursor: Cursor, tag: bytes) -> XList:
    """"XLIST" SP mailbox SP list-mailbox"""
    cursor.sp()
    reference = cursor.reference()
    cursor.sp()
    return XList(tag, reference, cursor.list_mailbox())


def read_status(cursor: Cursor, tag: bytes) -> Status:
    """status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")" """
    cursor.sp()
    mailbox = cursor.mailbox()
    cursor.sp()
    return Status(tag, mailbox, _status_items(cursor))


def _status_items(cursor: Cursor) -> tuple[str, ...]:
    items = cursor.some_of(lambda: cursor.choice(STATUS_ITEMS, "status-att"))
    return tuple(dict.fromkeys(items))
