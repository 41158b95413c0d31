"""
A process that changes one account, in parallel and without end, and says what was acknowledged; it is killed.

Started as C{python -m tests.crash.appender ENGINE DIRECTORY MOMENT COUNT}: it kills itself when it has come to the
failpoint MOMENT for the COUNTth time; with MOMENT C{-} somebody else has to.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from pathlib import Path

from tests.fakes.mime import PlainReader
from tests.fakes.running import PumpedReactor
from trekd.store.interfaces import FlagOperation, IAccountStore, NewMessage
from trekd.store.sqlite.store import Settings, SQLiteStore
from trekd.values import DELETED, INBOX, MailboxName, PrincipalId

ALICE = PrincipalId("alice@example.com")
ARCHIVE = MailboxName("Archive")
THRESHOLD = 4096
STREAMS = 8


def settings(engine: str, directory: Path) -> Settings:
    """The store that dies, and is opened again."""
    return Settings(directory, engine, 4, 2, 2, THRESHOLD)


def main(engine: str, directory: str, moment: str, times: str) -> None:
    """Run until the end comes."""
    countdown = [int(times)]

    def failpoint(name: str) -> None:
        if name == moment:
            countdown[0] -= 1
            if countdown[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    reactor = PumpedReactor()
    store = SQLiteStore(settings(engine, Path(directory)), PlainReader(), reactor, failpoint)
    account = reactor.run(store.open(ALICE))
    for stream in range(STREAMS):
        reactor.start(_append_for_ever(account, stream))
    reactor.until(lambda: False)


async def _append_for_ever(account: IAccountStore, stream: int) -> None:
    """Small and large messages; every third is moved, every fourth removed once it was acknowledged."""
    for number in count():
        marker = f"{stream}-{number}"
        size = 10 if number % 2 else 3 * THRESHOLD
        message = NewMessage(f"Subject: {marker}\r\n\r\n".encode() + b"x" * size)
        appended = await account.append(INBOX, [message])
        _say("there", marker)
        if number % 3 == 0:
            await _move(account, appended.uids[0])
        elif number % 4 == 0:
            _say("going", marker)
            await _remove(account, appended.uids[0])
            _say("gone", marker)


async def _move(account: IAccountStore, uid: int) -> None:
    view = (await account.open(INBOX)).view
    place = view.uids.index(uid)
    await account.move(view, (range(place, place + 1),), ARCHIVE)


async def _remove(account: IAccountStore, uid: int) -> None:
    view = (await account.open(INBOX)).view
    place = view.uids.index(uid)
    await account.change_flags(view, (range(place, place + 1),), FlagOperation.ADD, frozenset((DELETED,)))
    await account.expunge(view.mailbox, view.uids[place : place + 1])


def _say(what: str, marker: str) -> None:
    os.write(1, f"{what} {marker}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
