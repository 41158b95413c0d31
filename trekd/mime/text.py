"""
Substring search in decoded text (RFC 3501 §6.4.4): both sides are folded, charsets and encodings undone.
"""

from __future__ import annotations

from collections.abc import Iterator

from trekd.mime.encoded import decode, decode_words, transfer_decoded
from trekd.mime.fold import fold
from trekd.mime.header import field_value, named_fields, raw_fields
from trekd.mime.parts import MESSAGE, TEXT, Part, unpack


def header_contains(header: bytes, field: bytes, needle: str) -> bool:
    """
    Whether a field of that name holds a text.

    @param header: a message's header octets.
    @param field: a field name in any letter case.
    @param needle: folded; empty asks whether there is such a field (RFC 3501 §6.4.4).
    """
    found = named_fields(header, (field,))
    if not needle:
        return bool(found)
    return any(needle in fold(decode_words(field_value(raw))) for raw in found)


def text_contains(octets: bytes, parts: bytes, needle: str, with_header: bool) -> bool:
    """
    Whether a message's text holds a text.

    The text is that of all text parts and of the headers of messages inside the message.

    @param parts: the message's part index.
    @param needle: folded; the empty one is in every message.
    @param with_header: search the message's own header, too (SEARCH TEXT, not BODY).
    """
    if not needle:
        return True
    root = unpack(parts)
    if with_header and needle in header_text(octets[root.header : root.body]):
        return True
    return any(needle in text for text in _texts(octets, root))


def header_text(header: bytes) -> str:
    """All fields of a header decoded and folded, one a line."""
    lines = [b"%b:%b" % (name, field_value(raw)) for name, raw in raw_fields(header) if name]
    return fold("\n".join(map(decode_words, lines)))


def _texts(octets: bytes, part: Part) -> Iterator[str]:
    """The folded text of each text part and of each inner message's header, in order."""
    if part.kind == TEXT:
        content = transfer_decoded(octets[part.body : part.end], part.encoding)
        yield fold(decode(content, part.charset))
    elif part.kind == MESSAGE:
        message = part.children[0]
        yield header_text(octets[message.header : message.body])
    for child in part.children:
        yield from _texts(octets, child)
