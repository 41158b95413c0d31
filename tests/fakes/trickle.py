"""Octets in every portion: parsers must not care how their input was split (STYLE §9)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise


def whole(octets: bytes) -> Iterator[bytes]:
    """All at once."""
    yield octets


def trickle(octets: bytes) -> Iterator[bytes]:
    """One octet at a time."""
    for at in range(len(octets)):
        yield octets[at : at + 1]


def split(octets: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    """
    Pieces between the given cuts.

    @param cuts: any numbers, taken modulo the length; in any order, repetitions allowed.
    """
    places = sorted({cut % (len(octets) + 1) for cut in cuts} | {0, len(octets)})
    for start, stop in pairwise(places):
        yield octets[start:stop]
