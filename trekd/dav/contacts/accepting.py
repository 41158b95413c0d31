"""
Which version of vCard a client would rather have: its Accept field (RFC 9110 §12.5.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from trekd.calendar.vcard import VERSIONS

_WEIGHT = re.compile(r"[01](?:\.\d{0,3})?")


def preferred_version(accept: str, stored: str) -> str | None:
    """
    The version that is wanted most; of several alike the stored one.

    @param accept: the field, '' for none.
    @return: C{None}: no vCard is acceptable.
    """
    if not accept.strip():
        return stored
    ranges = list(_ranges(accept))
    weights = {version: _weight(ranges, version) for version in VERSIONS}
    best = max(weights.values())
    if best == 0:
        return None
    return stored if weights[stored] == best else next(each for each in VERSIONS if weights[each] == best)


def _ranges(accept: str) -> Iterator[tuple[str, str, float]]:
    """Media range, version ('' for any), weight."""
    for part in accept.split(","):
        media_range, *parameters = (word.strip().lower() for word in part.split(";"))
        pairs = (each.partition("=") for each in parameters)
        named = {name.strip(): value.strip().strip('"') for name, _, value in pairs}
        weight = named.get("q", "1")
        yield media_range, named.get("version", ""), float(weight) if _WEIGHT.fullmatch(weight) else 0.0


def _weight(ranges: list[tuple[str, str, float]], version: str) -> float:
    """Of the most specific range that covers a version."""
    fitting = [
        (("*/*", "text/*", "text/vcard").index(media_range) + bool(said), weight)
        for media_range, said, weight in ranges
        if media_range in ("*/*", "text/*", "text/vcard") and said in ("", version)
    ]
    return max(fitting, default=(0, 0.0))[1]
