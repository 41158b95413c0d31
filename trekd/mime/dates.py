"""
The Date field (RFC 5322 §3.3, §4.3), read leniently.
"""

from __future__ import annotations

import re
from datetime import date

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
# RFC 5322 §4.3; military letters and unknown names count as UTC, as it says.
_HOURS = {b"est": -5, b"edt": -4, b"cst": -6, b"cdt": -5, b"mst": -7, b"mdt": -6, b"pst": -8, b"pdt": -7}
_HOURS.update({b"cet": 1, b"cest": 2, b"met": 1, b"mest": 2, b"eet": 2, b"eest": 3, b"bst": 1, b"jst": 9})

_CLOCK = rb"(\d{1,2})[:.](\d{1,2})(?:[:.](\d{1,2})(?:\.\d{1,9})?)?"
_ZONE = rb"(?:[ \t]*(?:(?:UTC|GMT)(?=[+-]))?([+-]\d{1,2}:?\d{2}|[A-Za-z]{1,5}))?"
_DATE = re.compile(
    rb"[ \t]*(?:[A-Za-z]{2,9}[ \t]*[,.]?[ \t]*)?"
    rb"(\d{1,2})[ \t-]+([A-Za-z]{3})[A-Za-z]{0,6}[.,]?[ \t-]+(\d{2,5})"
    rb"(?:[ \t,]+" + _CLOCK + _ZONE + rb")?"
)
_ASCTIME = re.compile(
    rb"[ \t]*(?:[A-Za-z]{2,9}[,.]?[ \t]+)?([A-Za-z]{3})[A-Za-z]{0,6}[ \t]+(\d{1,2}),?[ \t]+"
    + _CLOCK
    + rb"[ \t]+(?:([+-]\d{4}|[A-Z]{1,5})[ \t]+)?(\d{4})"
)
_COMMENT = re.compile(rb"\([^()]{0,200}\)")
_EPOCH = date(1970, 1, 1).toordinal()
MAX_DATE = 200
"""Octets of a Date field that are looked at."""


def parse_date(value: bytes) -> tuple[int | None, int | None]:
    """
    The moment and the day of an unfolded Date field.

    @return: Unix seconds, and the day as written, time and zone disregarded, as a proleptic Gregorian ordinal
        (RFC 3501 §6.4.4 SENTSINCE); C{(None, None)} when it is no date.  Without a time it is midnight UTC.
    """
    value = value[:MAX_DATE]
    if b"(" in value:
        value = _COMMENT.sub(b" ", value)
    match = _DATE.match(value)
    if match:
        day, month, year, hour, minute, second, zone = match.groups()
    else:
        match = _ASCTIME.match(value)
        if not match:
            return None, None
        month, day, hour, minute, second, zone, year = match.groups()
    try:
        ordinal = date(_year(year), _MONTHS[month.lower()], int(day)).toordinal()
    except (ValueError, KeyError):
        return None, None
    seconds = int(hour or 0) * 3600 + (int(minute or 0) - _offset(zone)) * 60 + min(int(second or 0), 60)
    return (ordinal - _EPOCH) * 86400 + seconds, ordinal


def _year(digits: bytes) -> int:
    """Two digits are 1950 to 2049, three count from 1900 (RFC 5322 §4.3)."""
    year = int(digits)
    if len(digits) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(digits) == 3 else year


def _offset(zone: bytes | None) -> int:
    """Minutes east of UTC."""
    if not zone:
        return 0
    if zone[:1] not in b"+-":
        return 60 * _HOURS.get(zone.lower(), 0)
    digits = zone[1:].replace(b":", b"").zfill(4)
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return -minutes if zone[:1] == b"-" else minutes
