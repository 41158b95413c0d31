"""
The site of the C{metrics} listeners: one page for Prometheus, over plain HTTP.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, ensureDeferred
from twisted.python.failure import Failure
from twisted.web.http import Request as HTTPRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from trekd.web.site import HTTPSite, Missing, answer

_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


def metrics_site(text: Callable[[], Awaitable[bytes]], reactor: Any) -> HTTPSite:
    """
    Make the factory.

    @param text: gives the page.
    """
    root = _Root()
    root.putChild(b"metrics", _Page(text))
    return _MetricsSite(root, {}, reactor)


class _MetricsSite(HTTPSite):
    """Writes no access log: Prometheus comes four times a minute."""

    def log(self, request: HTTPRequest) -> None:
        """See C{HTTPFactory}."""


class _Root(Resource):
    """Nothing but the one page."""

    def getChild(self, path: bytes, request: Request) -> Resource:
        """404."""
        return Missing()


class _Page(Resource):
    """C{/metrics}."""

    isLeaf = True

    def __init__(self, text: Callable[[], Awaitable[bytes]]) -> None:
        super().__init__()
        self._text = text

    def render(self, request: Request) -> int:
        """Answer GET and HEAD."""
        if request.postpath:
            return Missing().render(request)
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader(b"allow", b"GET, HEAD")
            answer(request, 405, "Method not allowed", "This page can only be read.")
            return NOT_DONE_YET
        work = ensureDeferred(self._answer(request))
        request.notifyFinish().addErrback(lambda reason: work.cancel())
        work.addErrback(_fail, request)
        return NOT_DONE_YET

    async def _answer(self, request: Request) -> None:
        body = await self._text()
        request.setHeader(b"content-type", _TYPE)
        request.setHeader(b"content-length", b"%d" % len(body))
        if request.method == b"GET":
            request.write(body)
        request.finish()


def _fail(failure: Failure, request: Any) -> None:
    """Our fault, unless the client has gone."""
    if not failure.check(CancelledError):
        request.processingFailed(failure)
