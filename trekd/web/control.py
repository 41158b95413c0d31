"""
The control socket: C{trekctl}'s API over HTTP.

Who can open the socket may do everything, so its file belongs to the administrator alone and no port of a network
should be listed in C{listen.control}.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.web.http import Request as HTTPRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from zope.interface import implementer

from trekd.web.operations import Operations
from trekd.web.routes import AnyReply, Call, LineReply, Reply, perform

MAX_BODY = 2 * 1024**3
"""Octets of a request's body: a batch of messages; it lies in a temporary file while it comes."""

_log = Logger()


def control_site(operations: Operations) -> Site:
    """
    Make the factory for the control socket.  A connection may be silent for long: somebody is asked for a password.
    """
    site = _ControlSite(_Control(operations), requestFactory=_ControlRequest, timeout=None)
    site.displayTracebacks = False
    site.noisy = False
    return site


class _ControlSite(Site):
    """A site without an access log: what was changed is logged by those who change it."""

    def log(self, request: HTTPRequest) -> None:
        """See C{HTTPFactory}."""


class _ControlRequest(Request):
    """A request with a bounded body."""

    _received = 0

    def handleContentChunk(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > MAX_BODY:
            self.channel.forceAbortClient()
        else:
            super().handleContentChunk(data)


class _Control(Resource):
    """Every path; L{perform} knows which there are."""

    isLeaf = True

    def __init__(self, operations: Operations) -> None:
        super().__init__()
        self._operations = operations

    def render(self, request: Request) -> int:
        """See C{IResource}."""
        work = ensureDeferred(_answer(self._operations, request))
        request.notifyFinish().addErrback(lambda reason: work.cancel())
        work.addErrback(_give_up, request)
        return NOT_DONE_YET


async def _answer(operations: Operations, request: Request) -> None:
    reply = await perform(operations, _call(request))
    if isinstance(reply, Reply):
        request.setResponseCode(reply.status)
        request.setHeader(b"content-type", b"application/json")
        request.write(_json(reply.body))
    else:
        await _stream(reply, request)
    request.finish()


def _call(request: Request) -> Call:
    path = request.uri.partition(b"?")[0].decode("ascii", "replace")
    segments = tuple(unquote(segment) for segment in path.split("/") if segment)
    query = {
        name.decode("utf-8", "replace"): values[-1].decode("utf-8", "replace")
        for name, values in request.args.items()
    }
    body = request.content.read() if request.content else b""
    return Call(request.method.decode("ascii", "replace"), segments, query, body)


async def _stream(reply: AnyReply, request: Request) -> None:
    """Write as fast as the other side reads."""
    gate = _Gate()
    request.registerProducer(gate, True)
    try:
        async for piece in _octets(reply, request):
            request.write(piece)
            await gate.passed()
    finally:
        if request.channel is not None:
            request.unregisterProducer()


def _octets(reply: AnyReply, request: Request) -> AsyncIterator[bytes]:
    if isinstance(reply, LineReply):
        request.setHeader(b"content-type", b"application/x-ndjson")
        return _lines(reply.lines)
    assert not isinstance(reply, Reply)
    request.setHeader(b"content-type", b"application/octet-stream")
    return reply.pieces


async def _lines(lines: AsyncIterator[object]) -> AsyncIterator[bytes]:
    async for line in lines:
        yield _json(line)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"


def _give_up(failure: Any, request: Request) -> None:
    """A stream broke: the client sees that its end is missing."""
    if not failure.check(CancelledError):
        _log.failure("an answer to trekctl broke off", failure)
    if request.channel is not None:
        request.channel.forceAbortClient()


@implementer(IPushProducer)
class _Gate:
    """Open while the other side reads."""

    def __init__(self) -> None:
        self._waiting: Deferred[None] | None = None
        self._open = True

    def pauseProducing(self) -> None:
        """See C{IPushProducer}."""
        self._open = False

    def resumeProducing(self) -> None:
        """See C{IPushProducer}."""
        self._open = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def stopProducing(self) -> None:
        """See C{IPushProducer}; the work is cancelled when the request ends."""

    async def passed(self) -> None:
        """Wait until it is open."""
        if not self._open:
            self._waiting = Deferred()
            await self._waiting
