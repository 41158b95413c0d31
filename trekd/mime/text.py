"""
Substring search in decoded text (RFC 3501 §6.4.4): both sides are folded, charsets and encodings undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trekd.mime.encoded import decode_pieces, decode_words, transfer_decoded
from trekd.mime.fold import fold, folded_pieces
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

    The text is that of all text parts and of the headers of messages inside the message.  However long it is,
    only pieces of it are decoded at a time, and other threads run between them.

    @param parts: the message's part index.
    @param needle: folded; the empty one is in every message.
    @param with_header: search the message's own header, too (SEARCH TEXT, not BODY).
    """
    if not needle:
        return True
    if with_header and any(_is_in(text, needle) for text in searched_texts(octets, parts, header=True)):
        return True
    return any(_is_in(text, needle) for text in searched_texts(octets, parts, header=False))


def searched_texts(octets: bytes, parts: bytes, header: bool) -> Iterator[Iterator[str]]:
    """
    What a search looks at: each text in folded pieces; joined, a text is what a needle is sought in.

    @param parts: the message's part index.
    @param header: the message's own header, else all texts behind it.
    """
    root = unpack(parts)
    texts = iter((_header_text(octets[root.header : root.body]),)) if header else _texts(octets, root)
    return map(folded_pieces, texts)


def _is_in(pieces: Iterable[str], needle: str) -> bool:
    """Whether a text in folded pieces holds a text; it may begin in one piece and end in another."""
    tail = ""
    for piece in pieces:
        text = tail + piece
        if needle in text:
            return True
        tail = text[max(len(text) - len(needle) + 1, 0) :]
    return False


def _header_text(header: bytes) -> Iterator[str]:
    """All fields of a header decoded, one a line."""
    for name, raw in raw_fields(header):
        if name:
            yield decode_words(b"%b:%b" % (name, field_value(raw))) + "\n"


def _texts(octets: bytes, part: Part) -> Iterator[Iterator[str]]:
    """The text of each text part and of each inner message's header, in order."""
    if part.kind == TEXT:
        content = transfer_decoded(octets[part.body : part.end], part.encoding)
        yield decode_pieces(content, part.charset)
    elif part.kind == MESSAGE:
        message = part.children[0]
        yield _header_text(octets[message.header : message.body])
    for child in part.children:
        yield from _texts(octets, child)
