"""
The Date field.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from email.utils import format_datetime

import pytest

from trekd.mime.dates import parse_date


@pytest.mark.parametrize(
    ("value", "moment", "day"),
    [
        (b"Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T15:55:06", "1997-11-21"),
        (b"21 Nov 97 09:55 GMT", "1997-11-21T09:55:00", "1997-11-21"),
        (b"Fri, 21 Nov 1997 23:55:06 -0600 (CST)", "1997-11-22T05:55:06", "1997-11-21"),
        (b"Thu,\t13 Feb 1969 23:32:54 -0330", "1969-02-14T03:02:54", "1969-02-13"),
        (b"Fri (day), 21 (of) Nov 1997 9:55:06 EST", "1997-11-21T14:55:06", "1997-11-21"),
        (b"21-Nov-1997 09:55:06 +0100", "1997-11-21T08:55:06", "1997-11-21"),
        (b"Fri Nov 21 09:55:06 1997", "1997-11-21T09:55:06", "1997-11-21"),
        (b"Fri Nov 21 09:55:06 PST 1997", "1997-11-21T17:55:06", "1997-11-21"),
        (b"21 November 2026", "2026-11-21T00:00:00", "2026-11-21"),
        (b"Fri, 21 Nov 104 09:55:06 Z", "2004-11-21T09:55:06", "2004-11-21"),
        (b"1 Jan 49 00:00:00 +0000", "2049-01-01T00:00:00", "2049-01-01"),
        (b"1 Jan 2026 10:00:00 GMT+0200", "2026-01-01T08:00:00", "2026-01-01"),
    ],
)
def test_dates(value: bytes, moment: str, day: str) -> None:
    """RFC 5322 §3.3, §4.3; the day is the one written (RFC 3501 §6.4.4 SENTSINCE)."""
    seconds = int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())
    assert parse_date(value) == (seconds, date.fromisoformat(day).toordinal())


@pytest.mark.parametrize("value", [b"", b"yesterday", b"30 Feb 2026 10:00", b"1 Foo 2026", b"1 Jan 0000"])
def test_what_is_no_date(value: bytes) -> None:
    """Nothing is made up."""
    assert parse_date(value) == (None, None)


def test_what_email_writes() -> None:
    """Every hour of a week in several zones."""
    for hour in range(168):
        moment = datetime.fromtimestamp(1_795_000_000 + hour * 3600, UTC)
        assert parse_date(format_datetime(moment).encode())[0] == int(moment.timestamp())
