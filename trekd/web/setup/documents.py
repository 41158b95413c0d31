"""
Documents that are made when they are asked for: a function from a request to an answer, as a resource.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from twisted.internet.defer import CancelledError, ensureDeferred
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from trekd.web.site import answer


@dataclass(frozen=True, slots=True)
class Document:
    """
    What is sent.

    @ivar kind: its media type.
    @ivar headers: beside those of every answer of the site.
    """

    kind: str
    octets: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


MISSING = Document("text/plain; charset=utf-8", b"Mail of this domain is not served here.\n", 404)
"""For domains of others."""


class DocumentResource(Resource):
    """A document at an address."""

    isLeaf = True

    def __init__(self, write: Callable[[Request], Document], *methods: bytes) -> None:
        """
        @param methods: beside GET and HEAD.
        """
        super().__init__()
        self._write = write
        self._methods = (b"GET", b"HEAD", *methods)

    def render(self, request: Request) -> int:
        """Answer; only with the document, nothing is changed by any request."""
        if not _is_refused(request, self._methods):
            send(request, self._write(request))
        return NOT_DONE_YET


class AwaitedResource(Resource):
    """A document that takes its time."""

    isLeaf = True

    def __init__(self, write: Callable[[Request], Awaitable[Document]]) -> None:
        super().__init__()
        self._write = write

    def render(self, request: Request) -> int:
        """Answer when it is there, unless the client has gone."""
        if _is_refused(request, (b"GET", b"HEAD")):
            return NOT_DONE_YET
        work = ensureDeferred(self._send(request))
        request.notifyFinish().addErrback(lambda reason: work.cancel())
        work.addErrback(_give_up, request)
        return NOT_DONE_YET

    async def _send(self, request: Request) -> None:
        send(request, await self._write(request))


def _is_refused(request: Request, methods: tuple[bytes, ...]) -> bool:
    """Answer a request with another method."""
    if request.method in methods:
        return False
    request.setHeader(b"allow", b", ".join(methods))
    answer(request, 405, "Method not allowed", "This page can only be read.")
    return True


def _give_up(reason: Failure, request: Request) -> None:
    if reason.check(CancelledError) is None:
        request.processingFailed(reason)


def send(request: Request, document: Document) -> None:
    """Finish a request with a document."""
    request.setResponseCode(document.status)
    headers = {"Cache-Control": "no-store", **document.headers, "Content-Type": document.kind}
    for name, value in headers.items():
        request.setHeader(name.encode("ascii"), value.encode("ascii"))
    request.setHeader(b"content-length", b"%d" % len(document.octets))
    if request.method != b"HEAD":
        request.write(document.octets)
    request.finish()


def argument(request: Request, name: str) -> str:
    """A field of the query, whatever the case of its name; C{""} without it."""
    arguments: Mapping[bytes, list[bytes]] = request.args or {}
    for key, values in arguments.items():
        if key.lower() == name.encode("ascii") and values:
            return values[0].decode("utf-8", "replace")
    return ""


def host_of(request: Request) -> str:
    """The name by which the site was reached, as the client has it."""
    name: bytes = request.getRequestHostname()
    return name.decode("ascii", "replace")
