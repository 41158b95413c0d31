"""
A client that comes and goes: after each quick resynchronisation its cache is what is there (RFC 7162).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.imapsite import Client, IMAPSite, message
from trekd.imap.grammar.sequence import SequenceSet
from trekd.store.memory.account import MemoryAccount

_FETCH = re.compile(r"\* \d+ FETCH \(UID (\d+) MODSEQ \((\d+)\) FLAGS \(([^)]*)\)\)")
_SHARE = st.tuples(st.integers(0, 6), st.integers(0, 6))
_CHANGE = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 3)),
    st.tuples(st.just("store"), _SHARE, st.sampled_from("+-"), st.sampled_from(("\\Deleted", "\\Flagged", "$Work"))),
    st.tuples(st.just("expunge")),
    st.tuples(st.just("move"), _SHARE),
)
_ABSENCE = st.tuples(
    st.lists(_CHANGE, max_size=5),
    st.sampled_from(("", " known", " known sample")),
    st.lists(_CHANGE, max_size=4),
)


@dataclass
class Cache:
    """
    What a disconnected client keeps: flags by UID, and how far it knows of changes.
    """

    flags: dict[int, set[str]] = field(default_factory=dict)
    validity: int = 0
    modseq: int = 0

    def synchronise(self, site: IMAPSite, hints: str) -> Client:
        """Come back and catch up; C{hints} say what else the client tells of its cache."""
        client = site.user()
        client.ask("e ENABLE QRESYNC")
        self.believe(client.ask(f"s SELECT INBOX{self._parameter(hints)}"), earlier=True)
        self.believe(client.ask(f"f UID FETCH {max(self.flags, default=0) + 1}:* (MODSEQ FLAGS)"), earlier=False)
        return client

    def _parameter(self, hints: str) -> str:
        if not self.modseq:
            return ""
        known = f" 1:{max(self.flags)}" if "known" in hints and self.flags else ""
        sample = ""
        if known and "sample" in hints:
            numbers = ",".join(str(number) for number in range(1, len(self.flags) + 1))
            sample = f" ({numbers} {','.join(map(str, sorted(self.flags)))})"
        return f" (QRESYNC ({self.validity} {self.modseq}{known}{sample}))"

    def believe(self, lines: list[str], earlier: bool) -> None:
        """Take responses for true."""
        assert re.match(r"\w+ OK", lines[-1]), lines[-1]
        for line in lines[:-1]:
            if found := _FETCH.fullmatch(line):
                self.flags[int(found[1])] = set(found[3].split()) - {"\\Recent"}
            elif found := re.fullmatch(r"\* VANISHED (\(EARLIER\) )?(\S+)", line):
                assert bool(found[1]) == earlier
                gone = SequenceSet.parse(found[2].encode())
                told = [uid for uid in self.flags if gone.contains(uid, 0)]
                assert earlier or sum(high - low + 1 for low, high in gone.ranges) == len(told)
                for uid in told:
                    del self.flags[uid]
            elif found := re.search(r"\[UIDVALIDITY (\d+)\]", line):
                self.validity = int(found[1])
            elif found := re.search(r"\[HIGHESTMODSEQ (\d+)\]", line):
                self.modseq = int(found[1])
            assert not line.endswith("EXPUNGE"), line


def change(client: Client, action: tuple[object, ...]) -> None:
    """Another client changes something."""
    total = len(client.ask("n UID SEARCH ALL")[0].split()) - 2
    match action:
        case ("append", int(count)):
            octets = message(1)
            for _ in range(count):
                client.send(b"t APPEND INBOX {%d+}\r\n" % len(octets) + octets + b"\r\n")
        case ("expunge",):
            client.ask("t EXPUNGE")
        case (name, share, *rest) if total > 0:
            first, last = sorted(number % total + 1 for number in share)  # type: ignore[attr-defined]
            if name == "store":
                client.ask(f"t STORE {first}:{last} {rest[0]}FLAGS ({rest[1]})")
            else:
                client.ask(f"t MOVE {first}:{last} Trash")
    client.ask("n NOOP")


def there(client: Client) -> dict[int, set[str]]:
    """The mailbox, read anew."""
    cache = Cache()
    cache.believe(client.ask("a UID FETCH 1:* (MODSEQ FLAGS)"), earlier=False)
    return cache.flags


@pytest.mark.parametrize("forgetful", [False, True], ids=["expunges recorded", "expunges forgotten"])
@given(absences=st.lists(_ABSENCE, min_size=1, max_size=4))
def test_cache_is_what_is_there(
    forgetful: bool, absences: list[tuple[list[tuple[object, ...]], str, list[tuple[object, ...]]]]
) -> None:
    """RFC 7162 §3.2.5; whether or not the store still knows what was expunged."""

    async def forgotten(*_: object) -> None:
        return None

    site = IMAPSite()
    site.fill(6)
    other = site.user().select()
    cache = Cache()
    with mock.patch.object(MemoryAccount, "vanished", forgotten) if forgetful else mock.MagicMock():
        for missed, hints, seen in absences:
            for action in missed:
                change(other, action)
            client = cache.synchronise(site, hints)
            assert cache.flags == there(other)
            for action in seen:
                change(other, action)
                cache.believe(client.ask("n NOOP"), earlier=False)
                cache.believe(client.ask(f"f UID FETCH {max(cache.flags, default=0) + 1}:* (MODSEQ FLAGS)"), False)
            assert cache.flags == there(other)
            client.ask("x LOGOUT")
