"""Rolling counts against a list of every instant."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from trekd.queue.windows import RollingCount

NOON = 1_700_000_000.0

steps = st.lists(
    st.tuples(st.floats(0, 20_000), st.integers(1, 3)).map(lambda step: (round(step[0], 3), step[1])), max_size=60
)


@settings(max_examples=100)
@given(steps, st.sampled_from([1, 24]))
def test_what_happened_within_the_time_counts_and_a_minute_older_does_not(
    happened: list[tuple[float, int]], hours: int
) -> None:
    """Never fewer than a list of instants would count, never one that is more than a minute too old."""
    count, instants, now = RollingCount(), [], NOON
    for wait, number in happened:
        now += wait
        count.add(now, number)
        instants += [now] * number
        used = count.used(now, hours)
        assert used >= sum(each > now - hours * 3600 for each in instants)
        assert used <= sum(each > now - hours * 3600 - 60 for each in instants)


@settings(max_examples=100)
@given(steps, st.sampled_from([1, 24]), st.integers(1, 20))
def test_who_waits_until_it_says_is_let_in_and_no_earlier(
    happened: list[tuple[float, int]], hours: int, allowed: int
) -> None:
    """The instant that a refusal names is right: full before, room then."""
    count, now = RollingCount(), NOON
    for wait, number in happened:
        now += wait
        count.add(now, number)
    used = count.used(now, hours)
    if used < allowed:
        return
    frees = count.frees(now, hours, used - allowed + 1)
    assert now < frees <= now + hours * 3600 + 60
    assert count.used(frees - 0.001, hours) >= allowed
    assert count.used(frees, hours) < allowed


@settings(max_examples=100)
@given(st.lists(st.tuples(st.floats(-200_000, 200_000), st.integers(0, 3)), max_size=40))
def test_a_jumping_clock_neither_raises_nor_locks_anybody_out(jumps: list[tuple[float, int]]) -> None:
    """However the clock moves, what was counted is gone a day and a minute after."""
    count, now = RollingCount(), NOON
    for jump, number in jumps:
        now += jump
        count.add(now, number)
        assert count.used(now, 24) >= number
    assert count.used(now + 24 * 3600 + 60, 24) == 0


@settings(max_examples=100)
@given(steps)
def test_what_is_stored_counts_the_same_when_it_is_read_again(happened: list[tuple[float, int]]) -> None:
    """Minute and count are all there is to it."""
    count, now, minutes = RollingCount(), NOON, set()
    for wait, number in happened:
        now += wait
        minutes.add(count.add(now, number))
    again = RollingCount((minute, count.count_of(minute)) for minute in sorted(minutes))
    assert [again.used(now, hours) for hours in (1, 24)] == [count.used(now, hours) for hours in (1, 24)]
