"""
Folding of text for comparison: C{i;unicode-casemap} (RFC 5051).
"""

from __future__ import annotations

import unicodedata


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
