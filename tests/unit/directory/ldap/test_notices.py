"""Log lines come once in a while."""

from __future__ import annotations

from twisted.logger import LogLevel, capturedLogs

from trekd.directory.ldap.notices import Notices


def test_the_same_line_comes_once_in_five_minutes() -> None:
    now = [0.0]
    notices = Notices(lambda: now[0])
    with capturedLogs() as events:
        for second in (0, 1, 299, 300, 301):
            now[0] = second
            notices.warn("a")
        notices.error("b")
    assert [(event["text"], event["log_level"]) for event in events] == [
        ("a", LogLevel.warn),
        ("a", LogLevel.warn),
        ("b", LogLevel.error),
    ]


def test_what_is_remembered_is_bounded() -> None:
    notices = Notices(lambda: 0.0)
    with capturedLogs():
        for number in range(5000):
            notices.warn(str(number))
    assert len(notices._said) <= 1000
