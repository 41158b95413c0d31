"""
Folding of text for comparison: C{i;unicode-casemap} (RFC 5051).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

_MARKS = 64
"""Combining characters in a row that are folded together; nobody's language has as many."""


class _Titlecase(dict[int, int]):
    """Simple title case of each character (RFC 5051 §2 (a)), worked out when it is first met."""

    def __missing__(self, point: int) -> int:
        title = chr(point).title()
        self[point] = mapped = ord(title) if len(title) == 1 else point
        return mapped


_TITLECASE = _Titlecase()


def fold(text: str) -> str:
    """
    Title case, then full decomposition; two texts match when their folded forms do.

    Deviates from RFC 5051 §2: what decomposition brings forth (C{fi} of a ligature) is put into title case as
    well, so that folding twice changes nothing and a ligature is found by its letters.
    """
    if text.isascii():
        return text.upper()
    decomposed = unicodedata.normalize("NFKD", text.translate(_TITLECASE))
    return unicodedata.normalize("NFKD", decomposed.translate(_TITLECASE))


def folded_pieces(pieces: Iterable[str]) -> Iterator[str]:
    """
    A text in pieces, folded; joined, the same as L{fold} of the whole.

    One call for a long text would take seconds in which no other thread runs.
    """
    held = ""
    for piece in pieces:
        text = held + piece
        end = _last_starter(text)
        if end:
            yield fold(text[:end])
        held = text[end:]
    if held:
        yield fold(held)


def _last_starter(text: str) -> int:
    """Where the last character stands before which a text can be cut: what follows cannot move in front of it."""
    for at in range(len(text) - 1, max(len(text) - _MARKS, 0) - 1, -1):
        if not unicodedata.combining(unicodedata.normalize("NFKD", text[at])[0]):
            return at
    return len(text)
