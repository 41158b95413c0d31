"""
What other servers take for the end of a message never ends one here, however it is cut: with DATA and with BDAT, on
every service, there is one message or none, and nothing behind it is a command.
"""

from __future__ import annotations

import pytest

from tests.fakes.vectors import VECTORS
from tests.unit.smtp.support import Client
from trekd.smtp.session import EXCHANGE, LMTP, SUBMISSIONS, Service

FIRST = b"From: alice@example.com\r\n\r\nfirst"
SECOND = b"MAIL FROM:<alice@example.com>\r\nRCPT TO:<carol@example.com>\r\nDATA\r\n" + FIRST
SERVICES = (EXCHANGE, LMTP, SUBMISSIONS)


def client_of(service: Service) -> Client:
    client = Client(service, max_errors=1000)
    if service is LMTP:
        client.ask(b"LHLO mx.example")
    elif service is EXCHANGE:
        client.ask(b"EHLO mx.example")
    return client


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
@pytest.mark.parametrize("vector", VECTORS, ids=repr)
def test_no_vector_makes_two_messages_of_one(service: Service, vector: bytes) -> None:
    octets = FIRST + vector + SECOND + b"\r\n.\r\n"
    client = client_of(service)
    for at in range(len(FIRST) - 3, len(FIRST) + len(vector) + 4):
        client.begin()
        client.ask(b"DATA")
        reply = client.send(octets[:at]) + client.send(octets[at:])
        assert reply.startswith(b"550 5.6.0") and reply.count(b"\r\n") == 1, (at, reply)
    client.begin()
    client.ask(b"DATA")
    assert b"".join([client.send(octets[at : at + 1]) for at in range(len(octets))]).startswith(b"550 5.6.0")
    assert client.stored == []
    assert client.ask(b"NOOP").startswith(b"250")


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
@pytest.mark.parametrize("vector", VECTORS, ids=repr)
def test_no_vector_passes_in_chunks(service: Service, vector: bytes) -> None:
    octets = FIRST + vector + SECOND
    client = client_of(service)
    for at in range(len(FIRST) - 2, len(FIRST) + len(vector) + 3):
        client.begin()
        first = client.send(b"BDAT %d\r\n" % at + octets[:at])
        if first.startswith(b"250"):
            first = client.send(b"BDAT %d LAST\r\n" % (len(octets) - at) + octets[at:])
        else:
            client.send(b"BDAT %d LAST\r\n" % (len(octets) - at) + octets[at:])
        assert first.startswith(b"550 5.6.0"), at
    assert client.stored == []
    assert client.ask(b"NOOP").startswith(b"250")


def test_other_line_feeds_are_mended_on_port_25_alone() -> None:
    """However the octets are cut."""
    octets = FIRST + b"\nnext\n..dot\r\n..\r\n\nend\n\r\n"
    wanted = b"first\r\nnext\r\n..dot\r\n.\r\n\r\nend\r\n\r\n"
    for at in range(len(FIRST), len(octets)):
        client = client_of(EXCHANGE)
        client.begin()
        client.ask(b"DATA")
        client.send(octets[:at])
        assert client.send(octets[at:] + b".\r\n").startswith(b"250"), at
        assert client.stored[0].endswith(wanted), at
    for service in (LMTP, SUBMISSIONS):
        client = client_of(service)
        assert client.submit(octets).startswith(b"550 5.6.0")


@pytest.mark.parametrize("cut", range(1, 24))
def test_chunks_keep_their_dots(cut: int) -> None:
    """RFC 3030 §2: a line with nothing but a dot is text in a chunk."""
    octets = b"A: b\r\n\r\n.\r\n..\r\n\n.x\n\r\n.\r\n"
    client = client_of(EXCHANGE)
    client.begin()
    client.send(b"BDAT %d\r\n" % cut + octets[:cut])
    assert client.send(b"BDAT %d LAST\r\n" % (len(octets) - cut) + octets[cut:]).startswith(b"250")
    assert client.stored[0].endswith(b"A: b\r\n\r\n.\r\n..\r\n\r\n.x\r\n\r\n.\r\n")


def test_a_dot_right_behind_data_is_the_end_only_with_crlf() -> None:
    for octets in (b".\n\r\n.\r\n", b"\n.\r\n\r\n.\r\n"):
        client = client_of(EXCHANGE)
        client.begin()
        client.ask(b"DATA")
        assert client.send(octets).startswith(b"550 5.6.0")
    client = client_of(EXCHANGE)
    client.begin()
    client.ask(b"DATA")
    assert client.send(b".\r\n").startswith(b"250")
