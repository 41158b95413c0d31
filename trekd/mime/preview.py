"""
The beginning of a message's text, for lists of messages (RFC 8970 §3.3).

Only the beginning of some text parts is looked at; time and memory are bounded whatever the message is.
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator

from trekd.mime.encoded import codec, transfer_decoded
from trekd.mime.header import field_values
from trekd.mime.octets import Octets
from trekd.mime.parameters import content_type
from trekd.mime.parts import MULTIPART, TEXT, Part

LENGTH = 200
"""Characters of a preview at most."""
_FIRST_LOOK = 1024
_LOOKED_AT = 16 * 1024
"""Octets of a part, still encoded."""
_MOST_HEADER = 16 * 1024
_MOST_PARTS = 10
_GUESSED = (None, "ascii", "utf_8", "utf_7")
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)
"""Controls, and what newsletters fill the beginning of their texts with."""
_ENDED = re.compile(r"(?:script|style|head|title)(?![a-z0-9-])", re.IGNORECASE)
"""Elements whose content is not shown."""


def preview(octets: Octets, root: Part) -> str:
    """
    What a message begins with, on one line; empty when there is nothing to be read.

    Of the first plain text that is no attachment, else of the first HTML.  Quotations and signatures are left out.

    @param root: the message's part index, unpacked.
    """
    found = ""
    for place, part in enumerate(_texts(root)):
        if place == _MOST_PARTS:
            break
        subtype, is_attached = _kind(octets, part)
        if is_attached or subtype not in (b"plain", b"html"):
            continue
        if subtype == b"plain" and (shown := _plain(octets, part)):
            return shown
        if subtype == b"html":
            found = found or _one_line(html.unescape(without_tags(_beginning(octets, part, _LOOKED_AT))))
    return found


def _plain(octets: Octets, part: Part) -> str:
    """What a plain text begins with; of most a short look is enough."""
    for most in (_FIRST_LOOK, _LOOKED_AT):
        text = _beginning(octets, part, most)
        shown = _one_line(_own_words(text))
        if len(shown) >= LENGTH - 1 or part.end - part.body <= most:
            break
    return shown or _one_line(text)


def without_tags(text: str) -> str:
    """HTML's text, with a space for each tag; of what is cut off nothing."""
    shown: list[str] = []
    at = 0
    while (start := text.find("<", at)) >= 0:
        shown += (text[at:start], " ")
        ended = _ENDED.match(text, start + 1)
        if text.startswith("<!--", start):
            end = text.find("-->", start)
        elif ended:
            closing = re.compile(f"</{ended[0]}", re.IGNORECASE).search(text, start)
            end = text.find(">", closing.end()) if closing else -1
        else:
            end = text.find(">", start)
        if end < 0:
            return "".join(shown)
        at = end + 3 if text.startswith("-->", end) else end + 1
    return "".join((*shown, text[at:]))


def _texts(part: Part) -> Iterator[Part]:
    """The text parts of a message in order; those of messages inside it are not its own."""
    if part.kind == TEXT:
        yield part
    elif part.kind == MULTIPART:
        for child in part.children:
            yield from _texts(child)


def _kind(octets: Octets, part: Part) -> tuple[bytes, bool]:
    """Subtype in lower case, and whether it is an attachment."""
    header = octets[part.header : min(part.body, part.header + _MOST_HEADER)]
    kinds = field_values(header, b"Content-Type")
    subtype = content_type(kinds[0]).subtype.lower() if kinds else b"plain"
    dispositions = field_values(header, b"Content-Disposition")
    return subtype, bool(dispositions) and dispositions[0].lstrip()[:10].lower() == b"attachment"


def _beginning(octets: Octets, part: Part, most: int) -> str:
    """The characters of a text part's first C{most} octets."""
    content = transfer_decoded(octets[part.body : min(part.end, part.body + most)], part.encoding)
    name = codec(part.charset)
    if name in _GUESSED:
        try:
            return codecs.getincrementaldecoder("utf_8")().decode(content)
        except UnicodeDecodeError:
            name = "latin_1"
    return codecs.getincrementaldecoder(name or "latin_1")("replace").decode(content)


def _own_words(text: str) -> str:
    """A plain text without quotations and without what follows the mark of a signature (RFC 3676 §4.3)."""
    lines = text.splitlines()
    if "-- " in lines:
        lines = lines[: lines.index("-- ")]
    return "\n".join(line for line in lines if not line.startswith(">"))


def _one_line(text: str) -> str:
    """Words with one space between, not too many of them."""
    return " ".join(_INVISIBLE.sub("", text).split())[:LENGTH].rstrip()
