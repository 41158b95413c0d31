"""Recurrence rules: the examples of RFC 5545 §3.8.5.3, and what is refused."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

import pytest

from trekd.calendar.rules import Budget, BudgetSpent, Range, occurrences, read_rule
from trekd.calendar.times import Moment
from trekd.errors import InvalidCalendar

START = datetime(1997, 9, 2, 9)


def _days(rule: str, count: int, start: datetime = START) -> str:
    found = occurrences(read_rule(rule, Moment(start)), Range(start), Budget(100_000))
    return " ".join(f"{each:%y%m%d}" for each in islice(found, count))


def _hours(rule: str, count: int) -> str:
    found = occurrences(read_rule(rule, Moment(START)), Range(START), Budget(100_000))
    return " ".join(f"{each:%d-%H%M}" for each in islice(found, count))


@pytest.mark.parametrize(
    ("rule", "start", "expected"),
    [
        ("FREQ=DAILY;INTERVAL=10;COUNT=5", "970902", "970902 970912 970922 971002 971012"),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=SU", "970902", "970902 970916 970930 971014 971028"),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=MO,WE,FR", "970901", "970901 970903 970905 970915 970917 970919"),
        ("FREQ=MONTHLY;COUNT=10;BYDAY=1FR", "970905", "970905 971003 971107 971205 980102 980206"),
        ("FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU", "970907", "970907 970928 971102 971130 980104 980125"),
        ("FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "970922", "970922 971020 971117 971222 980119 980216"),
        ("FREQ=MONTHLY;BYMONTHDAY=-3", "970928", "970928 971029 971128 971229 980129 980226"),
        ("FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12", "970910", "970910 970911 970912 990310 990311"),
        ("FREQ=YEARLY;COUNT=10;BYMONTH=6,7", "970610", "970610 970710 980610 980710"),
        ("FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200", "970101", "970101 970410 970719 000101 000409 000718"),
        ("FREQ=YEARLY;BYDAY=20MO", "970519", "970519 980518 990517"),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "970512", "970512 980511 990517"),
        ("FREQ=YEARLY;BYWEEKNO=20", "970512", "970512 980511 990517"),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=TH", "970313", "970313 970320 970327 980305"),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "980213", "980213 980313 981113 990813 001013"),
        ("FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", "970913", "970913 971011 971108 971213"),
        ("FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "961105", "961105 001107 041102"),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "970904", "970904 971007 971106"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "970929", "970929 971030 971127 971230 980129 980226"),
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "970805", "970805 970810 970819 970824"),
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "970805", "970805 970817 970819 970831"),
        ("FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "070115", "070115 070130 070215 070315 070330"),
        ("FREQ=YEARLY", "960229", "960229 000229 040229"),
        ("FREQ=YEARLY;BYDAY=MO,1MO;BYMONTH=1", "980105", "980105 980112 980119 980126 990104"),
    ],
)
def test_examples(rule: str, start: str, expected: str) -> None:
    count = expected.count(" ") + 1
    assert _days(rule, count, datetime.strptime(start + "09", "%y%m%d%H")) == expected


def test_examples_within_days() -> None:
    assert _hours("FREQ=HOURLY;INTERVAL=3", 4) == "02-0900 02-1200 02-1500 02-1800"
    assert _hours("FREQ=MINUTELY;INTERVAL=15;COUNT=6", 9) == "02-0900 02-0915 02-0930 02-0945 02-1000 02-1015"
    assert _hours("FREQ=MINUTELY;INTERVAL=90;COUNT=4", 9) == "02-0900 02-1030 02-1200 02-1330"
    hours = "BYHOUR=9,10,11,12,13,14,15,16"
    by_day = _hours(f"FREQ=DAILY;{hours};BYMINUTE=0,20,40", 30)
    assert by_day == _hours(f"FREQ=MINUTELY;INTERVAL=20;{hours}", 30)
    assert by_day.startswith("02-0900 02-0920 02-0940 02-1000")
    assert " 02-1640 03-0900 " in by_day


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "FREQ=",
        "INTERVAL=2",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;COUNT",
        "FREQ=DAILY;COUNT=x",
        "FREQ=DAILY;COUNT=99999999999",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;UNTIL=never",
        "FREQ=DAILY;BYDAY=XX",
        "FREQ=MONTHLY;BYDAY=0MO",
        "FREQ=MONTHLY;BYDAY=54MO",
        "FREQ=DAILY;BYHOUR=24",
        "FREQ=DAILY;BYMONTHDAY=0",
        "FREQ=DAILY;BYSETPOS=367",
        "FREQ=DAILY;BYEASTER=1",
        "FREQ=DAILY;WKST=1",
        "FREQ=DAILY;RSCALE=HEBREW",
        "FREQ=DAILY;BYMONTH=",
        "FREQ=DAILY;BYMONTH=\u0661",
    ],
)
def test_what_is_no_rule(rule: str) -> None:
    with pytest.raises(InvalidCalendar):
        read_rule(rule, Moment(START))


def test_what_means_nothing_is_left_out() -> None:
    assert read_rule("FREQ=DAILY;X-FOO=1;", Moment(START)) == read_rule("freq=daily", Moment(START))
    date = Moment(datetime(1997, 9, 2), None, True)
    assert read_rule("FREQ=DAILY;BYHOUR=9", date) == read_rule("FREQ=DAILY", date)
    assert read_rule("FREQ=MINUTELY;BYSECOND=60", Moment(START)).bysecond == (59,)


def test_steps_are_counted() -> None:
    budget = Budget(100)
    with pytest.raises(BudgetSpent):
        list(occurrences(read_rule("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", Moment(START)), Range(START), budget))
