"""
Header fields of a message or part as octets (RFC 5322 §2.2, §3.6.8).

A header ends with its first empty line; without one, everything is header.  Lines end in LF with or without
CR before it; octets without any LF are read as if each CR were one.  A line that is no field and no
continuation is kept where it stands and belongs to nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import TypeVar

from trekd.mime.octets import Octets

MAX_HEADER = 1 << 20
"""Octets of one header that are looked at for facts; what follows is only stored."""

MAX_FIELDS = 10_000
"""Fields of one header that are looked at for facts."""

MAX_VALUE = 1 << 16
"""Octets of one value, or of several joined, that are looked at."""

AnyOctets = TypeVar("AnyOctets", bound=Octets)

FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.M)
"""C{field-name *WSP ":" unstructured} (RFC 5322 §2.2, §4.5); groups: name and folded value."""

_NAME = re.compile(rb"[!-9;-~]+")
_REMEMBERED = 1000

_RAW = re.compile(rb"([^\n:]*+)[^\n]*+(?:\n[ \t][^\n]*+)*+\n?")


def line_feeds(octets: AnyOctets) -> AnyOctets | bytes:
    """
    Octets of the same length whose lines end in LF, with or without CR before it: offsets stay valid.

    @return: C{octets} itself, unless its only line ends are bare CRs.
    """
    end = len(octets)
    if octets.find(b"\n", 0, end) >= 0 or octets.find(b"\r", 0, end) < 0:
        return octets
    return octets[0:end].replace(b"\r", b"\n")


def body_offset(octets: Octets, start: int, limit: int) -> int:
    """
    Where the body begins: behind the first empty line from C{start} on, C{limit} when there is none.

    @param octets: with LF line ends (L{line_feeds}).
    """
    if octets.startswith(b"\r\n", start, limit):
        return start + 2
    if octets.startswith(b"\n", start, limit):
        return start + 1
    crlf = octets.find(b"\n\r\n", start, limit)
    bare = octets.find(b"\n\n", start, crlf + 1 if crlf >= 0 else limit)
    if bare >= 0:
        return bare + 2
    return crlf + 3 if crlf >= 0 else limit


def split_header(octets: bytes) -> int:
    """The length of a message's header in octets, the empty line included."""
    return body_offset(line_feeds(octets), 0, len(octets))


def unfold(value: bytes) -> bytes:
    """A field's value without line breaks and surrounding white space (RFC 5322 §2.2.3), bounded."""
    value = value[:MAX_VALUE].strip()
    return value.translate(None, b"\r\n") if b"\n" in value else value


def fields(octets: Octets, start: int, stop: int) -> Iterator[tuple[bytes, bytes]]:
    """
    Each field's name in lower case and folded value (L{unfold} it), in order.

    @param octets: with LF line ends (L{line_feeds}).
    @param stop: where the header ends; what is past L{MAX_HEADER} or L{MAX_FIELDS} is left out.
    """
    found = FIELD.finditer(octets[start : min(stop, start + MAX_HEADER)])
    for match in islice(found, MAX_FIELDS):
        yield match[1].lower(), match[2]


def raw_fields(header: bytes) -> Iterator[tuple[bytes, bytes]]:
    """
    All octets of a header, unbounded: each field's lower-case name and its octets, continuations included.

    The empty line comes last, under the name C{b""}, as do lines that are no fields.
    """
    readable = line_feeds(header)
    for match in _RAW.finditer(readable):
        start, stop = match.span()
        if start == stop:
            break
        name = match[1].rstrip(b" \t")
        is_field = readable.startswith(b":", match.end(1)) and b" " not in name
        yield (name.lower() if is_field else b""), header[start:stop]


def named_fields(header: bytes, names: tuple[bytes, ...]) -> list[bytes]:
    """
    The octets of each field that has one of the names, in any letter case, as L{raw_fields} gives them, in order.

    @param header: a header's octets, unbounded.
    """
    search = _named(names)
    if search is None or not header.endswith(b"\n"):
        wanted = frozenset([name.lower() for name in names]) - {b""}
        return [raw for name, raw in raw_fields(header) if name in wanted]
    return [found[1:] + b"\n" for found in search(b"\n" + header)]


@lru_cache(maxsize=256)
def fields_cutter(names: tuple[bytes, ...]) -> Callable[[bytes], bytes]:
    """What does as L{named_fields} for many headers: it takes a header and gives the fields in one piece."""
    search = _named(names)

    def cut(header: bytes) -> bytes:
        if search is None or not header.endswith(b"\n"):
            return b"".join(named_fields(header, names))
        found = b"".join(search(b"\n" + header))
        return found[1:] + b"\n" if found else b""

    return cut


@lru_cache(maxsize=256)
def _named(names: tuple[bytes, ...]) -> Callable[[bytes], list[bytes]] | None:
    """
    What finds the fields of these names, each with the line end before it and without its last; C{None} when there are
    no such names, or too much of them.

    The expression begins with a line end and a look at the first letter because that is fastest.
    """
    known = sorted({name.lower() for name in names if _NAME.fullmatch(name)})
    if not known or len(b":".join(names)) > _REMEMBERED:
        return None
    first = re.escape(bytes({octet for name in known for octet in (name[0], name.upper()[0])}))
    alternatives = b"|".join(map(re.escape, known))
    return re.compile(
        rb"(?i)\n(?=[%b])(?:%b)[ \t]*:[^\n]*+(?:\n[ \t][^\n]*+)*+(?=\n)" % (first, alternatives)
    ).findall


def has_field(octets: bytes, name: bytes) -> bool:
    """Whether a message has a field of that name, in any letter case."""
    return bool(named_fields(octets[: split_header(octets)], (name,)))


def field_values(octets: bytes, name: bytes) -> tuple[bytes, ...]:
    """The unfolded values of all fields of that name in a message, in order, each bounded by L{MAX_VALUE}."""
    return tuple([field_value(raw) for raw in named_fields(octets[: split_header(octets)], (name,))])


def field_value(raw: bytes) -> bytes:
    """The unfolded value of a field's octets, bounded by L{MAX_VALUE}."""
    return unfold(line_feeds(raw).partition(b":")[2])


def remove_fields(octets: bytes, names: Iterable[bytes]) -> bytes:
    """The message without the fields of those names, every other octet as it was."""
    unwanted = frozenset(name.lower() for name in names)
    length = split_header(octets)
    kept = b"".join(raw for name, raw in raw_fields(octets[:length]) if name not in unwanted)
    return kept + octets[length:]
