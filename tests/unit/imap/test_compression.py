"""COMPRESS=DEFLATE as clients see it (RFC 4978)."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import pytest

from tests.fakes.imapsite import Client, IMAPSite

MEMORY = 4 << 20
"""Octets that a hostile input may take at most, the test's own ones included."""


class Compressed:
    """A client that compresses, and reads what is compressed."""

    def __init__(self, client: Client) -> None:
        assert client.ask("z COMPRESS DEFLATE") == ["z OK DEFLATE active"]
        self.client = client
        self._out = zlib.compressobj(9, zlib.DEFLATED, -15)
        self._in = zlib.decompressobj(-15)

    def compressed(self, octets: bytes) -> bytes:
        """What would be sent for C{octets}."""
        return self._out.compress(octets) + self._out.flush(zlib.Z_SYNC_FLUSH)

    def read(self) -> bytes:
        """All that the server said; it must be there to the last octet."""
        octets = self._in.decompress(self.client.read())
        assert not self._in.eof
        return octets

    def ask(self, text: str) -> list[str]:
        """Send one line and read all that comes back."""
        self.client.send(self.compressed(text.encode() + b"\r\n"))
        return self.read().decode().split("\r\n")[:-1]


def filled() -> IMAPSite:
    """A site with messages."""
    site = IMAPSite()
    site.fill(50)
    return site


def test_answers_are_the_same_and_smaller() -> None:
    site = filled()
    site.user().select()  # nothing is recent any more
    plain = site.user().select()
    wanted = plain.ask("a UID FETCH 1:* (FLAGS ENVELOPE BODY.PEEK[])")
    client = site.user()
    client.select()
    before = client.protocol.describe()["octets_out"]
    assert Compressed(client).ask("a UID FETCH 1:* (FLAGS ENVELOPE BODY.PEEK[])") == wanted
    assert client.protocol.describe()["octets_out"] - before < len("\r\n".join(wanted)) / 2


def test_commands_in_any_pieces() -> None:
    """Pipelined commands, an APPEND among them, split at random places."""
    commands = b"a NOOP\r\nb APPEND INBOX {11+}\r\nX: y\r\n\r\nz\r\n\r\nc SELECT INBOX\r\nd UNSELECT\r\n"
    for seed in range(20):
        client = IMAPSite().user()
        peer, pick = Compressed(client), random.Random(seed)
        octets = peer.compressed(commands)
        while octets:
            cut = pick.randint(1, len(octets))
            client.send(octets[:cut])
            octets = octets[cut:]
        lines = peer.read().split(b"\r\n")
        tagged = [line[:4] for line in lines if line[:1].islower()]
        assert tagged == [b"a OK", b"b OK", b"c OK", b"d OK"]
        assert b"* 1 EXISTS" in lines


def test_news_in_idle_arrive_at_once() -> None:
    site = filled()
    client = site.user()
    client.select()
    peer = Compressed(client)
    assert peer.ask("i IDLE")[-1].startswith("+")
    other = site.user()
    other.send(b"a APPEND INBOX {6+}\r\nX: y\r\n\r\n")
    assert b"* 51 EXISTS\r\n" in peer.read()


@pytest.mark.parametrize(
    ("command", "answer"),
    [("a COMPRESS DEFLATE", "a NO [COMPRESSIONACTIVE] "), ("a COMPRESS LZW", "a BAD "), ("a COMPRESS", "a BAD ")],
)
def test_refusals(command: str, answer: str) -> None:
    """RFC 4978 §3; compression goes on."""
    peer = Compressed(IMAPSite().user())
    assert peer.ask(command)[-1].startswith(answer)
    assert peer.ask("n NOOP")[-1].startswith("n OK")


def test_not_before_login() -> None:
    client = Client(IMAPSite())
    client.read()
    assert client.ask("a COMPRESS DEFLATE")[-1].startswith("a BAD ")
    assert client.ask("b CAPABILITY")[-1].startswith("b OK")


@pytest.mark.parametrize("octets", [b"\xff" * 40, b"a NOOP\r\nb NOOP\r\n", zlib.compress(b"a NOOP\r\n", wbits=-15)])
def test_what_is_no_open_stream_ends_the_connection(octets: bytes) -> None:
    """Garbage, commands in clear, and a stream that ends."""
    client = IMAPSite().user()
    peer = Compressed(client)
    client.send(octets)
    assert b"* BYE " in peer.read()
    assert client.closed


def test_little_that_stands_for_much_takes_little_memory() -> None:
    """64 MB of one line; the connection lives on or says why not."""
    client = IMAPSite().user()
    peer = Compressed(client)
    bomb = b"".join(peer._out.compress(b" " * (1 << 20)) for _ in range(64)) + peer.compressed(b"\r\n")
    assert len(bomb) < 1 << 18
    tracemalloc.start()
    client.send(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MEMORY
    assert b" BAD " in peer.read()


def test_a_client_that_does_not_read_sends_in_vain() -> None:
    """Commands wait compressed, and the client waits when enough of them do."""
    site = filled()
    client = site.user()
    client.select()
    peer = Compressed(client)
    client.protocol._output.pauseProducing()
    pick = random.Random(1)
    while client.transport.producerState == "producing":
        client.send(peer.compressed(b"a%d NOOP\r\n" % pick.randrange(1 << 60)))
    assert not client.read()
    client.protocol._output.resumeProducing()
    assert client.transport.producerState == "producing"
    assert peer.read().count(b" OK NOOP") > 1000
