"""
What messages are sorted by: base subjects (RFC 5256 §2.1) and the first address of a field (RFC 5256 §3, RFC 5957 §3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from trekd.mime.encoded import decode_words
from trekd.mime.fold import fold
from trekd.mime.header import field_values

_MESSAGE_ID = re.compile(rb"<([^<>\s]{1,998})>")
_QUOTED = re.compile(r'^"((?:[^"\\]|\\.)*)"@')
MAX_REFERENCES = 200
"""Message-IDs that count, the newest ones."""

_FIELDS = {"from": 2, "to": 5, "cc": 6}
"""Places of the address lists in ENVELOPE (RFC 3501 §7.4.2)."""

_TOKEN = re.compile(rb' ?(?:(\()|(\))|NIL|"((?:[^"\\]|\\.)*)"|\{(\d+)\}\r\n)', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)

_BLOBS = re.compile(r"((?:\[[^\[\]]*\] *)*)(\[[^\[\]]*\] *)")
"""subj-blob, one or more; the last one apart."""
_REPLY = re.compile(r"(?:RE|FWD?) *(?:\[[^\[\]]*\] *)?:")
"""subj-refwd"""


def base_subject(subject: str) -> str:
    """
    A subject without what replying and forwarding added (RFC 5256 §2.1).

    @param subject: decoded and folded.
    """
    return split_subject(subject)[0]


def split_subject(subject: str) -> tuple[str, bool]:
    """
    A subject's base, and whether the rest says that it is a reply or was forwarded (RFC 5256 §2.1, §3).

    @param subject: decoded and folded.
    """
    text = " ".join(subject.split())
    start, end = 0, len(text)
    is_reply = False
    while True:
        end, is_forwarded = _without_trailers(text, start, end)
        start, is_answer = _without_leaders(text, start, end)
        is_reply |= is_forwarded or is_answer
        if not (text.startswith("[FWD:", start, end) and text.endswith("]", start + 5, end)):
            return text[start:end], is_reply
        start, end, is_reply = start + 5, end - 1, True


def _without_trailers(text: str, start: int, end: int) -> tuple[int, bool]:
    """Where a subject ends without subj-trailer, and whether it had one."""
    has_any = False
    while True:
        if text.endswith(" ", start, end):
            end -= 1
        elif text.endswith("(FWD)", start, end):
            end -= 5
            has_any = True
        else:
            return end, has_any


def _without_leaders(text: str, start: int, end: int) -> tuple[int, bool]:
    """
    Where a subject begins without subj-leader, and without subj-blob unless that is all there is.

    @return: with whether there was a subj-refwd.
    """
    is_answer = False
    while True:
        while text.startswith(" ", start, end):
            start += 1
        blobs = _BLOBS.match(text, start, end)
        after = blobs.end() if blobs else start
        reply = _REPLY.match(text, after, end)
        if reply:
            start = reply.end()
            is_answer = True
        elif blobs and after < end:
            return after, is_answer
        else:
            return blobs.start(2) if blobs else start, is_answer


def links(header: bytes) -> tuple[str, tuple[str, ...]]:
    """
    A message's identifier and those it refers to, the oldest first (RFC 5256 §3, REFERENCES).

    Without a valid one in References the first in In-Reply-To counts.
    """
    own = _identifiers(field_values(header, b"message-id")[:1])
    found = _identifiers(field_values(header, b"references")) or _identifiers(field_values(header, b"in-reply-to"))[:1]
    return "".join(own[:1]), tuple(found[-MAX_REFERENCES:])


def _identifiers(values: Iterable[bytes]) -> list[str]:
    """Message-IDs in a form that can be compared: no quotes but where they are needed."""
    names = [name.decode("utf-8", "replace") for value in values for name in _MESSAGE_ID.findall(value)]
    return [_QUOTED.sub(lambda quoted: re.sub(r"\\(.)", r"\1", quoted[1]) + "@", name) for name in names]


def address_key(envelope: bytes, field: str, display: bool) -> str:
    """
    What a message is sorted by for C{field}: folded, C{""} without an address there.

    @param envelope: as L{trekd.mime.envelope.envelope} wrote it.
    @param field: C{from}, C{to} or C{cc}.
    @param display: the name that is shown, else the whole address (RFC 5957 §3), instead of the local part alone.
    """
    name, _, mailbox, host = _first_address(envelope, _FIELDS[field])
    if not display:
        return fold(mailbox.decode("utf-8", "replace"))
    address = mailbox + b"@" + host if mailbox and host else mailbox
    return fold(decode_words(name) if name else address.decode("utf-8", "replace"))


def _first_address(envelope: bytes, place: int) -> list[bytes]:
    """Name, route, local part and host of a list's first address; C{b""} for NIL."""
    found: list[bytes] = []
    at = depth = 0
    item = -1
    while len(found) < 4 and item <= place and (token := _TOKEN.match(envelope, at)):
        at = token.end()
        if token[1]:
            depth += 1
            item += depth == 2
        elif token[2]:
            depth -= 1
        else:
            value = _ESCAPED.sub(rb"\1", token[3]) if token[3] else b""
            if token[4]:
                value = envelope[at : at + int(token[4])]
                at += len(value)
            if depth == 1:
                item += 1
            elif item == place:
                found.append(value)
    return found if len(found) == 4 else [b""] * 4
