"""
Address lists of header fields (RFC 5322 §3.4, §4.4), read leniently.

What is no address is still shown as one, so that nothing written in a From or To field is hidden from who
reads or checks it.  Comments are skipped; the last one names an address without display name (RFC 822 usage).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from trekd.mime.encoded import guess
from trekd.mime.header import MAX_VALUE, field_value, named_fields, split_header
from trekd.mime.wire import nstring, string

MAX_ADDRESSES = 10_000
"""Addresses of one list that are looked at."""

_ATEXT = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\x80-\xff-]+"
_WORDS = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\x80-\xff \t-]*"
_SIMPLE = re.compile(
    rb'[ \t]*(?:(?:"([^"\\]*)"|(' + _WORDS + rb"))[ \t]*<(" + _ATEXT + rb")@(" + _ATEXT + rb")>"
    rb"|(" + _ATEXT + rb")@(" + _ATEXT + rb"))[ \t]*(?:,|\Z)"
)
_TOKEN = re.compile(
    rb'(?P<space>\s+)|"(?P<quoted>[^"\\]*(?:\\.[^"\\]*)*)"?|(?P<literal>\[[^\[\]]*\]?)'
    rb'|(?P<special>[<>@,:;.()])|(?P<atom>[^\s"\[<>@,:;.()]+)',
    re.S,
)
_COMMENT = re.compile(rb"[^()\\]+|\\.|[()\\]", re.S)
_ESCAPED = re.compile(rb"\\(.)", re.S)


@dataclass(frozen=True, slots=True)
class EnvelopeAddress:
    """
    One C{address} of an ENVELOPE (RFC 3501 §7.4.2), or a group's marker.

    @ivar name: display name, unquoted, encoded words as written, C{None} without one.
    @ivar route: obsolete source route, C{None} without one.
    @ivar local: local part, unquoted, C{b""} when missing; a group's name where the group starts, C{None}
        where it ends.
    @ivar domain: C{b""} when missing, C{None} in the markers of a group.
    """

    name: bytes | None
    route: bytes | None
    local: bytes | None
    domain: bytes | None

    @property
    def wire(self) -> bytes:
        """
        C{address} (RFC 3501 §9).

        A missing domain gets a word of its own, as Dovecot does: NIL would start a group.
        """
        if self.domain is None:
            return b"(NIL NIL %b NIL)" % nstring(self.local)
        return b"(%b %b %b %b)" % (
            nstring(self.name),
            nstring(self.route),
            string(self.local or b"MISSING_MAILBOX"),
            string(self.domain or b"MISSING_DOMAIN"),
        )


def addresses(value: bytes) -> tuple[EnvelopeAddress, ...]:
    """
    Read C{address-list} from an unfolded value.

    @return: in order; a group is its start marker, its members and its end marker.
    """
    found: list[EnvelopeAddress] = []
    offset = 0
    while offset < len(value) and len(found) < MAX_ADDRESSES:
        match = _SIMPLE.match(value, offset)
        if match is None:
            found.extend(_Parser(value, offset).entries())
            break
        quoted, words, local, domain, bare, bare_domain = match.groups()
        if bare is not None:
            found.append(EnvelopeAddress(None, None, bare, bare_domain))
        else:
            name = quoted if quoted is not None else b" ".join(words.split())
            found.append(EnvelopeAddress(name or None, None, local, domain))
        offset = match.end()
    return tuple(found)


def wire_addresses(value: bytes | None) -> bytes:
    """C{env-from} and its like (RFC 3501 §9): a list of at least one address, or NIL."""
    entries = addresses(value) if value else ()
    return b"(" + b"".join([entry.wire for entry in entries]) + b")" if entries else b"NIL"


def from_addresses(octets: bytes) -> tuple[str, ...]:
    """
    All addresses of all From fields of a message, as C{local@domain} with the local part unquoted.

    What is no address, and what is past the limits of reading, is listed as well, with nothing behind the
    C{@}: whoever checks a sender must refuse it.
    """
    found: list[str] = []
    for raw in named_fields(octets[: split_header(octets)], (b"from",)):
        entries = addresses(field_value(raw))
        found += [_readable(entry) for entry in entries if entry.domain is not None]
        if len(raw) > MAX_VALUE or len(entries) >= MAX_ADDRESSES:
            found.append("@")
    return tuple(found)


def _readable(entry: EnvelopeAddress) -> str:
    return f"{guess(entry.local or b'')}@{guess(entry.domain or b'')}"


@dataclass(frozen=True, slots=True)
class _Word:
    """A token: its kind (a group's name in L{_TOKEN}), its octets, whether white space stood before it."""

    kind: str
    octets: bytes
    spaced: bool


class _Parser:
    """The full grammar, for one list."""

    def __init__(self, value: bytes, offset: int) -> None:
        self._value = value
        self._offset = offset
        self._in_group = False
        self._restart()

    def _restart(self) -> None:
        self._words: list[_Word] = []
        self._angle: list[_Word] | None = None
        self._open = False
        self._has_at = False
        self._in_route = False
        self._comment: bytes | None = None

    def entries(self) -> Iterator[EnvelopeAddress]:
        """Each address and marker, at most L{MAX_ADDRESSES}."""
        count = 0
        for word in self._tokens():
            for entry in self._take(word):
                count += 1
                yield entry
            if count >= MAX_ADDRESSES:
                break
        yield from self._flush()
        if self._in_group:
            yield EnvelopeAddress(None, None, None, None)

    def _tokens(self) -> Iterator[_Word]:
        spaced = False
        value, length = self._value, len(self._value)
        while self._offset < length:
            match = _TOKEN.match(value, self._offset)
            if match is None:  # a "]" cannot begin anything else
                self._offset += 1
                continue
            self._offset = match.end()
            kind = str(match.lastgroup)
            octets = match[kind]
            if octets == b"(" and kind == "special":
                self._skip_comment()
                spaced = True
            elif kind == "space":
                spaced = True
            else:
                if kind == "quoted":
                    octets = _ESCAPED.sub(rb"\1", octets)
                yield _Word(kind, octets, spaced)
                spaced = False

    def _skip_comment(self) -> None:
        """Pass the rest of a comment, nested ones included, and remember its text (RFC 5322 §3.2.2)."""
        depth, start = 1, self._offset
        while depth and self._offset < len(self._value):
            match = _COMMENT.match(self._value, self._offset)
            if match is None:  # a backslash that ends the value
                self._offset += 1
                continue
            self._offset = match.end()
            depth += {b"(": 1, b")": -1}.get(match[0], 0)
        stop = self._offset if depth else self._offset - 1
        self._comment = b" ".join(_ESCAPED.sub(rb"\1", self._value[start:stop]).split())

    def _take(self, word: _Word) -> Iterator[EnvelopeAddress]:
        special = word.octets if word.kind == "special" else b""
        if self._open:
            yield from self._take_in_angle(word, special)
        elif special == b"<":
            if self._angle is not None:
                yield from self._flush()
            self._angle, self._open = [], True
        elif special == b",":
            yield from self._flush()
        elif special == b";":
            yield from self._end_group()
        elif special == b":" and not (self._in_group or self._has_at or self._angle is not None):
            self._in_group = True
            name = _phrase(self._words)
            self._restart()
            yield EnvelopeAddress(None, None, name, None)
        elif self._angle is None and special not in (b">", b")"):
            self._has_at = self._has_at or special == b"@"
            self._words.append(word)

    def _take_in_angle(self, word: _Word, special: bytes) -> Iterator[EnvelopeAddress]:
        angle = self._angle
        assert angle is not None  # it is open
        if special == b">":
            self._open = False
        elif special == b"<":
            angle.clear()
            self._in_route = False
        elif special == b"," and not self._in_route:
            yield from self._flush()
        elif special == b";" and self._in_group:
            yield from self._end_group()
        else:
            self._in_route = special != b":" and (self._in_route or (special == b"@" and not angle))
            angle.append(word)

    def _end_group(self) -> Iterator[EnvelopeAddress]:
        yield from self._flush()
        if self._in_group:
            self._in_group = False
            yield EnvelopeAddress(None, None, None, None)

    def _flush(self) -> Iterator[EnvelopeAddress]:
        words, angle, comment = self._words, self._angle, self._comment
        self._restart()
        if angle is not None:
            route, rest = _split_route(angle)
            yield EnvelopeAddress(_phrase(words) or comment or None, route, *_split_address(rest))
        elif len(words) > 1 and _last_at(words) < 0:
            yield EnvelopeAddress(_phrase(words), None, b"", b"")
        elif words:
            start = _address_start(words)
            name = _phrase(words[:start]) or comment or None
            yield EnvelopeAddress(name, None, *_split_address(words[start:]))


def _last_at(words: list[_Word]) -> int:
    """Where the last C{@} stands, -1 without one."""
    for index in range(len(words) - 1, -1, -1):
        if words[index].kind == "special" and words[index].octets == b"@":
            return index
    return -1


def _address_start(words: list[_Word]) -> int:
    """Where the local part of C{Some Name local@domain}, written without angle brackets, begins."""
    start = _last_at(words)
    if start <= 0:
        return 0
    start -= 1
    while start and (not words[start].spaced or b"." in (words[start].octets, words[start - 1].octets)):
        start -= 1
    return start


def _split_address(words: list[_Word]) -> tuple[bytes, bytes]:
    at = _last_at(words)
    if at < 0:
        return _phrase(words), b""
    return _phrase(words[:at]), b"".join([word.octets for word in words[at + 1 :]])


def _split_route(angle: list[_Word]) -> tuple[bytes | None, list[_Word]]:
    """The source route without its colon, and what follows it."""
    if angle and angle[0].kind == "special" and angle[0].octets == b"@":
        for index, word in enumerate(angle):
            if word.kind == "special" and word.octets == b":":
                return b"".join([part.octets for part in angle[:index]]), angle[index + 1 :]
    return None, angle


def _phrase(words: list[_Word]) -> bytes:
    """Join words as they stood, each run of white space as one space."""
    text = b"".join([b" " + word.octets if word.spaced else word.octets for word in words])
    return text[1:] if words and words[0].spaced else text
