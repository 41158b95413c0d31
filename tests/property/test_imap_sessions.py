"""
Several sessions in one mailbox: what each client has been told is, after a last NOOP, what is there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.imapsite import Client, IMAPSite, message

_FETCH = re.compile(r"\* (\d+) FETCH \((?:UID (\d+) )?FLAGS \(([^)]*)\)\)")
_FLAGS = ("\\Deleted", "\\Flagged", "$Work")


@dataclass
class Watcher:
    """
    A client that believes what it is told.

    @ivar flags: of each message, in the order of sequence numbers; C{None} for those not fetched yet.
    """

    client: Client
    flags: list[set[str] | None] = field(default_factory=list)

    def ask(self, command: str, may_expunge: bool = True) -> None:
        """Run a command and believe its untagged responses."""
        lines = self.client.ask(f"t {command}")
        assert re.match(r"t (OK|NO \[EXPUNGEISSUED\])", lines[-1]), lines[-1]
        for line in lines[:-1]:
            self.believe(line, may_expunge)

    def believe(self, line: str, may_expunge: bool) -> None:
        """Take one untagged response for true."""
        word = line.split()
        if word[-1] == "EXPUNGE":
            assert may_expunge, line
            del self.flags[int(word[1]) - 1]
        elif word[-1] == "EXISTS":
            assert int(word[1]) > len(self.flags), line
            self.flags += [None] * (int(word[1]) - len(self.flags))
        elif found := _FETCH.fullmatch(line):
            self.flags[int(found[1]) - 1] = set(found[3].split()) - {"\\Recent"}

    def range(self, share: tuple[int, int]) -> str | None:
        """Some sequence numbers, C{None} when there is no message."""
        if not self.flags:
            return None
        first, last = sorted(number % len(self.flags) + 1 for number in share)
        return f"{first}:{last}"

    def store(self, share: tuple[int, int], sign: str, flag: str, silent: bool) -> None:
        """Change a flag; silently, the client changes its own record."""
        numbers = self.range(share)
        if numbers is None:
            return
        if silent:
            first, last = map(int, numbers.split(":"))
            for at in range(first - 1, last):
                known = self.flags[at]
                if known is not None:
                    self.flags[at] = known | {flag} if sign == "+" else known - {flag}
        self.ask(f"STORE {numbers} {sign}FLAGS{'.SILENT' if silent else ''} ({flag})", may_expunge=False)


_SHARE = st.tuples(st.integers(0, 6), st.integers(0, 6))
_STORE = st.tuples(st.just("store"), _SHARE, st.sampled_from("+-"), st.sampled_from(_FLAGS), st.booleans())
_OTHER = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 3)),
    st.tuples(st.just("expunge")),
    st.tuples(st.just("move"), _SHARE),
    st.tuples(st.just("copy"), _SHARE),
    st.tuples(st.just("fetch")),
    st.tuples(st.just("uid fetch")),
    st.tuples(st.just("search")),
    st.tuples(st.just("noop")),
    st.tuples(st.just("idle")),
)
_ACTION = st.booleans().flatmap(lambda stores: _STORE if stores else _OTHER)


def act(watcher: Watcher, action: tuple[object, ...]) -> None:
    """Let a client do something."""
    match action:
        case ("append", int(count)):
            octets = message(1)
            for _ in range(count):
                watcher.client.send(b"t APPEND INBOX {%d+}\r\n" % len(octets) + octets + b"\r\n")
                watcher.ask("NOOP")
        case ("store", share, sign, flag, silent):
            watcher.store(share, sign, flag, silent)  # type: ignore[arg-type]
        case ("move" | "copy" as name, share):
            numbers = watcher.range(share)  # type: ignore[arg-type]
            if numbers is not None:
                watcher.ask(f"{name} {numbers} {'Trash' if name == 'move' else 'INBOX'}")
        case ("fetch",):
            if watcher.flags:
                watcher.ask("FETCH 1:* FLAGS", may_expunge=False)
        case ("uid fetch",):
            watcher.ask("UID FETCH 1:* FLAGS")
        case ("search",):
            watcher.ask("SEARCH SEEN", may_expunge=False)
        case ("idle",):
            watcher.client.send(b"i IDLE\r\n")
            watcher.ask("NOOP")
        case (str(name),):
            watcher.ask(name.upper())


@pytest.mark.parametrize("late", [False, True], ids=["hints at once", "hints late"])
@given(plan=st.lists(st.tuples(st.integers(0, 2), _ACTION), min_size=10, max_size=30))
def test_what_clients_were_told_is_what_is_there(late: bool, plan: list[tuple[int, tuple[object, ...]]]) -> None:
    """RFC 3501 §5.2, §7.4.1."""
    site = IMAPSite()
    if late:
        site.reactor.delay_calls()
    site.fill(5)
    watchers = [Watcher(site.user().select()) for _ in range(3)]
    for watcher in watchers:
        watcher.believe("* 5 EXISTS", True)
        watcher.ask("UID FETCH 1:* FLAGS")
    for number, action in plan:
        act(watchers[number], action)
    site.reactor.advance(0)
    for watcher in watchers:
        watcher.ask("NOOP")
        told = list(watcher.flags)
        watcher.ask("UID FETCH 1:* FLAGS")
        assert [known for known in told if known is not None] == [
            flags for known, flags in zip(told, watcher.flags, strict=True) if known is not None
        ]
        assert len(told) == site.account_total()
    assert site.check() == ()
