"""
Authentication-Results: who a field says it is from, and values that cannot break one (RFC 8601).
"""

from __future__ import annotations

import re

from trekd.mime.header import field_value

NAME = b"authentication-results"

MAX_WORD = 512
"""Characters of one value that are written."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+")
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_SPACE = b" \t\r\n"


def claims_to_be(raw: bytes, hostname: str) -> bool:
    """
    Whether a field is an Authentication-Results of a host of that name (RFC 8601 §5).

    Read as leniently as anybody might: comments anywhere, the name quoted or not, any letter case, a dot at its end,
    and anything or nothing behind it.

    @param raw: any field, with or without its line end.
    """
    name, colon, _ = raw.partition(b":")
    if not colon or name.rstrip(_SPACE).lower() != NAME:
        return False
    return _first_word(field_value(raw)).strip(b".").lower() == hostname.encode("utf-8", "replace").lower()


def _first_word(value: bytes) -> bytes:
    """The C{authserv-id} (RFC 8601 §2.3): the first word behind comments and space, unquoted."""
    at = _skip_comments(value, 0)
    if value[at : at + 1] != b'"':
        word = re.match(rb'[^\s;("]*', value[at:])
        return word[0] if word is not None else b""
    word = re.match(rb'"((?:[^"\\]|\\.)*)', value[at:], re.S)
    return re.sub(rb"\\(.)", rb"\1", word[1], flags=re.S).strip(_SPACE) if word is not None else b""


def _skip_comments(value: bytes, at: int) -> int:
    """Behind C{CFWS} (RFC 5322 §3.2.2); a comment that does not end is none."""
    depth, start = 0, at
    while at < len(value):
        octet = value[at : at + 1]
        if octet == b"(":
            start, depth = (start if depth else at), depth + 1
        elif octet == b")" and depth:
            depth -= 1
        elif octet == b"\\" and depth:
            at += 1
        elif not depth and octet not in b" \t\r\n;":
            return at
        at += 1
    return start if depth else at


def written_value(text: str) -> str:
    """
    A value as a token or a quoted string (RFC 8601 §2.2); control characters are left out, and its length is bounded.
    """
    clean = "".join(filter(_is_safe, text))[:MAX_WORD]
    if _TOKEN.fullmatch(clean):
        return clean
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def written_address(local: str, domain: str) -> str:
    """An address as a value: its local part quoted where it must be."""
    clean = "".join(filter(_is_safe, local))[:MAX_WORD]
    quoted = clean if _LOCAL.fullmatch(clean) else '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{quoted}@{written_domain(domain)}"


def written_domain(text: str) -> str:
    """A domain as a value; what can be none is quoted."""
    return written_value(text)


def written_comment(text: str) -> str:
    """A comment with its parentheses."""
    return "(" + "".join(each for each in text if _is_safe(each) and each not in "()\\")[:MAX_WORD] + ")"


def _is_safe(character: str) -> bool:
    return character.isprintable()
