"""
The operations in this process, on the files themselves, for when no daemon runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from typing import Any, BinaryIO, TypeVar

from twisted.internet import reactor as _installed
from twisted.internet.defer import Deferred
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.python.failure import Failure

from trekd.assembly.entries import entry_rules
from trekd.cli.control import Path, checked, octets_of
from trekd.config.schema import Config
from trekd.directory.interfaces import IAccountAdministration, IDirectoryDiagnosis
from trekd.errors import ConfigFault
from trekd.filters.interfaces import ISettings
from trekd.opening import open_directory, open_keys, open_resolver, open_settings, open_store, own_sts_policy
from trekd.portal.plans import Plans
from trekd.store.interfaces import IStore
from trekd.web.collaborators import Collaborators
from trekd.web.operations import Operations
from trekd.web.routes import Call, Reply, perform

T = TypeVar("T")

_reactor: Any = _installed
_CHUNK = 64 * 1024
_TURN = 0.05
"""Seconds that one turn of the reactor waits at most."""


class FileControl:
    """
    See L{Control<trekd.cli.control.Control>}.

    The reactor turns only while an operation is awaited, with the rights of the data directory's owner: what root
    adds stays readable for the daemon.
    """

    def __init__(self, config: Config, is_debugging: bool) -> None:
        """
        Open the directory; the store is opened when an operation needs it.

        @param is_debugging: show on standard error what goes on inside.
        @raise ConfigFault: it cannot be used.
        """
        _begin_logging(is_debugging)
        self._config = config
        self._store: IStore | None = None
        self._settings: ISettings | None = None
        if not _reactor.running:
            _reactor.startRunning(installSignalHandlers=False)
        with _rights_of_owner(config.server.data_dir):
            self._directory: Any = open_directory(config, _reactor)
        ours: Any = self._directory if IAccountAdministration.providedBy(self._directory) else None
        self._operations = Operations(
            Collaborators(
                lambda: config,
                self._directory,
                ours,
                self._open_store,
                Plans(config.plans).quota,
                diagnosis=IDirectoryDiagnosis(self._directory, None),
                settings=self._open_settings,
                keys=open_keys(config, _at_once),
                resolver=open_resolver(config.dns, _reactor),
                sts_policy=lambda: own_sts_policy(config),
                entries=entry_rules(_at_once),
            )
        )

    def ask(self, method: str, path: Path, body: object = None, **query: str) -> Any:
        """See L{Control.ask<trekd.cli.control.Control.ask>}."""
        return self._perform(method, path, body, query).body

    def follow(self, method: str, path: Path, body: object = None, **query: str) -> Iterator[Any]:
        """See L{Control.follow<trekd.cli.control.Control.follow>}."""
        return map(checked, self._steps(self._perform(method, path, body, query).lines))

    def fetch(self, path: Path, **query: str) -> BinaryIO:
        """See L{Control.fetch<trekd.cli.control.Control.fetch>}."""
        return BufferedReader(_Pieces(self._steps(self._perform("GET", path, None, query).pieces)), _CHUNK)

    def close(self) -> None:
        """See L{Control.close<trekd.cli.control.Control.close>}."""
        if self._store is not None:
            self._wait(self._store.close())
        if self._settings is not None:
            self._wait(self._settings.close())
        self._wait(self._directory.close())

    def _open_store(self) -> IStore:
        if self._store is None:
            self._store = open_store(self._config, _reactor)
        return self._store

    def _open_settings(self) -> ISettings:
        if self._settings is None:
            self._settings = open_settings(self._config, _at_once)
        return self._settings

    def _perform(self, method: str, path: Path, body: object, query: Mapping[str, str]) -> Any:
        reply = self._wait(perform(self._operations, Call(method, path, query, octets_of(body))))
        if isinstance(reply, Reply):
            checked(reply.body)
        return reply

    def _steps(self, steps: AsyncIterator[T]) -> Iterator[T]:
        """An asynchronous iterator's items."""
        while True:
            try:
                item = self._wait(steps.__anext__())
            except StopAsyncIteration:
                return
            yield item

    def _wait(self, work: Awaitable[T]) -> T:
        """Let the reactor turn until the work is done."""
        outcome: list[T | Failure] = []
        with _rights_of_owner(self._config.server.data_dir):
            Deferred.fromCoroutine(_awaited(work)).addBoth(outcome.append)
            while not outcome:
                _reactor.iterate(_TURN)
        result = outcome[0]
        if isinstance(result, Failure):
            result.raiseException()
        return result


async def _at_once(function: Callable[..., T], *arguments: Any) -> T:
    """Nobody else waits here."""
    return function(*arguments)


def _begin_logging(is_shown: bool) -> None:
    """Send what the rooms log to standard error or nowhere: failures are told in one line."""
    observers = [textFileLogObserver(sys.stderr)] if is_shown else []
    globalLogBeginner.beginLoggingTo(observers, discardBuffer=not is_shown, redirectStandardIO=False)


async def _awaited(work: Awaitable[T]) -> T:
    return await work


class _Pieces(RawIOBase):
    """Octets that come in pieces, as a raw stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        """See C{RawIOBase}."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See C{RawIOBase}."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


@contextmanager
def _rights_of_owner(folder: str) -> Iterator[None]:
    """Act with the rights of a folder's owner, if this is root; a folder that is not there yet will be root's."""
    try:
        owner = os.stat(folder if os.path.exists(folder) else "/")
    except OSError as fault:
        raise ConfigFault(f"{folder}: {os.strerror(fault.errno or 0)}") from None
    if os.geteuid() or not owner.st_uid:
        yield
        return
    group = os.getegid()
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
