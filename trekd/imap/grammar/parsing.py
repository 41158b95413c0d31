"""
The second step of reading: a command's fragments to its value.

A table names the commands and the function that reads each one's arguments; an extension is a row.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from typing import TypeAlias

from trekd.errors import LimitExceeded, SyntaxFault, UnknownCommand
from trekd.imap.grammar import commands
from trekd.imap.grammar.append import append, replace
from trekd.imap.grammar.attributes import fetch_attributes
from trekd.imap.grammar.commands import Command
from trekd.imap.grammar.criteria import DEFAULT_CODEC, charset_codec, search_keys
from trekd.imap.grammar.fetch import FetchItem
from trekd.imap.grammar.listing import read_list, read_lsub, read_status, read_xlist
from trekd.imap.grammar.metadata import read_get, read_set
from trekd.imap.grammar.modifiers import fetch_modifiers, select_parameters, store_modifier
from trekd.imap.grammar.notify import read_wishes
from trekd.imap.grammar.tokens import Cursor, ParseOptions
from trekd.values import SPECIAL_USES, MailboxName

_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
"""base64 = *(4base64-char) [base64-terminal], the length checked besides"""
_STORE = re.compile(rb"([+-]?FLAGS)(\.SILENT)?(?= )", re.IGNORECASE)
_RETURN = re.compile(rb"RETURN \(", re.IGNORECASE)
_CHARSET = re.compile(rb"CHARSET ", re.IGNORECASE)
_SPECIAL_USE_BY_FOLDED = {use.lower(): use for use in SPECIAL_USES}

_SEARCH_RETURN = frozenset({"MIN", "MAX", "ALL", "COUNT", "SAVE"})

_ID_PAIRS = 30
_ID_FIELD = 30
_ID_VALUE = 1024


def parse_command(fragments: tuple[bytes, ...], options: ParseOptions) -> Command:
    """
    Read a whole command, but of APPEND and REPLACE those with a literal (RFC 3501 §9, command).

    @param fragments: as in L{trekd.imap.grammar.fragments.CommandOctets}.
    @raise UnknownCommand: there is no command of that name.
    @raise BadCharset: SEARCH in an unknown charset.
    @raise SyntaxFault: the tag or the arguments are malformed; C{fragments.command_tag} has the tag for the
        answer.
    @raise BadMailboxName: all is well-formed, but no mailbox can have that name.
    """
    cursor = Cursor(fragments, options)
    tag = cursor.tag()
    cursor.sp()
    return _dispatch(_COMMANDS, cursor, tag)


def sasl_response(line: bytes) -> bytes | None:
    """
    Read a line of the authentication exchange.

    @return: the decoded response; C{None} when the client cancels with C{*}, to be answered C{BAD}
        (RFC 3501 §6.2.2).
    @raise SyntaxFault: it is not base64.
    """
    if line == b"*":
        return None
    if len(line) % 4 or not _BASE64.fullmatch(line):
        raise SyntaxFault("base64")
    return binascii.a2b_base64(line)


# --- Arguments ------------------------------------------------------------------------------------

_Arguments: TypeAlias = Callable[[Cursor, bytes], Command]


def _dispatch(table: dict[str, _Arguments], cursor: Cursor, tag: bytes) -> Command:
    arguments = table.get(cursor.keyword())
    if arguments is None:
        raise UnknownCommand("command")
    command = arguments(cursor, tag)
    cursor.end()
    return command


def _bare(made: Callable[[bytes], Command]) -> _Arguments:
    return lambda cursor, tag: made(tag)


def _one_mailbox(made: Callable[[bytes, MailboxName], Command]) -> _Arguments:
    def read(cursor: Cursor, tag: bytes) -> Command:
        cursor.sp()
        return made(tag, cursor.mailbox())

    return read


def _authenticate(cursor: Cursor, tag: bytes) -> Command:
    """"AUTHENTICATE" SP auth-type [SP (base64 / "=")] (RFC 4959 §7)"""
    cursor.sp()
    mechanism = cursor.keyword()
    if cursor.at_end:
        return commands.Authenticate(tag, mechanism, None)
    cursor.sp()
    response = cursor.match(_BASE64, "base64")[0]
    if response == b"=":
        return commands.Authenticate(tag, mechanism, b"")
    if not response:
        cursor.fail("base64")
    return commands.Authenticate(tag, mechanism, sasl_response(response))


def _login(cursor: Cursor, tag: bytes) -> Command:
    """login = "LOGIN" SP userid SP password"""
    cursor.sp()
    username = cursor.text()
    cursor.sp()
    return commands.Login(tag, username, cursor.astring())


def _enable(cursor: Cursor, tag: bytes) -> Command:
    """enable = "ENABLE" 1*(SP capability)"""
    names: list[str] = []
    while not names or not cursor.at_end:
        cursor.sp()
        names.append(cursor.keyword())
    return commands.Enable(tag, tuple(names))


def _compress(cursor: Cursor, tag: bytes) -> Command:
    """compress = "COMPRESS" SP algorithm (RFC 4978 §5)"""
    cursor.sp()
    return commands.Compress(tag, cursor.keyword())


def _id(cursor: Cursor, tag: bytes) -> Command:
    """id = "ID" SP ("(" #(string SP nstring) ")" / nil), with the limits of RFC 2971 §3.3"""
    cursor.sp()
    if cursor.nil():
        return commands.Id(tag, ())

    def pair() -> tuple[bytes, bytes | None]:
        name = cursor.string()
        cursor.sp()
        return name, cursor.nstring()

    pairs = cursor.list_of(pair)
    if len(pairs) > _ID_PAIRS or any(
        len(name) > _ID_FIELD or len(value or b"") > _ID_VALUE for name, value in pairs
    ):
        raise LimitExceeded("id-params-list")
    return commands.Id(
        tag,
        tuple(
            (name.decode("utf-8", "replace"), None if value is None else value.decode("utf-8", "replace"))
            for name, value in pairs
        ),
    )


def _create(cursor: Cursor, tag: bytes) -> Command:
    """create = "CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"] (RFC 6154 §6)"""
    cursor.sp()
    mailbox = cursor.new_mailbox()
    if cursor.at_end:
        return commands.Create(tag, mailbox)
    cursor.sp()
    cursor.expect(b"(")
    cursor.choice(frozenset({"USE"}), "create-param")
    cursor.sp()
    uses = cursor.list_of(lambda: _use_attr(cursor))
    cursor.expect(b")")
    return commands.Create(tag, mailbox, tuple(dict.fromkeys(uses)))


def _use_attr(cursor: Cursor) -> str:
    """use-attr = "\\" atom"""
    cursor.expect(b"\\")
    use = "\\" + cursor.atom()
    return _SPECIAL_USE_BY_FOLDED.get(use.lower(), use)


def _select(cursor: Cursor, tag: bytes) -> commands.Select:
    """select = "SELECT" SP mailbox [SP "(" select-param *(SP select-param) ")"] (RFC 4466 §2.1, RFC 7162 §7)"""
    cursor.sp()
    mailbox = cursor.mailbox()
    return commands.Select(tag, mailbox, *select_parameters(cursor))


def _examine(cursor: Cursor, tag: bytes) -> Command:
    """examine = "EXAMINE" SP mailbox [select-params]"""
    select = _select(cursor, tag)
    return commands.Examine(tag, select.mailbox, select.condstore, select.resync)


def _rename(cursor: Cursor, tag: bytes) -> Command:
    """rename = "RENAME" SP mailbox SP mailbox"""
    cursor.sp()
    source = cursor.mailbox()
    cursor.sp()
    return commands.Rename(tag, source, cursor.new_mailbox())


def _notify(cursor: Cursor, tag: bytes) -> Command:
    """notify = "NOTIFY" SP (notify-set / notify-none) (RFC 5465 §8)"""
    return commands.Notify(tag, read_wishes(cursor))


def _get_metadata(cursor: Cursor, tag: bytes) -> Command:
    """getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries (RFC 5464 §5)"""
    return commands.GetMetadata(tag, *read_get(cursor))


def _set_metadata(cursor: Cursor, tag: bytes) -> Command:
    """setmetadata = "SETMETADATA" SP mailbox SP entry-values (RFC 5464 §5)"""
    return commands.SetMetadata(tag, *read_set(cursor))


def _get_quota(cursor: Cursor, tag: bytes) -> Command:
    """getquota = "GETQUOTA" SP quota-root-name (RFC 9208 §7)"""
    cursor.sp()
    return commands.GetQuota(tag, cursor.astring())


def _set_quota(cursor: Cursor, tag: bytes) -> Command:
    """setquota = "SETQUOTA" SP quota-root-name SP "(" [resource-name SP number64 *(SP ...)] ")" (RFC 9208 §7)"""
    cursor.sp()
    root = cursor.astring()
    cursor.sp()

    def resource() -> None:
        cursor.atom()
        cursor.sp()
        cursor.number64()

    cursor.list_of(resource)
    return commands.SetQuota(tag, root)


def _search(cursor: Cursor, tag: bytes, uid: bool = False) -> Command:
    """search = "SEARCH" [search-return-opts] SP search-program (RFC 4466 §3, RFC 4731 §4)"""
    cursor.sp()
    returns = None
    if cursor.test(_RETURN):
        cursor.keyword()
        cursor.sp()
        named = cursor.list_of(lambda: cursor.choice(_SEARCH_RETURN, "search-return-opt"))
        # An empty list is as good as ALL (RFC 4731 §3.1).
        returns = frozenset(named or ("ALL",))
        cursor.sp()
    codec = DEFAULT_CODEC
    if cursor.test(_CHARSET):
        cursor.keyword()
        cursor.sp()
        codec = charset_codec(cursor.astring())
        cursor.sp()
    return commands.Search(tag, search_keys(cursor, codec), uid, returns)


def _fetch(cursor: Cursor, tag: bytes, uid: bool = False) -> Command:
    """
    fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / list of fetch-att) [fetch-modifiers]
    """
    cursor.sp()
    sequence_set = cursor.messages()
    cursor.sp()
    attributes = fetch_attributes(cursor)
    changed_since, vanished = fetch_modifiers(cursor, uid)
    if changed_since is not None and FetchItem.MODSEQ not in attributes:
        attributes = (FetchItem.MODSEQ, *attributes)
    if uid and FetchItem.UID not in attributes:
        attributes = (FetchItem.UID, *attributes)
    return commands.Fetch(tag, sequence_set, attributes, uid, changed_since, vanished)


def _store(cursor: Cursor, tag: bytes, uid: bool = False) -> Command:
    """
    store = "STORE" SP sequence-set [SP "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")"] SP
    ["+" / "-"] "FLAGS" [".SILENT"] SP (flag-list / flags) (RFC 3501 §9, RFC 7162 §7)
    """
    cursor.sp()
    sequence_set = cursor.messages()
    cursor.sp()
    unchanged_since = store_modifier(cursor)
    found = cursor.match(_STORE, "store-att-flags")
    cursor.sp()
    operation = commands.StoreOperation(found[1].decode("ascii").upper())
    return commands.Store(tag, sequence_set, operation, bool(found[2]), cursor.flags(), uid, unchanged_since)


def _copy(cursor: Cursor, tag: bytes, uid: bool = False) -> Command:
    """copy = "COPY" SP sequence-set SP mailbox"""
    cursor.sp()
    sequence_set = cursor.messages()
    cursor.sp()
    return commands.Copy(tag, sequence_set, cursor.mailbox(), uid)


def _move(cursor: Cursor, tag: bytes, uid: bool = False) -> Command:
    """move = "MOVE" SP sequence-set SP mailbox (RFC 6851 §6)"""
    cursor.sp()
    sequence_set = cursor.messages()
    cursor.sp()
    return commands.Move(tag, sequence_set, cursor.mailbox(), uid)


def _uid_expunge(cursor: Cursor, tag: bytes) -> Command:
    """uid-expunge = "UID" SP "EXPUNGE" SP sequence-set (RFC 4315 §4)"""
    cursor.sp()
    return commands.UidExpunge(tag, cursor.messages())


def _uid(cursor: Cursor, tag: bytes) -> Command:
    """uid = "UID" SP (copy / fetch / search / store / move / expunge)"""
    cursor.sp()
    return _dispatch(_UID_COMMANDS, cursor, tag)


_UID_COMMANDS: dict[str, _Arguments] = {
    "COPY": lambda cursor, tag: _copy(cursor, tag, uid=True),
    "EXPUNGE": _uid_expunge,
    "FETCH": lambda cursor, tag: _fetch(cursor, tag, uid=True),
    "MOVE": lambda cursor, tag: _move(cursor, tag, uid=True),
    "REPLACE": lambda cursor, tag: replace(cursor, tag, uid=True),
    "SEARCH": lambda cursor, tag: _search(cursor, tag, uid=True),
    "STORE": lambda cursor, tag: _store(cursor, tag, uid=True),
}

_COMMANDS: dict[str, _Arguments] = {
    "APPEND": append,
    "AUTHENTICATE": _authenticate,
    "CAPABILITY": _bare(commands.Capability),
    "CHECK": _bare(commands.Check),
    "CLOSE": _bare(commands.Close),
    "COPY": _copy,
    "CREATE": _create,
    "DELETE": _one_mailbox(commands.Delete),
    "COMPRESS": _compress,
    "UNAUTHENTICATE": _bare(commands.Unauthenticate),
    "ENABLE": _enable,
    "EXAMINE": _examine,
    "EXPUNGE": _bare(commands.Expunge),
    "FETCH": _fetch,
    "GETMETADATA": _get_metadata,
    "GETQUOTA": _get_quota,
    "GETQUOTAROOT": _one_mailbox(commands.GetQuotaRoot),
    "ID": _id,
    "IDLE": _bare(commands.Idle),
    "LIST": read_list,
    "LOGIN": _login,
    "LOGOUT": _bare(commands.Logout),
    "LSUB": read_lsub,
    "MOVE": _move,
    "NAMESPACE": _bare(commands.Namespace),
    "NOOP": _bare(commands.Noop),
    "NOTIFY": _notify,
    "RENAME": _rename,
    "REPLACE": replace,
    "SEARCH": _search,
    "SELECT": _select,
    "SETMETADATA": _set_metadata,
    "SETQUOTA": _set_quota,
    "STARTTLS": _bare(commands.StartTLS),
    "STATUS": read_status,
    "STORE": _store,
    "SUBSCRIBE": _one_mailbox(commands.Subscribe),
    "UID": _uid,
    "UNSELECT": _bare(commands.Unselect),
    "UNSUBSCRIBE": _one_mailbox(commands.Unsubscribe),
    "XLIST": read_xlist,
}
