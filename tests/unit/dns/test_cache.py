"""L{trekd.dns.cache}: time and memory are bounded."""

from __future__ import annotations

from twisted.internet.task import Clock

from trekd.dns.cache import FAILURE_TTL, OVERHEAD, Cache
from trekd.dns.message import Question, Reading


def reading(ttl: int, octets: int = 100) -> Reading:
    return Reading((), True, False, ttl, octets)


def test_an_answer_is_known_for_its_time() -> None:
    clock = Clock()
    cache, question, answer = Cache(100_000, clock.seconds), Question("a.example", "MX"), reading(60)
    cache.keep(question, answer)
    clock.advance(59.5)
    assert cache.find(question) == (answer, 0)
    assert cache.find(Question("a.example", "A")) is None
    clock.advance(1)
    assert cache.find(question) is None
    assert len(cache) == 0


def test_what_may_not_be_kept_replaces_what_was() -> None:
    cache, question = Cache(100_000, Clock().seconds), Question("a.example", "MX")
    cache.keep(question, reading(60))
    cache.keep(question, reading(0))
    assert cache.find(question) is None


def test_failures_are_known_for_a_moment() -> None:
    """RFC 9520 §3.2."""
    clock = Clock()
    cache, question = Cache(100_000, clock.seconds), Question("a.example", "MX")
    cache.keep(question, None)
    found = cache.find(question)
    assert found is not None
    assert found[0] is None
    clock.advance(FAILURE_TTL)
    assert cache.find(question) is None


def test_memory_is_bounded_and_the_least_wanted_goes() -> None:
    cache = Cache(5 * OVERHEAD, Clock().seconds)
    for number in range(4):
        cache.keep(Question(f"{number}.example", "A"), reading(60, 10))
    cache.find(Question("0.example", "A"))
    cache.keep(Question("4.example", "A"), reading(60, 10))
    assert cache.find(Question("1.example", "A")) is None
    assert cache.find(Question("0.example", "A")) is not None
    cache.keep(Question("huge.example", "TXT"), reading(60, 60_000))
    assert len(cache) == 0
