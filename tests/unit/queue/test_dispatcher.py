"""Mail on its way to other servers: when it is tried, by how many at once, and what follows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from tests.fakes.relay import FakeRelay
from tests.unit.queue.support import ALICE, BOB, MESSAGE, PostOffice, address, run
from trekd.config.schema import QueueConfig
from trekd.errors import LaneClosed, RemoteDeferred, RemoteRefused, RemoteUnreached, StoreFull
from trekd.queue.dispatcher import GRACE, make_dispatcher
from trekd.queue.interfaces import (
    EVERYTHING,
    HELD_BY_LANE,
    HELD_BY_OPERATOR,
    Entry,
    IRelay,
    MailTransaction,
    Recipient,
    Route,
    RouteKind,
    Selection,
)
from trekd.queue.routing import RELAY
from trekd.queue.schedule import LEAST_ATTEMPTS, Schedule
from trekd.queue.settlement import AGAIN

LATER = RemoteDeferred("mx.b.example", "450 4.2.0 come back", "4.2.0")
UNREACHED = RemoteDeferred("", "connection refused", "4.4.1")
NOBODY = RemoteRefused("mx.b.example", "550 5.1.1 nobody here", "5.1.1")
OWN = Route(RouteKind.OWN_SMTP, "mine")


class Office(PostOffice):
    """A post office with a relay and a dispatcher that runs."""

    def __init__(self, path: Path, **queue: Any) -> None:
        self.fake = FakeRelay()
        super().__init__(path, relay=self.fake, **queue)
        self.dispatcher.start()

    def send(self, *recipients: str, message: bytes = MESSAGE, **more: Any) -> None:
        """Submit a message, alice's unless C{sender} is another; an own-SMTP route is assigned to the account."""
        sender = more.pop("sender", ALICE)
        reverse_path = more.pop("reverse_path", sender.address)
        route = more.pop("route", RELAY)
        if route.profile:
            self.profiles.assignments[sender.principal] = route.profile
        resolved = tuple(Recipient(address(text), route, more.pop("notify", ())) for text in recipients)
        outcomes = self.take(MailTransaction(reverse_path, resolved, sender.principal, **more), message)
        assert [one.failure for one in outcomes] == [None] * len(recipients)

    def again(self) -> Office:
        """A new process over the same queue and mailboxes."""
        other = Office.__new__(Office)
        other.__dict__.update(self.__dict__)
        other.dispatcher = make_dispatcher(
            self.flow,
            self.fake,
            Schedule(QueueConfig()),
            QueueConfig(),
            self.wall,  # type: ignore[arg-type]
            self.clock.seconds,
        )
        other.dispatcher.start()
        return other

    def start_stop(self, ended: list[object]) -> None:
        """Begin to stop; C{ended} gets an item when that is done."""
        Deferred.fromCoroutine(self.dispatcher.stop()).addBoth(ended.append)

    def entries(self) -> list[Entry]:
        return list(run(self.spool.entries(1000)))

    def pass_time(self, seconds: float) -> None:
        """In small steps, as a reactor would."""
        for _ in range(int(seconds // 60)):
            self.clock.advance(60)
        self.clock.advance(seconds % 60)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_the_fake_keeps_the_contract() -> None:
    assert verifyObject(IRelay, FakeRelay())


def test_new_mail_goes_at_once(office: Office) -> None:
    """Signed once, one transaction for each domain."""
    office.send("a@b.example", "b@b.example", "c@c.example")
    assert [[str(one.address) for one in sent.recipients] for sent, _ in office.fake.sent] == [
        ["a@b.example", "b@b.example"],
        ["c@c.example"],
    ]
    assert {octets for _, octets in office.fake.sent} == {b"DKIM-Signature: d=example.com\r\n" + MESSAGE}
    assert office.fake.sent[0][0].principal == ALICE.principal
    assert office.entries() == []


def test_new_mail_goes_without_a_look_at_the_disk(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the answer to who sent it, which nothing keeps waiting."""
    looks: list[str] = []
    take = office.spool.take

    def counted(lane: str, *rest: Any) -> Any:
        looks.append(lane)
        return take(lane, *rest)

    monkeypatch.setattr(office.spool, "take", counted)
    monkeypatch.setattr(office.clock, "advance", lambda seconds: None)
    office.send("a@b.example", "c@b.example", "a@d.example")
    assert office.fake.sent == []
    monkeypatch.undo()
    monkeypatch.setattr(office.spool, "take", counted)
    office.clock.advance(0)
    assert office.fake.recipients == ["a@b.example", "c@b.example", "a@d.example"]
    assert (looks, office.entries()) == ([], [])


def test_mail_that_arrives_during_a_look_at_the_disk_goes_once(tmp_path: Path) -> None:
    """The look may find it, too."""
    office = Office(tmp_path, lane_concurrency=20)
    office.fake.hold = True
    for number in range(3):
        office.send(f"{number}@b.example")
    # Its window is full: the third is looked for when there is room.
    assert office.fake.recipients == ["0@b.example", "1@b.example"]
    look: Deferred[None] = Deferred()
    take = office.spool.take

    async def slow(*asked: Any) -> Any:
        await look
        return await take(*asked)

    office.spool.take = slow  # type: ignore[method-assign]
    office.fake.waiting.pop().callback(None)
    office.send("3@b.example")
    look.callback(None)
    while office.fake.waiting:
        office.clock.advance(0)
        office.fake.waiting.pop(0).callback(None)
    assert sorted(office.fake.recipients) == [f"{number}@b.example" for number in range(4)]
    assert office.entries() == []


def test_what_waits_from_before_is_taken_up(tmp_path: Path) -> None:
    office = Office(tmp_path)
    run(office.dispatcher.stop())
    office.send("a@b.example")
    assert office.fake.sent == []
    office.dispatcher.start()
    assert office.fake.recipients == ["a@b.example"]


def test_waits_double_and_only_who_failed_is_tried_again(tmp_path: Path) -> None:
    office = Office(tmp_path, retry_first=100, retry_max=1000)
    office.fake.failures["b@b.example"] = LATER
    office.send("a@b.example", "b@b.example")
    (entry,) = office.entries()
    assert (entry.attempts, entry.last.failure, entry.last.host) == (1, LATER.reply, LATER.host)
    office.clock.advance(99)
    assert office.fake.recipients == ["a@b.example", "b@b.example"]
    office.clock.advance(1)
    assert office.fake.recipients[2:] == ["b@b.example"]
    office.clock.advance(199)
    assert len(office.fake.sent) == 2
    del office.fake.failures["b@b.example"]
    office.clock.advance(1)
    assert len(office.fake.sent) == 3
    assert office.entries() == []


def test_the_window_grows_while_deliveries_succeed(tmp_path: Path) -> None:
    office = Office(tmp_path, lane_concurrency=4, concurrency=6)
    office.fake.hold = True
    for _ in range(40):
        office.send("a@b.example")
    assert office.fake.most == 2
    while office.fake.waiting:
        office.fake.waiting.pop(0).callback(None)
    assert office.fake.most == 4
    assert len(office.fake.sent) == 40
    assert office.entries() == []


def test_all_lanes_together_have_a_limit(tmp_path: Path) -> None:
    office = Office(tmp_path, concurrency=5)
    office.fake.hold = True
    for number in range(9):
        office.send(f"a@b{number}.example")
    assert office.fake.most == 5
    while office.fake.waiting:
        office.fake.waiting.pop(0).callback(None)
    assert sorted(office.fake.recipients) == [f"a@b{number}.example" for number in range(9)]


def test_a_server_that_cannot_be_reached_is_left_alone_for_a_while(tmp_path: Path) -> None:
    """After the rest one message alone tries the way; when it is open, all follow."""
    office = Office(tmp_path, retry_first=60)
    office.fake.failures["b.example"] = UNREACHED
    for _ in range(20):
        office.send("a@b.example")
    assert len(office.fake.sent) == 3
    office.send("a@c.example")
    assert office.fake.recipients[3:] == ["a@c.example"]
    office.clock.advance(59)
    assert len(office.fake.sent) == 4
    office.clock.advance(1)
    assert len(office.fake.sent) == 5
    office.fake.failures.clear()
    office.clock.advance(119)
    assert len(office.fake.sent) == 5
    office.clock.advance(1)
    assert office.entries() == []
    assert len(office.fake.sent) == 5 + 20


def test_a_server_that_answers_does_not_stop_its_lane(office: Office) -> None:
    """Greylisting, a full mailbox: that is about the recipient."""
    office.fake.failures["b.example"] = LATER
    for _ in range(20):
        office.send("a@b.example")
    assert len(office.fake.sent) == 20


def test_a_server_without_a_session_is_left_alone_and_shown(tmp_path: Path) -> None:
    """No connection, or not the TLS that is demanded: the lane says why, and since when; when it works, nothing."""
    office = Office(tmp_path, retry_first=60)
    office.fake.failures["b.example"] = RemoteUnreached("mx.b.example", "certificate: expired", "4.7.5")
    for _ in range(20):
        office.send("a@b.example")
        office.clock.advance(1)
    assert len(office.fake.sent) == 3
    (state,) = office.dispatcher.states()
    assert (state.failure, state.since, state.closed) == ("certificate: expired", office.clock.seconds() - 20, "")
    assert state.rests_until
    office.fake.failures.clear()
    office.pass_time(600)
    assert office.entries() == [] and office.dispatcher.states() == []


def test_a_server_that_nobody_writes_to_any_more_is_forgotten(tmp_path: Path) -> None:
    office = Office(tmp_path, retry_max=3600, max_age=7200, delay_notice=0)
    office.fake.failures["b.example"] = RemoteUnreached("mx.b.example", "connection refused", "4.4.1")
    office.send("a@b.example")
    office.pass_time(6 * 3600)
    assert office.entries() == [] and office.dispatcher.states() == []


def test_421_is_about_the_server(office: Office) -> None:
    office.fake.failures["b.example"] = RemoteDeferred("mx.b.example", "421 4.7.0 too many", "4.7.0")
    for _ in range(20):
        office.send("a@b.example")
    assert len(office.fake.sent) == 3


def test_a_closed_lane_holds_its_mail_and_its_owner_is_told_once(office: Office) -> None:
    office.fake.failures["b.example"] = LaneClosed("smtp.mine.example", "535 5.7.8 wrong password", "4.7.8")
    office.send("a@b.example", "b@b.example", route=OWN)
    office.send("c@b.example", route=OWN)
    office.send("d@d.example", sender=BOB)
    assert office.fake.recipients == ["a@b.example", "b@b.example", "d@d.example"]
    assert [(one.held_by, one.held) for one in office.entries()] == [(HELD_BY_LANE, "535 5.7.8 wrong password")] * 3
    (letter,) = office.inbox("alice@example.com")
    assert b"535 5.7.8 wrong password" in letter and b"mine" in letter
    office.pass_time(7200)
    assert len(office.fake.sent) == 2
    office.fake.failures.clear()
    office.dispatcher.profile_changed("other")
    assert len(office.fake.sent) == 2
    office.dispatcher.profile_changed("mine")
    assert office.fake.recipients[3:] == ["a@b.example", "b@b.example", "c@b.example"]
    assert office.entries() == []
    assert len(office.inbox("alice@example.com")) == 1


def test_another_profile_is_tried_at_once_but_not_before_mail_is_to_leave(office: Office) -> None:
    """Settings that are mended wait for no retry; what was to leave later (RFC 4865) leaves later."""
    office.fake.failures["b.example"] = RemoteUnreached("smtp.mine.example", "connection refused", "4.4.1")
    office.send("a@b.example", route=OWN)
    office.send("later@b.example", route=OWN, hold_until=office.clock.seconds() + 86400)
    assert len(office.fake.sent) == 1
    office.fake.failures.clear()
    office.dispatcher.profile_changed("mine")
    assert office.fake.recipients == ["a@b.example"] * 2
    assert [str(one.recipient.address) for one in office.entries()] == ["later@b.example"]


def test_a_closed_lane_stays_closed_over_a_restart(office: Office) -> None:
    office.fake.failures["b.example"] = LaneClosed("smtp.mine.example", "535 5.7.8 wrong password")
    office.send("a@b.example", route=OWN)
    run(office.dispatcher.stop())
    closed = office.clock.seconds()
    office.clock.advance(3600)
    other = office.again()
    other.send("b@b.example", route=OWN)
    assert [one.since for one in other.dispatcher.states()] == [closed]
    assert len(office.fake.sent) == 1
    assert [one.held_by for one in other.entries()] == [HELD_BY_LANE] * 2
    assert len(other.inbox("alice@example.com")) == 1
    assert run(other.dispatcher.release(Selection(recipient="a@b.example"))) == 1
    assert len(office.fake.sent) == 1 and [one.held_by for one in other.entries()] == ["", HELD_BY_LANE]


def test_held_mail_in_a_closed_lane_comes_back_in_the_end(tmp_path: Path) -> None:
    office = Office(tmp_path, max_age=86400, delay_notice=0)
    office.fake.failures["b.example"] = LaneClosed("smtp.mine.example", "535 5.7.8 wrong password")
    office.send("a@b.example", route=OWN)
    office.pass_time(86400 + 120)
    assert office.entries() == []
    assert b"Action: failed" in office.inbox("alice@example.com")[1]


def test_an_accepted_copy_is_not_sent_again_while_the_disk_is_full(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(number: int) -> None:
        raise StoreFull

    monkeypatch.setattr(office.spool._file, "finish", full)
    office.send("a@b.example")
    office.pass_time(86400)
    assert len(office.fake.sent) == 1
    monkeypatch.undo()
    office.clock.advance(AGAIN)
    assert office.entries() == []
    assert len(office.fake.sent) == 1


def test_a_fault_of_ours_loses_nothing_and_stops_nobody(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(office.fake, "send", broken)
    office.send("a@b.example")
    office.send("a@c.example")
    monkeypatch.undo()
    assert [one.attempts for one in office.entries()] == [1, 1]
    office.pass_time(3600)
    assert sorted(office.fake.recipients) == ["a@b.example", "a@c.example"]


def test_notices_wait_behind_mail(tmp_path: Path) -> None:
    office = Office(tmp_path, lane_concurrency=1, concurrency=1)
    office.fake.hold = True
    office.send("first@b.example")
    notice = MailTransaction(None, (Recipient(address("notice@b.example"), RELAY),))
    office.take(notice)
    office.send("mail@b.example")
    while office.fake.waiting:
        office.fake.waiting.pop(0).callback(None)
    assert office.fake.recipients == ["first@b.example", "mail@b.example", "notice@b.example"]


def test_mail_follows_its_route_into_another_lane(tmp_path: Path) -> None:
    """A smart host was configured while it waited."""
    office = Office(tmp_path)
    office.fake.failures["b.example"] = LATER
    office.send("a@b.example")
    office.fake._lane = lambda route, recipient: "smarthost"
    office.fake.failures.clear()
    office.pass_time(3600)
    assert office.entries() == []
    assert len(office.fake.sent) == 2


def test_mail_follows_its_senders_profile(office: Office) -> None:
    """Another profile was assigned while it waited."""
    office.fake.failures["b.example"] = LATER
    office.send("a@b.example", route=OWN)
    office.profiles.assignments[ALICE.principal] = "other"
    office.fake.failures.clear()
    office.pass_time(3600)
    assert [one.recipients[0].route.profile for one, _ in office.fake.sent] == ["mine", "other"]
    assert office.entries() == []


def test_mail_whose_profile_is_gone_never_takes_another_way(office: Office) -> None:
    """DESIGN §7: it waits a day for a new one, then its sender is told."""
    office.fake.failures["b.example"] = LATER
    office.send("a@b.example", route=OWN)
    office.profiles.assignments.clear()
    office.fake.failures.clear()
    office.pass_time(23 * 3600)
    assert len(office.fake.sent) == 1 and len(office.entries()) == 1
    office.pass_time(2 * 3600)
    assert len(office.fake.sent) == 1 and office.entries() == []
    notice = office.inbox("alice@example.com")[-1]
    assert b"Action: failed" in notice and b"Status: 5.7.1" in notice


def test_a_new_profile_within_the_day_takes_the_mail(office: Office) -> None:
    office.fake.failures["b.example"] = LATER
    office.send("a@b.example", route=OWN)
    office.profiles.assignments.clear()
    office.fake.failures.clear()
    office.pass_time(7200)
    office.profiles.assignments[ALICE.principal] = "new"
    office.pass_time(3600)
    assert [one.recipients[0].route.profile for one, _ in office.fake.sent] == ["mine", "new"]
    assert office.entries() == []


def test_a_held_message_is_not_tried_until_it_is_released(office: Office) -> None:
    office.fake.failures["b.example"] = LATER
    office.send("a@b.example")
    run(office.spool.hold(EVERYTHING, HELD_BY_OPERATOR, ""))
    run(office.dispatcher.changed())
    office.pass_time(7 * 86400)
    assert len(office.fake.sent) == 1
    assert office.inbox("alice@example.com") == []
    office.fake.failures.clear()
    assert run(office.dispatcher.release(EVERYTHING)) == 1
    assert len(office.fake.sent) == 2


def test_a_retry_goes_at_once(office: Office) -> None:
    office.fake.failures["b.example"] = UNREACHED
    for _ in range(5):
        office.send("a@b.example")
    office.fake.failures.clear()
    tried = len(office.fake.sent)
    run(office.dispatcher.retry(EVERYTHING))
    assert len(office.fake.sent) == tried + 5
    assert office.entries() == []


def test_a_release_in_the_future_goes_in_time(office: Office) -> None:
    office.send("a@b.example", hold_until=office.clock.seconds() + 600)
    office.clock.advance(599)
    assert office.fake.sent == []
    office.clock.advance(1)
    assert office.fake.recipients == ["a@b.example"]


@pytest.mark.parametrize("back", [3600.0, 40_000_000.0])
def test_a_clock_put_back_does_not_stop_the_queue(tmp_path: Path, back: float) -> None:
    office = Office(tmp_path, retry_first=100)
    office.fake.failures["b.example"] = LATER
    office.send("a@b.example")
    office.clock.rightNow -= back
    office.fake.failures.clear()
    office.send("a@c.example")
    office.clock.advance(101)
    office.send("b@c.example")
    assert "a@b.example" in office.fake.recipients[1:]


def test_a_clock_put_forward_gives_nothing_up_unseen(tmp_path: Path) -> None:
    """And what fails then does not fail over and over."""
    office = Office(tmp_path)
    office.fake.failures["b.example"] = LATER
    for _ in range(10):
        office.send("a@b.example")
    office.clock.rightNow += 400 * 86400
    office.send("a@c.example")
    assert len(office.fake.sent) == 10 + 1 + 10
    assert len(office.entries()) == 10


@pytest.mark.parametrize("leap", [7 * 86_400.0, 315_360_000.0])
def test_a_clock_that_leaps_makes_no_mail_old(tmp_path: Path, leap: float) -> None:
    """What was tried often enough to be given up, had it been here so long, is neither that nor called late."""
    office = Office(tmp_path)
    office.fake.failures["b.example"] = LATER
    office.send("a@b.example")
    office.pass_time(3600)
    (entry,) = office.entries()
    assert entry.attempts >= LEAST_ATTEMPTS
    office.wall.ahead += leap
    office.pass_time(3600)
    (entry,) = office.entries()
    assert office.inbox("alice@example.com") == []
    office.wall.ahead = 0.0
    office.pass_time(3600)
    assert len(office.entries()) == 1
    assert office.inbox("alice@example.com") == []


def test_a_clock_that_leaps_during_an_attempt_ends_nothing(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.fake.failures["b.example"] = LATER
    office.send("a@b.example")
    office.pass_time(3600)
    office.fake.hold = True
    office.pass_time(7200)
    office.wall.ahead += 315_360_000.0
    office.fake.waiting.pop().callback(None)
    office.pass_time(60)
    assert len(office.entries()) == 1
    assert office.inbox("alice@example.com") == []


def test_what_is_given_up_is_so_by_the_time_that_passed(tmp_path: Path) -> None:
    """However the time of day was set meanwhile."""
    office = Office(tmp_path, max_age=86_400)
    office.fake.failures["b.example"] = LATER
    office.send("a@b.example")
    office.pass_time(43_200)
    office.wall.ahead += 315_360_000.0
    office.pass_time(36_000)
    assert len(office.entries()) == 1
    office.pass_time(14_400)
    assert office.entries() == []
    assert b"Action: failed" in office.inbox("alice@example.com")[-1]


def test_a_due_time_of_a_wrong_clock_is_mended_at_the_start(office: Office) -> None:
    office.fake.failures["b.example"] = LATER
    office.send("a@b.example")
    run(office.dispatcher.stop())
    office.clock.rightNow -= 400 * 86400
    office.fake.failures.clear()
    office.dispatcher.start()
    assert office.entries() == []


def test_a_stop_waits_for_what_is_under_way(office: Office) -> None:
    office.fake.hold = True
    for _ in range(5):
        office.send("a@b.example")
    ended: list[object] = []
    office.start_stop(ended)
    office.fake.waiting.pop(0).callback(None)
    assert ended == []
    office.fake.waiting.pop(0).callback(None)
    assert ended == [None]
    assert len(office.fake.sent) == 2
    assert len(office.entries()) == 3


def test_a_stop_does_not_wait_for_ever(office: Office) -> None:
    office.fake.hold = True
    office.send("a@b.example")
    ended: list[object] = []
    office.start_stop(ended)
    office.clock.advance(GRACE)
    assert ended == [None]
    assert len(office.entries()) == 1


def test_many_lanes_are_forgotten_when_they_are_empty(office: Office) -> None:
    for number in range(50):
        office.send(f"a@b{number}.example")
    assert office.dispatcher._lanes == {}
    assert len(office.fake.sent) == 50


def test_recipients_are_kept_whole(office: Office) -> None:
    """What the relay is to pass on (RFC 3461 §5.2.1, RFC 8689 §2)."""
    recipient = Recipient(address("a@b.example"), RELAY, ("SUCCESS", "DELAY"), "rfc822;a@b.example")
    transaction = MailTransaction(
        ALICE.address, (recipient,), ALICE.principal, True, True, "QQ", "HDRS", require_tls=True
    )
    office.take(transaction)
    assert replace(office.fake.sent[0][0], hold_until=0.0) == transaction
