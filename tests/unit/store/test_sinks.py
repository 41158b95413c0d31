"""
Message sinks.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface.verify import verifyObject

from tests.fakes.running import PumpedReactor
from trekd.errors import StoreFull
from trekd.store.interfaces import IMessageSink, NewMessage
from trekd.store.sinks import FileSink, MemorySink, remove_leftovers, whole_message


def at_once(function: Callable[[], None]) -> Deferred[None]:
    """Run it now, as a thread that takes no time would."""
    return maybeDeferred(function)


class Later:
    """Runs functions when told, as a busy thread would."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Callable[[], None], Deferred[None]]] = []

    def __call__(self, function: Callable[[], None]) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self.jobs.append((function, done))
        return done

    def run(self) -> None:
        """Run what waits."""
        jobs, self.jobs = self.jobs, []
        for function, done in jobs:
            at_once(function).chainDeferred(done)


@contextmanager
def full_disk() -> Iterator[None]:
    """While this lasts, no file grows beyond 1000 octets, the test run's own output included."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def reactor() -> PumpedReactor:
    """Runs coroutines."""
    return PumpedReactor()


def test_sinks_provide_the_interface(tmp_path: Path) -> None:
    """Both of them."""
    assert verifyObject(IMessageSink, FileSink(tmp_path, at_once))
    assert verifyObject(IMessageSink, MemorySink())


def test_small_message_never_is_a_file(tmp_path: Path, reactor: PumpedReactor) -> None:
    """Up to the threshold, nothing is waited for."""
    sink = FileSink(tmp_path, at_once, 10)
    assert sink.write(b"12345") is None
    assert sink.write(b"67890") is None
    assert list(tmp_path.iterdir()) == []
    assert sink.size == 10
    assert reactor.run(sink.octets()) == b"1234567890"


def test_large_message_goes_to_a_private_file(tmp_path: Path, reactor: PumpedReactor) -> None:
    """In batches, off the reactor; readable again and again, until it is discarded."""
    thread = Later()
    sink = FileSink(tmp_path, thread, 10)
    expected = b""
    for number in range(10):
        portion = bytes([number]) * 7
        waiting = sink.write(portion)
        expected += portion
        if waiting is not None:
            assert not waiting.called
            thread.run()
            assert waiting.called
    [path] = tmp_path.iterdir()
    assert path.stat().st_mode & 0o077 == 0
    assert path.stat().st_size == sink.size == 70
    for _ in range(2):
        reading = reactor.start(sink.octets())
        thread.run()
        assert reactor.finish(reading) == expected
    sink.discard()
    sink.discard()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreFull):
        reactor.run(sink.octets())


def test_pieces_are_read_wherever_they_lie(tmp_path: Path, reactor: PumpedReactor) -> None:
    """From the file, from memory, across both, and past the end."""
    content = bytes(range(50))
    for sink in (MemorySink(), FileSink(tmp_path, at_once, 10), FileSink(tmp_path, at_once, 1000)):
        for start in range(0, 50, 5):
            sink.write(content[start : start + 5])
        for offset in range(0, 60, 3):
            for length in (0, 1, 8, 20, 100):
                assert reactor.run(sink.read(offset, length)) == content[offset : offset + length]


def test_writing_without_waiting_loses_nothing(tmp_path: Path, reactor: PumpedReactor) -> None:
    """Whoever does not wait gets the octets in order all the same."""
    thread = Later()
    sink = FileSink(tmp_path, thread, 10)
    waits = [sink.write(bytes([number]) * 20) for number in range(5)]
    assert None not in waits
    reading = reactor.start(sink.octets())
    while thread.jobs:
        thread.run()
    assert reactor.finish(reading) == b"".join(bytes([number]) * 20 for number in range(5))
    assert all(waiting is not None and waiting.called for waiting in waits)


def test_full_disk_is_kept_until_the_sink_is_used(tmp_path: Path, reactor: PumpedReactor) -> None:
    """C{write} never raises; what follows takes no memory; no file is left."""
    with full_disk():
        sink = FileSink(tmp_path, at_once, 400)
        for _ in range(20):
            waiting = sink.write(b"x" * 300)
            assert waiting is None or waiting.called
        assert sink.size == 6000
        for _ in range(2):
            with pytest.raises(StoreFull):
                reactor.run(sink.octets())
        assert list(tmp_path.iterdir()) == []
        sink.discard()


def test_absent_directory_is_a_failure_to_write(tmp_path: Path, reactor: PumpedReactor) -> None:
    """Also a thread pool that refuses."""

    def refuse(function: Callable[[], None]) -> Deferred[None]:
        raise RuntimeError("stopped")

    for sink in (FileSink(tmp_path / "absent", at_once, 1), FileSink(tmp_path, refuse, 1)):
        assert sink.write(b"xx") is not None
        with pytest.raises(StoreFull):
            reactor.run(sink.octets())


def test_lost_file_is_noticed(tmp_path: Path, reactor: PumpedReactor) -> None:
    """Never part of a message for the whole."""
    sink = FileSink(tmp_path, at_once, 1)
    sink.write(b"first")
    [path] = tmp_path.iterdir()
    path.unlink()
    with pytest.raises(StoreFull):
        reactor.run(sink.octets())
    sink.write(b"second")
    with pytest.raises(StoreFull):
        reactor.run(sink.octets())


def test_discarding_while_a_batch_is_written_leaves_no_file(tmp_path: Path, reactor: PumpedReactor) -> None:
    """Whether the thread has begun or not; who waits goes on."""
    thread = Later()
    sink = FileSink(tmp_path, thread, 1)
    waiting = sink.write(b"xx")
    assert waiting is not None
    reading = reactor.start(sink.octets())
    sink.discard()
    assert sink.write(b"more") is None
    thread.run()
    assert waiting.called
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreFull):
        reactor.finish(reading)


def test_memory_sink_is_empty_once_discarded(reactor: PumpedReactor) -> None:
    """An append that comes too late fails instead of storing nothing."""
    sink = MemorySink()
    sink.write(b"ab")
    sink.write(b"c")
    assert sink.size == 3
    assert reactor.run(sink.octets()) == b"abc"
    sink.discard()
    with pytest.raises(StoreFull):
        reactor.run(sink.octets())


def test_whole_message_has_its_prefix(reactor: PumpedReactor) -> None:
    """From octets and from a sink."""
    sink = MemorySink()
    sink.write(b"content")
    assert reactor.run(whole_message(NewMessage(b"content", b"prefix "))) == b"prefix content"
    assert reactor.run(whole_message(NewMessage(sink, b"prefix "))) == b"prefix content"
    sink.discard()
    with pytest.raises(StoreFull):
        reactor.run(whole_message(NewMessage(sink)))


def test_leftovers_of_a_crash_are_removed(tmp_path: Path) -> None:
    """Files of sinks only."""
    sink = FileSink(tmp_path, at_once, 1)
    sink.write(b"xx")
    (tmp_path / "other").write_bytes(b"")
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
