"""
A process that changes one account, in parallel and without end, and says what was acknowledged; it is killed.

Started as C{python -m tests.crash.appender ENGINE DIRECTORY MOMENT COUNT}: it kills itself when it has come to the
failpoint MOMENT for the COUNTth time; with MOMENT C{-} somebody else has to.  MOMENT C{COMMIT} is none of the store's
own: it is the moment at which a change's COMMIT is given to SQLite.

Before it kills itself, the reactor's thread does all that was asked of it so far, so that an answer that left too
early is said, and its message missed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any
from unittest.mock import patch

from twisted.python.failure import Failure

from tests.fakes.mime import PlainReader
from tests.fakes.running import PumpedReactor
from trekd.store.interfaces import FlagOperation, IAccountStore, NewMessage
from trekd.store.sqlite import store as stores
from trekd.store.sqlite.database import Database, library
from trekd.store.sqlite.store import Settings, SQLiteStore
from trekd.values import DELETED, INBOX, UID, MailboxName, PrincipalId

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
    reactor = PumpedReactor()

    def failpoint(name: str) -> None:
        if name == moment:
            countdown[0] -= 1
            if countdown[0] == 0:
                reactor.callFromThread(os.kill, os.getpid(), signal.SIGKILL)
                Event().wait()

    with patch.object(stores, "library", lambda name: _watched(library(name), failpoint)):
        store = SQLiteStore(settings(engine, Path(directory)), PlainReader(), reactor, failpoint)
    account = reactor.run(store.open(ALICE))
    for stream in range(STREAMS):
        reactor.start(_append_for_ever(account, stream)).addErrback(_give_up)
    reactor.until(lambda: False)


def _watched(open_database: Callable[[Path], Database], failpoint: Callable[[str], None]) -> Callable[[Path], Any]:
    """Opens databases that pass the failpoint C{COMMIT} before they commit a change."""

    class Watched:
        def __init__(self, path: Path) -> None:
            self._database = open_database(path)
            self._before = 0

        def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
            if sql == "BEGIN IMMEDIATE":
                self._before = self._database.changes
            elif sql == "COMMIT" and self._database.changes != self._before:
                self._before = self._database.changes
                failpoint("COMMIT")
            self._database.execute(sql, parameters)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._database, name)

    return Watched


async def _append_for_ever(account: IAccountStore, stream: int) -> None:
    """Small and large messages; every third is moved, every fourth removed, every fifth replaced once it is there."""
    for number in count():
        marker = f"{stream}-{number}"
        size = 10 if number % 2 else 3 * THRESHOLD
        appended = await account.append(INBOX, [new_message(marker, size)])
        _say("there", marker)
        if number % 3 == 0:
            await _move(account, appended.uids[0])
        elif number % 4 == 0:
            _say("going", marker)
            await _remove(account, appended.uids[0])
            _say("gone", marker)
        elif number % 5 == 0:
            _say("swapping", marker)
            inbox = (await account.mailbox(INBOX)).id
            await account.replace(inbox, UID(appended.uids[0]), ARCHIVE, new_message(f"new-{marker}", size))
            _say("swapped", marker)


def new_message(marker: str, size: int) -> NewMessage:
    """A message of that subject."""
    return NewMessage(f"Subject: {marker}\r\n\r\n".encode() + b"x" * size)


async def _move(account: IAccountStore, uid: int) -> None:
    view = (await account.open(INBOX)).view
    place = view.uids.index(uid)
    await account.move(view, (range(place, place + 1),), ARCHIVE)


async def _remove(account: IAccountStore, uid: int) -> None:
    view = (await account.open(INBOX)).view
    place = view.uids.index(uid)
    await account.change_flags(view, (range(place, place + 1),), FlagOperation.ADD, frozenset((DELETED,)))
    await account.expunge(view.mailbox, view.uids[place : place + 1])


def _give_up(why: Failure) -> None:
    """What was acknowledged was not there: the end, which is not the one that is waited for."""
    why.printTraceback(sys.stderr)
    sys.stderr.flush()
    os._exit(1)


def _say(what: str, marker: str) -> None:
    os.write(1, f"{what} {marker}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
