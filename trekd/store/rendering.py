"""
Stored values as they go on the wire, and response lines made of them.

Every provider renders with these functions, or stores what they return and concatenates it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from trekd.store.interfaces import Column, Extract, Form, LineTemplate, Listing
from trekd.values import SYSTEM_FLAGS, Flag

PIECE_OCTETS = 65536
"""A piece of a listing is sent on when it has reached this size, and is never larger."""

NIL = b"NIL"

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SYSTEM_ORDER = {flag: place for place, flag in enumerate(SYSTEM_FLAGS)}


def internal_date(moment: datetime) -> bytes:
    """
    C{date-time} of RFC 3501 §9, quotes included, in the moment's own zone; without one it is UTC.

    Example: C{"17-Jul-1996 02:44:25 -0700"}; a day of one digit has a space before it.
    """
    minutes = round((moment.utcoffset() or timedelta()) / timedelta(minutes=1))
    hours, minutes_left = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    return (
        f'"{moment.day:2d}-{_MONTHS[moment.month - 1]}-{moment.year:04d}'
        f' {moment:%H:%M:%S} {sign}{hours:02d}{minutes_left:02d}"'
    ).encode()


def internal_day(moment: datetime) -> int:
    """The day of an internal date as written, zone disregarded, as a proleptic ordinal (RFC 3501 §6.4.4)."""
    return moment.toordinal()


def flag_list(flags: Iterable[Flag]) -> bytes:
    """FLAGS with its parentheses: system flags in the order of L{SYSTEM_FLAGS}, then keywords, sorted."""
    ordered = sorted(flags, key=lambda flag: (_SYSTEM_ORDER.get(flag.text, len(_SYSTEM_ORDER)), flag.text))
    return b"(%b)" % b" ".join(flag.text.encode() for flag in ordered)


def with_recent(flags: bytes) -> bytes:
    """What L{flag_list} returned, with C{\\Recent} as the first flag."""
    return b"(\\Recent)" if flags == b"()" else b"(\\Recent " + flags[1:]


def literal(octets: bytes) -> bytes:
    """The octets as a literal (RFC 3501 §4.3)."""
    return b"{%d}\r\n%b" % (len(octets), octets)


@dataclass(frozen=True, slots=True)
class Source:
    """
    A message as L{extract} needs it.

    @ivar parts: as the message reader returned them.
    @ivar size: of the whole message in octets, whatever C{octets} holds.
    @ivar octets: the message from its start; the header is enough for extracts that stay within it.
    """

    parts: bytes
    header_length: int
    size: int
    octets: bytes


def extract(wanted: Extract, source: Source) -> bytes:
    """What C{wanted} asks for."""
    found = located(wanted, source.parts, source.header_length, source.size)
    if found is None:
        return absent(wanted)
    octets = source.octets[found[0] : found[1]]
    return chosen(wanted, octets if wanted.decode is None else wanted.decode(source.parts, octets))


def absent(wanted: Extract) -> bytes:
    """What stands for a part that the message does not have."""
    return b"0" if wanted.form is Form.SIZE else NIL


def located(wanted: Extract, parts: bytes, header_length: int, size: int) -> tuple[int, int] | None:
    """The range of a message that C{wanted} is taken from."""
    return (0, header_length) if wanted.locate is None else wanted.locate(parts, header_length, size)


def chosen(wanted: Extract, octets: bytes) -> bytes:
    """What C{wanted} asks for, of the octets of its range, decoded."""
    if wanted.select is not None:
        octets = wanted.select(octets)
    if wanted.partial is not None:
        origin, length = wanted.partial
        octets = octets[origin : origin + length]
    if wanted.form is Form.SIZE:
        return b"%d" % len(octets)
    if wanted.form is Form.BINARY and b"\0" in octets:
        return b"~" + literal(octets)
    return literal(octets)


def line(template: LineTemplate, uid: int, value: Callable[[Column], bytes], source: Callable[[], Source]) -> bytes:
    """
    One message's response.

    @param value: a column's octets, as L{Column} describes them; C{FLAGS} without C{\\Recent}.
    @param source: called at most once, and only when the template has an L{Extract}.
    """
    recent = 0 < template.recent_from <= uid
    origin: Source | None = None
    octets = []
    for item in template.items:
        if isinstance(item, bytes):
            octets.append(item)
        elif isinstance(item, Column):
            octets.append(with_recent(value(item)) if recent and item is Column.FLAGS else value(item))
        else:
            origin = origin or source()
            octets.append(extract(item, origin))
    return b"".join(octets)


def pieces(lines: Iterable[bytes]) -> Iterator[Listing]:
    """
    Cut the responses of messages into pieces of at most L{PIECE_OCTETS}.

    A message counts in the piece that has its first octet.
    """
    waiting: list[bytes] = []
    size = messages = 0
    for octets in lines:
        if size + len(octets) > PIECE_OCTETS and waiting:
            yield Listing(b"".join(waiting), messages)
            waiting, size, messages = [], 0, 0
        messages += 1
        while len(octets) > PIECE_OCTETS:
            yield Listing(octets[:PIECE_OCTETS], messages)
            octets, messages = octets[PIECE_OCTETS:], 0
        waiting.append(octets)
        size += len(octets)
    if waiting:
        yield Listing(b"".join(waiting), messages)
