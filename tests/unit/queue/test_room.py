"""L{IMailFlow.check_room}: asked at RCPT, before there is a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.queue.support import PostOffice, address, run
from trekd.directory.interfaces import Account
from trekd.errors import DirectoryDown, MailboxFull, OverQuota, StoreBusy

QUOTA = 10_000


@pytest.fixture
def office(tmp_path: Path) -> PostOffice:
    made = PostOffice(tmp_path)
    small = Account(address("small@example.com"), "pro", quota=QUOTA)
    made.directory.entries["small@example.com"] = small
    made.directory.entries["endless@example.com"] = Account(address("endless@example.com"), "pro", quota=0)
    return made


@pytest.mark.parametrize(
    ("used", "octets", "failure"),
    [
        (0, 0, None),
        (0, QUOTA, None),
        (0, QUOTA + 1, OverQuota),
        (5000, 5000, None),
        (5000, 5001, MailboxFull),
        (QUOTA - 1024, 0, None),
        (QUOTA - 1023, 0, MailboxFull),
        (QUOTA * 2, 0, MailboxFull),
    ],
)
def test_what_fits_passes(office: PostOffice, used: int, octets: int, failure: type[Exception] | None) -> None:
    """What would fit in an empty mailbox may come back; what never fits need not."""
    office.post.box("small@example.com").used = used
    if failure is None:
        run(office.flow.check_room(address("small+tag@example.com"), octets))
    else:
        with pytest.raises(failure):
            run(office.flow.check_room(address("small@example.com"), octets))


def test_nobody_else_is_asked_for_room(office: PostOffice) -> None:
    """Lists, strangers, accounts without a limit; and an outage is no answer: the delivery will tell."""
    office.post.box("endless@example.com").used = 10**12
    for name in ("endless", "team", "out", "nobody"):
        run(office.flow.check_room(address(f"{name}@example.com"), 10**9))
    office.directory.failure = DirectoryDown()
    run(office.flow.check_room(address("small@example.com"), QUOTA * 2))
    office.directory.failure = None
    office.post.box("small@example.com").usage_failure = StoreBusy()
    run(office.flow.check_room(address("small@example.com"), 1))
