"""
C{BODY[section]}: exactly the octets that a section names (RFC 3501 §6.4.5, RFC 9051 §6.4.5).

A message that is no multipart has one part, number 1, its body.  Below a message/rfc822 part the numbers are
those of the message inside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trekd.errors import UnknownEncoding
from trekd.mime.encoded import transfer_decoded_pieces
from trekd.mime.header import field_values, fields_cutter, raw_fields
from trekd.mime.parameters import transfer_encoding
from trekd.mime.parts import ENCODINGS, MESSAGE, MULTIPART, Part, unpack

KINDS = ("", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME")
"""What may be asked of a part; C{""} is the whole part, or the whole message."""


@dataclass(frozen=True, slots=True)
class Section:
    """
    A C{section-spec} (RFC 3501 §9).

    @ivar path: part numbers, 1-based, empty for the message itself.
    @ivar kind: one of L{KINDS}.
    @ivar fields: names for C{HEADER.FIELDS} and C{HEADER.FIELDS.NOT}, in any letter case.
    """

    path: tuple[int, ...] = ()
    kind: str = ""
    fields: tuple[bytes, ...] = ()

    @property
    def is_header(self) -> bool:
        """Whether the message's own header is enough to cut it (L{cut_header})."""
        return not self.path and self.kind.startswith("HEADER")


def cut(octets: bytes, parts: bytes, section: Section) -> bytes | None:
    """
    The octets of a section.

    @param parts: the message's part index.
    @return: C{None} when the message has no such part, or the part has no header or text of that kind.
    """
    found = locate(section, parts, 0, len(octets))
    if found is None:
        return None
    cut_out = octets[found[0] : found[1]]
    return cut_header(cut_out, section) if section.kind.startswith("HEADER") else cut_out


def locate(section: Section, parts: bytes, header_length: int, size: int) -> tuple[int, int] | None:
    """
    Where the octets of a section lie in a message; for C{HEADER.FIELDS} those of the header it is cut from.

    @param header_length: octets of the message's header, blank line included; not needed but by L{Extract
        <trekd.store.interfaces.Extract>}'s form.
    @return: C{None} as for L{cut}.
    """
    if not section.path and not section.kind:
        return 0, size
    part = _part(unpack(parts), section.path)
    if part is None:
        return None
    if section.kind == "":
        return part.body, part.end
    if section.kind == "MIME":
        return (part.header, part.body) if section.path else None
    message = _message(part) if section.path else part
    if message is None:
        return None
    return (message.body, message.end) if section.kind == "TEXT" else (message.header, message.body)


def cut_header(header: bytes, section: Section) -> bytes:
    """
    C{HEADER}, C{HEADER.FIELDS} or C{HEADER.FIELDS.NOT} of a header given alone.

    Fields keep their order, folding and line ends; the empty line always follows them, also where the message
    has none.
    """
    return header if section.kind == "HEADER" else field_cutter(section)(header)


def field_cutter(section: Section) -> Callable[[bytes], bytes]:
    """What C{HEADER.FIELDS} or C{HEADER.FIELDS.NOT} does to a header, as L{cut_header}; to be used for many headers."""
    if section.kind == "HEADER.FIELDS":
        fields = fields_cutter(section.fields)
        return lambda header: _ended(fields(header), header)
    names = frozenset([name.lower() for name in section.fields])
    return lambda header: _ended(_others(header, names), header)


def _others(header: bytes, names: frozenset[bytes]) -> bytes:
    """The fields that have none of the names."""
    rest = [raw for name, raw in raw_fields(header) if name not in names]
    return b"".join(rest[:-1] if rest and not rest[-1].strip() else rest)


def _ended(kept: bytes, header: bytes) -> bytes:
    """Fields with the empty line behind them."""
    line_end = b"\r\n" if header.endswith(b"\r\n") or b"\r\n" in header or b"\n" not in header else b"\n"
    if kept and not kept.endswith(line_end):
        kept += line_end
    return kept + line_end


def locate_entity(path: tuple[int, ...], parts: bytes, header_length: int, size: int) -> tuple[int, int] | None:
    """
    Where a part lies, its own header included; the message when C{path} is empty.

    @param header_length: as for L{locate}.
    @return: C{None} when the message has no such part.
    """
    if not path:
        return 0, size
    part = _part(unpack(parts), path)
    return None if part is None else (part.header, part.end)


def decoded_entity(path: tuple[int, ...], parts: bytes, octets: bytes) -> bytes:
    """
    The content of a part without its transfer encoding, for C{BINARY[path]} (RFC 3516 §4.2).

    A multipart, a message inside the message and the message itself come as they stand.

    @param octets: what L{locate_entity} says, of a part that exists.
    @raise UnknownEncoding: the part has one that is not known (RFC 3516 §4.3).
    """
    part = _part(unpack(parts), path)
    if part is None or not path:
        return octets
    header, content = octets[: part.body - part.header], octets[part.body - part.header :]
    if part.children:
        return content
    for value in field_values(header, b"Content-Transfer-Encoding")[:1]:
        if transfer_encoding(value).lower() not in ENCODINGS:
            raise UnknownEncoding
    return b"".join(transfer_decoded_pieces(content, part.encoding))


def decoded(octets: bytes, parts: bytes, path: tuple[int, ...]) -> bytes | None:
    """
    L{decoded_entity} of a whole message.

    @return: C{None} when there is no such part.
    @raise UnknownEncoding: likewise.
    """
    found = locate_entity(path, parts, 0, len(octets))
    return None if found is None else decoded_entity(path, parts, octets[found[0] : found[1]])


def _part(message: Part, path: tuple[int, ...]) -> Part | None:
    """Follow part numbers from a message, C{None} where one leads nowhere."""
    here: Part | None = message
    inside: Part | None = message
    for number in path:
        if inside is None or number < 1:
            return None
        if inside.kind == MULTIPART:
            here = inside.children[number - 1] if number <= len(inside.children) else None
        else:
            here = inside if number == 1 else None
        inside = None if here is None else _numbered(here)
    return here


def _numbered(part: Part) -> Part | None:
    """The entity whose parts the next number counts, C{None} below a leaf."""
    return part if part.kind == MULTIPART else _message(part)


def _message(part: Part) -> Part | None:
    """The message inside a message/rfc822 part."""
    return part.children[0] if part.kind == MESSAGE else None
