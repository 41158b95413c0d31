"""
Tag lists: the grammar that DKIM's signatures and key records and DMARC's records share (RFC 6376 §3.2).
"""

from __future__ import annotations

import base64
import binascii
import re

from trekd.errors import SyntaxFault

MAX_TAGS = 100

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_SPACE = re.compile(r"\r\n(?=[ \t])|[ \t]")
_VALUE = re.compile(r"[!-:<-~\u0080-\U0010ffff]*")


def parse_tags(text: str) -> dict[str, str]:
    """
    Read C{tag-list}.

    @param text: unfolded or not; values come back with inner white space kept, its line breaks removed.
    @return: in order; names keep their case, which matters.
    @raise SyntaxFault: it breaks the grammar, or has a tag twice.
    """
    parts = text.split(";", MAX_TAGS)
    if len(parts) > MAX_TAGS:
        raise SyntaxFault("tag-list")
    if not parts[-1].strip(" \t\r\n"):
        parts.pop()  # the optional semicolon at the end
    tags: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        name, value = name.strip(" \t\r\n"), value.strip(" \t\r\n").replace("\r\n", "")
        if not equals or not _NAME.fullmatch(name) or not _VALUE.fullmatch(_SPACE.sub("", value)):
            raise SyntaxFault("tag-spec")
        if name in tags:
            raise SyntaxFault("each tag once")
        tags[name] = value
    return tags


def compact(value: str) -> str:
    """A value whose white space means nothing, without it."""
    return _SPACE.sub("", value)


def colon_list(value: str) -> tuple[str, ...]:
    """The parts of a value separated by colons, in lower case, without white space."""
    return tuple(part.lower() for part in compact(value).split(":"))


def base64_value(value: str) -> bytes:
    """
    Read C{base64string} (RFC 6376 §2.10).

    @raise SyntaxFault: it is none.
    """
    try:
        return base64.b64decode(compact(value), validate=True)
    except (binascii.Error, ValueError):
        raise SyntaxFault("base64string") from None
