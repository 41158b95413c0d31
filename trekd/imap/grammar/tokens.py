"""
A cursor over one command's fragments, with a method for each token of RFC 3501 §9.

Every method reads its rule at the cursor and moves behind it, or raises L{SyntaxFault} with the rule's name
and the octet's place; the fault holds nothing of what the client sent.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from trekd.errors import LimitExceeded, SyntaxFault
from trekd.imap.grammar.names import decode_name
from trekd.imap.grammar.sequence import SAVED, SequenceSet
from trekd.values import Flag, MailboxName

T = TypeVar("T")

_ATOM = re.compile(rb"[!#$&',\-./0-9:;<=>?@A-Z\[^_`a-z|}~+]+")
"""atom = 1*ATOM-CHAR: no "(" ")" "{" SP CTL "%" "*" DQUOTE "\\" "]" """
_ASTRING_ATOM = re.compile(rb"[!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~+]+")
"""1*ASTRING-CHAR, ASTRING-CHAR = ATOM-CHAR / resp-specials"""
_LIST_ATOM = re.compile(rb"[!#$%&'*,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~+]+")
"""1*list-char, list-char = ATOM-CHAR / list-wildcards / resp-specials"""
_TAG = re.compile(rb"[!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+")
"""tag = 1*<any ASTRING-CHAR except "+">"""
_QUOTED = re.compile(rb'"([^"\\\x00\r\n]*+(?:\\["\\][^"\\\x00\r\n]*+)*+)"')
"""quoted = DQUOTE *QUOTED-CHAR DQUOTE; octets above 127 are let in, as clients send them in passwords"""
_ESCAPED = re.compile(rb'\\(["\\])')
_NUMBER = re.compile(rb"[0-9]{1,19}(?![0-9])")
_SEQUENCE_SET = re.compile(rb"[0-9*:,]+")
_DATE = re.compile(rb"([ 0-9]?[0-9])-([A-Za-z]{3})-([0-9]{4})")
_TIME = re.compile(rb" ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})\Z")
_MONTHS = {
    month: number
    for number, month in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)
}


@dataclass(frozen=True, slots=True)
class ParseOptions:
    """
    What the session allows.

    @ivar utf8: whether mailbox names are UTF-8 (RFC 6855 §3) instead of modified UTF-7.
    @ivar max_nesting: depth of parentheses and C{NOT} in SEARCH.
    @ivar max_items: members of one parenthesised list.
    """

    utf8: bool = False
    max_nesting: int = 100
    max_items: int = 1000


class Cursor:
    """
    A place in a command.

    @ivar options: the session's.
    """

    __slots__ = ("_at", "_fragments", "_index", "_line", "options")

    def __init__(self, fragments: tuple[bytes, ...], options: ParseOptions) -> None:
        self.options = options
        self._fragments = fragments
        self._index = 0
        self._line = fragments[0]
        self._at = 0

    # --- Single octets and ends ------------------------------

    def fail(self, rule: str) -> NoReturn:
        """
        Complain about the octets at the cursor.

        @raise SyntaxFault: always.
        """
        raise SyntaxFault(rule, sum(map(len, self._fragments[: self._index])) + self._at)

    def peek(self) -> bytes:
        """The next octet of this line piece, empty at its end."""
        return self._line[self._at : self._at + 1]

    def skip(self, octets: bytes) -> bool:
        """Whether the exact octets came next, in which case they are behind the cursor now."""
        if not self._line.startswith(octets, self._at):
            return False
        self._at += len(octets)
        return True

    def expect(self, octets: bytes) -> None:
        """Read the exact octets."""
        if not self.skip(octets):
            self.fail(ascii(octets.decode("ascii")))

    def sp(self) -> None:
        """SP = %x20"""
        if not self._line.startswith(b" ", self._at):
            self.fail("SP")
        self._at += 1

    @property
    def at_end(self) -> bool:
        """Whether nothing but spaces follows."""
        return self._index == len(self._fragments) - 1 and not self._line[self._at :].strip(b" ")

    def end(self) -> None:
        """Require the end of the command; spaces before it are forgiven."""
        if not self.at_end:
            self.fail("CRLF")

    def match(self, pattern: re.Pattern[bytes], rule: str) -> re.Match[bytes]:
        """Read what a pattern matches within this line piece."""
        found = pattern.match(self._line, self._at)
        if not found:
            self.fail(rule)
        self._at = found.end()
        return found

    def test(self, pattern: re.Pattern[bytes]) -> bool:
        """Whether a pattern matches at the cursor, which stays."""
        return pattern.match(self._line, self._at) is not None

    # --- Atoms and strings ------------------------------

    def tag(self) -> bytes:
        """tag = 1*<any ASTRING-CHAR except "+">"""
        return self.match(_TAG, "tag")[0]

    def atom(self) -> str:
        """atom = 1*ATOM-CHAR"""
        return self.match(_ATOM, "atom")[0].decode("ascii")

    def keyword(self) -> str:
        """An atom that the grammar compares whatever its letter case, in upper case."""
        return self.match(_ATOM, "atom")[0].decode("ascii").upper()

    def choice(self, allowed: frozenset[str] | Mapping[str, object], rule: str) -> str:
        """One of some keywords, in upper case."""
        start = self._at
        found = self.keyword()
        if found not in allowed:
            self._at = start
            self.fail(rule)
        return found

    def quoted(self) -> bytes:
        """quoted = DQUOTE *QUOTED-CHAR DQUOTE"""
        text = self.match(_QUOTED, "quoted")[1]
        return _ESCAPED.sub(rb"\1", text) if b"\\" in text else text

    def literal(self) -> bytes:
        """literal = "{" number ["+"] "}" CRLF *CHAR8, CHAR8 = %x01-ff"""
        if self._at < len(self._line) or self._index == len(self._fragments) - 1:
            self.fail("literal")
        octets = self._fragments[self._index + 1]
        if b"\x00" in octets:
            self.fail("literal without NUL")
        self._index += 2
        self._line = self._fragments[self._index]
        self._at = 0
        return octets

    def string(self) -> bytes:
        """string = quoted / literal"""
        if self.peek() not in (b'"', b""):
            self.fail("string")
        return self.literal() if self._at == len(self._line) else self.quoted()

    def astring(self) -> bytes:
        """astring = 1*ASTRING-CHAR / string"""
        found = _ASTRING_ATOM.match(self._line, self._at)
        if not found:
            return self.string()
        self._at = found.end()
        return found[0]

    def nstring(self) -> bytes | None:
        """nstring = string / nil"""
        return None if self.nil() else self.string()

    def nil(self) -> bool:
        """Whether C{NIL} came next, in which case it is behind the cursor now."""
        found = _ATOM.match(self._line, self._at)
        if not found or found[0].upper() != b"NIL":
            return False
        self._at = found.end()
        return True

    def text(self) -> str:
        """An astring in UTF-8."""
        start = self._at
        try:
            return self.astring().decode("utf-8")
        except UnicodeDecodeError:
            self._at = start
            self.fail("UTF-8")

    # --- Numbers, sets, lists ------------------------------

    def number64(self) -> int:
        """number64 = 1*DIGIT, below 2**63 (RFC 9051 §9)"""
        value = int(self.match(_NUMBER, "number")[0])
        if value >= 1 << 63:
            self.fail("number below 2**63")
        return value

    def sequence_set(self) -> SequenceSet:
        """sequence-set = (seq-number / seq-range) *("," sequence-set)"""
        start = self._at
        octets = self.match(_SEQUENCE_SET, "sequence-set")[0]
        try:
            return SequenceSet.parse(octets)
        except SyntaxFault as fault:
            self._at = start
            self.fail(fault.rule)

    def messages(self) -> SequenceSet:
        """sequence-set =/ "$" (RFC 5182 §4)"""
        return SAVED if self.skip(b"$") else self.sequence_set()

    def list_of(self, item: Callable[[], T]) -> tuple[T, ...]:
        """
        "(" [item *(SP item)] ")"

        @raise LimitExceeded: it has more than C{max_items}.
        """
        self.expect(b"(")
        if self.skip(b")"):
            return ()
        items = [item()]
        while not self.skip(b")"):
            self.sp()
            items.append(item())
            if len(items) > self.options.max_items:
                raise LimitExceeded("list", self._at)
        return tuple(items)

    def some_of(self, item: Callable[[], T]) -> tuple[T, ...]:
        """"(" item *(SP item) ")\""""
        items = self.list_of(item)
        if not items:
            self.fail("list of at least one")
        return items

    # --- Mailboxes and flags ------------------------------

    def mailbox(self) -> MailboxName:
        """
        mailbox = "INBOX" / astring

        @raise BadMailboxName: the grammar allows it, but no mailbox can have that name.
        """
        return MailboxName(self._name(self.astring))

    def new_mailbox(self) -> MailboxName:
        """CREATE's mailbox, whose trailing delimiter only announces inferior names (RFC 3501 §6.3.3)."""
        return MailboxName(self._name(self.astring).removesuffix(MailboxName.DELIMITER))

    def reference(self) -> str:
        """LIST's first argument, a mailbox that may be empty or incomplete."""
        return self._name(self.astring)

    def list_mailbox(self) -> str:
        """list-mailbox = 1*list-char / string"""
        return self._name(self._list_mailbox)

    def _list_mailbox(self) -> bytes:
        found = _LIST_ATOM.match(self._line, self._at)
        if not found:
            return self.string()
        self._at = found.end()
        return found[0]

    def _name(self, read: Callable[[], bytes]) -> str:
        octets = read()
        try:
            return decode_name(octets, self.options.utf8)
        except SyntaxFault as fault:
            self.fail(fault.rule)

    def flag(self) -> Flag | None:
        """
        flag = "\\Answered" / "\\Flagged" / "\\Deleted" / "\\Seen" / "\\Draft" / flag-keyword / flag-extension

        @return: C{None} for C{\\Recent} and for system flags of the future, which nobody can set; a
            change of a flag that is not permanent is ignored (RFC 3501 §7.1, PERMANENTFLAGS; quirk
            C{found-at-once}).
        """
        backslash = "\\" if self.skip(b"\\") else ""
        text = backslash + self.atom()
        try:
            return Flag(text)
        except SyntaxFault:
            if backslash:
                return None
            self.fail("flag")

    def flag_list(self) -> tuple[Flag, ...]:
        """flag-list = "(" [flag *(SP flag)] ")", repetitions left out"""
        return _settable(self.list_of(self.flag))

    def flags(self) -> tuple[Flag, ...]:
        """flag-list / (flag *(SP flag)), as STORE has it"""
        if self.peek() == b"(":
            return self.flag_list()
        found = [self.flag()]
        while not self.at_end:
            self.sp()
            found.append(self.flag())
            if len(found) > self.options.max_items:
                raise LimitExceeded("list of flags", self._at)
        return _settable(tuple(found))

    # --- Dates ------------------------------

    def date(self) -> datetime.date:
        """date = date-text / DQUOTE date-text DQUOTE, date-text = date-day "-" date-month "-" date-year"""
        quote = b'"' if self.skip(b'"') else b""
        day = self._date()
        self.expect(quote)
        return day

    def date_time(self) -> datetime.datetime:
        """
        date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE

        @return: with the client's zone; convertible to UTC.
        """
        start = self._at
        self.expect(b'"')
        day = self._date()
        end = self._line.find(b'"', self._at)
        found = _TIME.match(self._line[: max(end, 0)], self._at)
        if not found:
            self.fail("time SP zone")
        hour, minute, second, zone_hours, zone_minutes = (int(found[group]) for group in (1, 2, 3, 5, 6))
        offset = datetime.timedelta(hours=zone_hours, minutes=zone_minutes)
        try:
            zone = datetime.timezone(-offset if found[4] == b"-" else offset)
            # A leap second is stored as the second before it.
            value = datetime.datetime.combine(day, datetime.time(hour, minute, min(second, 59), tzinfo=zone))
            value.astimezone(datetime.UTC)
        except (ValueError, OverflowError):
            self._at = start
            self.fail("date-time")
        if second > 60:
            self.fail("time")
        self._at = end + 1
        return value

    def _date(self) -> datetime.date:
        start = self._at
        found = self.match(_DATE, "date")
        try:
            return datetime.date(int(found[3]), _MONTHS[found[2].lower()], int(found[1]))
        except (KeyError, ValueError):
            self._at = start
            self.fail("date")


def _settable(flags: tuple[Flag | None, ...]) -> tuple[Flag, ...]:
    return tuple(dict.fromkeys(flag for flag in flags if flag is not None))
