"""
A process that takes messages, delivers them here and sends them on, without end; it is killed.

Started as C{python -m tests.crash.postman DIRECTORY MOMENT COUNT}: it kills itself when it has come to MOMENT for the
COUNTth time.  Moments are those of the queue's own (C{before commit}, C{after commit}) and those of the other side:
C{attempt} and C{sent} before and after a server takes a copy, C{delivery} and C{delivered} for a mailbox.

What was acknowledged is said in lines C{ack NUMBER}; what a server or a mailbox got is in the file C{got}, a line
C{NUMBER RECIPIENT} for each copy.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from tests.fakes.postoffice import FakeBox
from tests.fakes.relay import FakeRelay
from tests.unit.queue.support import ALICE, PostOffice, address
from trekd.errors import RemoteDeferred, StoreBusy
from trekd.queue.interfaces import Attempt, MailTransaction, Recipient
from trekd.queue.routing import LOCAL, RELAY
from trekd.store.interfaces import IMessageSource, NewMessage
from trekd.values import MailboxName

Failpoint = Callable[[str], None]

RECIPIENTS = ("bob@example.com", "one@b.example", "two@c.example")


def _number(octets: bytes) -> int:
    return int(octets.partition(b"Subject: ")[2].partition(b"\r\n")[0])


class Postman(PostOffice):
    """A post office whose servers and mailboxes write down what they get; every third copy they take only later."""

    def __init__(self, directory: Path, failpoint: Failpoint = lambda moment: None) -> None:
        self.got = os.open(directory / "got", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.failpoint = failpoint
        self.refused: set[tuple[int, str]] = set()
        relay = WritingRelay(self)
        super().__init__(directory, relay=relay, retry_first=10)
        self.spool._file._failpoint = failpoint
        self.post.boxes["bob@example.com"] = WritingBox(self)
        self.dispatcher.start()

    def write(self, octets: bytes, recipient: str) -> None:
        """A copy has arrived."""
        os.write(self.got, f"{_number(octets)} {recipient}\n".encode())

    def is_busy(self, octets: bytes, recipient: str) -> bool:
        """Whether this copy is not taken yet."""
        key = (_number(octets), recipient)
        if key[0] % 3 or key in self.refused:
            return False
        self.refused.add(key)
        return True

    def submit(self, number: int) -> bool:
        """Whether a message was acknowledged."""
        body = b"x" * (200_000 if number % 5 == 0 else 10)
        message = b"From: alice@example.com\r\nSubject: %d\r\n\r\n" % number + body
        recipients = (
            Recipient(address(RECIPIENTS[0]), LOCAL),
            *(Recipient(address(text), RELAY) for text in RECIPIENTS[1:]),
        )
        outcomes = self.take(MailTransaction(ALICE.address, recipients, ALICE.principal), message)
        return all(one.failure is None for one in outcomes)


class WritingRelay(FakeRelay):
    """A server."""

    def __init__(self, office: Postman) -> None:
        super().__init__()
        self._office = office

    async def send(self, transaction: MailTransaction, message: IMessageSource) -> tuple[Attempt, ...]:
        octets = await message.octets()
        attempts = []
        for recipient in transaction.recipients:
            self._office.failpoint("attempt")
            if self._office.is_busy(octets, str(recipient.address)):
                attempts.append(Attempt(recipient, RemoteDeferred("mx.example", "450 later", "4.0.0")))
                continue
            self._office.write(octets, str(recipient.address))
            self._office.failpoint("sent")
            attempts.append(Attempt(recipient, None, "mx.example", "250 OK"))
        return tuple(attempts)


class WritingBox(FakeBox):
    """Bob's mailbox."""

    def __init__(self, office: Postman) -> None:
        super().__init__(ALICE.principal)
        self._office = office

    async def append(self, name: MailboxName, messages: Sequence[NewMessage]) -> None:
        for message in messages:
            assert not isinstance(message.content, bytes)
            octets = await message.content.octets()
            self._office.failpoint("delivery")
            if self._office.is_busy(octets, RECIPIENTS[0]):
                raise StoreBusy
            self._office.write(octets, RECIPIENTS[0])
            self._office.failpoint("delivered")


def main(directory: str, moment: str, times: str) -> None:
    """Run until the end comes."""
    countdown = [int(times)]

    def failpoint(name: str) -> None:
        if name == moment:
            countdown[0] -= 1
            if countdown[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    office = Postman(Path(directory), failpoint)
    for number in count():
        if office.submit(number):
            os.write(1, f"ack {number}\n".encode())
        office.clock.advance(11)


if __name__ == "__main__":
    main(*sys.argv[1:])
