"""L{trekd.smtp.amended}: another header, the same body, readable from anywhere."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from trekd.smtp.amended import Amended, amend, written
from trekd.store.contents import IMessageSource, InMemory


def result_of(awaitable: Any) -> Any:
    results: list[Any] = []
    Deferred.fromCoroutine(awaitable).addBoth(results.append)
    return results[0]


def test_every_piece_is_that_of_the_whole() -> None:
    message = Amended(b"Head: new\r\n\r\n", InMemory(b"Old: 1\r\n\r\nbody of it\r\n"), 10)
    assert verifyObject(IMessageSource, message)
    whole = b"Head: new\r\n\r\nbody of it\r\n"
    assert result_of(message.octets()) == whole and message.size == len(whole)
    for offset in range(len(whole) + 2):
        for length in range(len(whole) + 2):
            assert result_of(message.read(offset, length)) == whole[offset : offset + length]


@pytest.mark.parametrize(
    ("header", "amended"),
    [
        (b"A: 1\r\nX-Spam: 2\r\n 3\r\nx-spam: 4\r\n\r\n", b"N: v\r\nA: 1\r\n\r\n"),
        (b"\r\n", b"N: v\r\n\r\n"),
        (b"no field\r\nX-SPAM: 1\r\n\r\n", b"N: v\r\nno field\r\n\r\n"),
        (b"A: 1\r\n", b"N: v\r\nA: 1\r\n"),
    ],
)
def test_fields_are_taken_out_whole(header: bytes, amended: bytes) -> None:
    assert amend(header, b"N: v\r\n", ["X-Spam"], None) == amended


def test_nothing_but_fields_is_added() -> None:
    assert written([("A", "x\r\nB: y\0\x7fz"), ("", "x"), ("a:b", "x"), ("é", "x"), ("C", " é ")]) == (
        b"A: x B: y z\r\nC: \xc3\xa9\r\n"
    )
