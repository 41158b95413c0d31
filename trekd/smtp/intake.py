"""
A message on its way from the reader of DATA or BDAT into a sink: nothing of it is kept here but its header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from twisted.logger import Logger

from trekd.errors import BadMessage, Broken, LimitExceeded, SyntaxFault, TrekError
from trekd.smtp.headers import HeaderFilter
from trekd.store.interfaces import IMessageSink

log = Logger()


class Intake:
    """
    Feeds one message through its header's rewrite into a sink.

    It never raises: the first thing that goes wrong is kept, and what follows of the message is thrown away,
    because the client sends it in any case.

    @ivar fault: what went wrong, C{None} when nothing did.
    """

    def __init__(self, sink: IMessageSink, header: HeaderFilter) -> None:
        self.fault: TrekError | None = None
        self.sink = sink
        self._header = header

    @property
    def header(self) -> bytes:
        """The message's header as it stands at the beginning of the sink, when it is complete."""
        return self._header.header

    async def take(self, pieces: Iterable[bytes]) -> None:
        """The message's next octets."""
        for piece in pieces:
            if self.fault is None:
                await self._pass(partial(self._header.feed, piece))

    async def finish(self, found: TrekError | None) -> None:
        """
        The message is complete.

        @param found: the fault that its reader found.
        """
        if self.fault is None:
            self.fault = _fault_of_message(found)
        if self.fault is None:
            await self._pass(self._header.finish)

    def discard(self) -> None:
        """Free what the sink holds."""
        self.sink.discard()

    async def _pass(self, filtered: Callable[[], bytes]) -> None:
        try:
            octets = filtered()
            waiting = self.sink.write(octets) if octets else None
            if waiting is not None:
                await waiting
        except TrekError as error:
            self.fault = error
        except Exception:
            log.failure("message could not be taken in")
            self.fault = Broken()


def _fault_of_message(found: TrekError | None) -> TrekError | None:
    """A syntax fault inside a message is no fault of the command: it is the message that is refused."""
    if isinstance(found, LimitExceeded):
        return BadMessage("a line is too long")
    if isinstance(found, SyntaxFault):
        return BadMessage(f"expected {found.rule}")
    return found
