"""Large output is written in turns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trekd.imap.turns import OCTETS, Turns


class Reactor:
    """Does in a turn what was asked for before it, as a real one does."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def callLater(self, delay: float, function: Callable[[], None]) -> Any:
        self.calls.append(function)

    def turn(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call()


def test_so_much_may_be_written_at_once_and_the_rest_in_order() -> None:
    reactor = Reactor()
    turns = Turns(reactor)  # type: ignore[arg-type]
    written: list[int] = []

    def ask(number: int) -> None:
        turn = turns.take(OCTETS // 2)
        if turn is None:
            written.append(number)
        else:
            turn.addCallback(lambda _: written.append(number))

    for number in range(5):
        ask(number)
    assert written == [0, 1]
    reactor.turn()
    assert written == [0, 1, 2, 3]
    ask(5)
    assert written == [0, 1, 2, 3], "who asks later waits for those before"
    reactor.turn()
    assert written == [0, 1, 2, 3, 4, 5]
    reactor.turn()
    assert not reactor.calls, "nobody waits, nothing runs"
    ask(6)
    assert written[-1] == 6


def test_who_writes_again_and_again_does_not_keep_others_out() -> None:
    reactor = Reactor()
    turns = Turns(reactor)  # type: ignore[arg-type]
    assert turns.take(OCTETS) is None
    greedy, modest = turns.take(OCTETS), turns.take(1)
    assert greedy is not None and modest is not None
    again = []
    greedy.addCallback(lambda _: again.append(turns.take(OCTETS)))
    reactor.turn()
    assert not modest.called and again != [None]
    reactor.turn()
    assert modest.called
