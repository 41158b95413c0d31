"""mbox files, in and out."""

from __future__ import annotations

import mailbox
import string
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trekd.cli.failures import CommandFailure
from trekd.cli.mbox import MboxFolder, find_mboxes, read_mbox
from trekd.values import INBOX, Flag, MailboxName
from trekd.web.messages import StoredMessage

DATE = datetime(1996, 7, 17, 2, 44, 25, tzinfo=UTC)

SEEN_AND_FLAGGED = frozenset({Flag("\\Seen"), Flag("\\Flagged")})


def read(path: Path, octets: bytes) -> list[StoredMessage]:
    file = path / "box"
    file.write_bytes(octets)
    found = list(read_mbox(str(file)))
    assert sum(took for _, took in found) == len(octets)
    return [message for message, _ in found]


def written(path: Path, *messages: StoredMessage, name: MailboxName = INBOX) -> Path:
    folder = MboxFolder(str(path / "out"))
    folder.begin(name)
    for message in messages:
        folder.add(message)
    folder.close()
    return path / "out"


def test_messages_flags_dates_and_quoting(tmp_path: Path) -> None:
    """RFC 4155, and the fields that mail programs keep flags in."""
    first, second = read(
        tmp_path,
        b"From alice@example.com Wed Jul 17 02:44:25 1996\n"
        b"Subject: one\nStatus: RO\nX-Status: AF\nX-Keywords: $Forwarded no(good\n\n"
        b"Hello\nFrom here is no separator\n>From there\n>>From twice\n\n"
        b"From MAILER-DAEMON Wed Jul 17 04:44:25 1996 +0200\r\nSubject: two\r\n\r\nStatus: not a field\r\n\r\n",
    )
    assert first.octets == (
        b"Subject: one\r\n\r\nHello\r\nFrom here is no separator\r\nFrom there\r\n>From twice\r\n"
    )
    flags = {"\\Seen", "\\Answered", "\\Flagged", "$Forwarded"}
    assert first.flags == {Flag(flag) for flag in flags}
    assert first.internal_date == second.internal_date == DATE
    assert second.octets == b"Subject: two\r\n\r\nStatus: not a field\r\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"From x Sat Feb 29 23:59 2020", datetime(2020, 2, 29, 23, 59, tzinfo=UTC)),
        (b"From x Thu Jul  4 02:44:25 PDT 1996", datetime(1996, 7, 4, 2, 44, 25, tzinfo=UTC)),
        (b"From x Thu Jul 4 02:44:25 -0700 1996", datetime(1996, 7, 4, 9, 44, 25, tzinfo=UTC)),
        (b"From x Sat Feb 30 02:44:25 2020", datetime(1997, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (b"From x", datetime(1997, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (b"From x Foo Bar 99 99:99:99 9999 +9999", datetime(1997, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ],
)
def test_arrival_is_the_separators_date_or_the_date_field(tmp_path: Path, line: bytes, expected: datetime) -> None:
    (message,) = read(tmp_path, line + b"\nDate: Thu, 2 Jan 1997 03:04:05 +0000\n\nx\n")
    assert message.internal_date == expected


@pytest.mark.parametrize("field", [b"", b"Date: nonsense\n", b"Date: Fri, 99 Foo 99999 99:99:99 +9999\n"])
def test_message_without_any_date_arrived_now(tmp_path: Path, field: bytes) -> None:
    (message,) = read(tmp_path, b"From x\n" + field + b"\nx\n")
    assert datetime.now(UTC) - message.internal_date < timedelta(minutes=5)


def test_empty_file_and_other_files(tmp_path: Path) -> None:
    assert read(tmp_path, b"") == []
    for octets in (b"Subject: x\n\nFrom here\n", b"\x89PNG\r\n", b"x" * 1000):
        with pytest.raises(CommandFailure, match="not an mbox file"):
            read(tmp_path, octets)


def test_python_reads_what_we_write(tmp_path: Path) -> None:
    messages = [
        StoredMessage(b"Subject: one\r\n\r\nFrom me\r\n>From you\r\n", SEEN_AND_FLAGGED, DATE),
        StoredMessage(b"Subject: two\r\n\r\n", frozenset(), DATE),
        StoredMessage(b"no header at all", frozenset(), DATE),
    ]
    box = mailbox.mbox(str(written(tmp_path, *messages) / "INBOX.mbox"), create=False)
    assert [message["Subject"] for message in box] == ["one", "two", None]
    first = box.get_message(0)
    assert set(first.get_flags()) == {"R", "O", "F"}
    assert first.get_payload() == ">From me\n>>From you\n"
    assert first.get_from() == "MAILER-DAEMON Wed Jul 17 02:44:25 1996"
    box.close()


_LINES = st.lists(
    st.sampled_from([b"", b"From x", b">From x", b"Status: RO", b"x", b"From: a", b">", b"\xff\0"]), max_size=8
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(_LINES, min_size=1, max_size=4),
    st.sets(st.sampled_from(["\\Seen", "\\Draft", "\\Deleted", "\\Answered", "\\Flagged", "Work", "$Junk"])),
)
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[list[bytes]], flags: set[str]
) -> None:
    path = tmp_path_factory.mktemp("mbox")
    messages = [
        StoredMessage(b"\r\n".join([b"Subject: x", b"", *body, b""]), frozenset(map(Flag, flags)), DATE)
        for body in bodies
    ]
    out = written(path, *messages)
    assert [message for message, _ in read_mbox(str(out / "INBOX.mbox"))] == messages


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_LINES, max_size=6))
def test_no_mbox_is_a_surprise(tmp_path_factory: pytest.TempPathFactory, messages: list[list[bytes]]) -> None:
    octets = b"".join(b"From x\n" + b"\n".join(lines) + b"\n" for lines in messages)
    for message in read(tmp_path_factory.mktemp("mbox"), octets):
        assert b"\n" not in message.octets.replace(b"\r\n", b"")


_LEVEL = st.text(string.ascii_letters + string.digits + ".%-_ ä\\:", min_size=1, max_size=12).map(str.strip)
_TRICKY = st.sampled_from(["a.mbox", ".hidden", "%2E", "..x", "a%2Embox", "INBOX", "...", "x."])


def _is_name(text: str) -> bool:
    try:
        MailboxName(text)
    except Exception:
        return False
    return True


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sets(
        st.lists(_LEVEL | _TRICKY, min_size=1, max_size=3).map("/".join).filter(_is_name).map(MailboxName), max_size=6
    )
)
def test_every_mailbox_has_a_file_of_its_own(tmp_path_factory: pytest.TempPathFactory, names: set[MailboxName]) -> None:
    root = tmp_path_factory.mktemp("mbox")
    folder = MboxFolder(str(root))
    for name in names:
        folder.begin(name)
        folder.add(StoredMessage(b"\r\n" + str(name).encode() + b"\r\n", frozenset(), DATE))
    folder.close()
    found = dict(find_mboxes(str(root)))
    assert set(found) == names
    for name, path in found.items():
        assert [message.octets for message, _ in read_mbox(path)] == [b"\r\n" + str(name).encode() + b"\r\n"]
