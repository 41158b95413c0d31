"""
The public HTTPS site: well-known redirects, a status page, clean errors.

Bodies are bounded before they are read, nothing of an exception reaches a client, and plain HTTP only redirects.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request as HTTPRequest
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from trekd.portal.interfaces import ILedger
from trekd.web.channel import SiteChannel

MAX_BODY = 64 * 1024
"""Octets of a request body on pages that take none."""
MAX_SWALLOWED = 1024 * 1024
"""Octets of a longer body that are read, and dropped, so that the client sees the answer."""

SECURITY_HEADERS: Mapping[bytes, bytes] = {
    b"strict-transport-security": b"max-age=31536000",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"content-security-policy": b"default-src 'none'; style-src 'unsafe-inline'",
}

_LOOKING = (b"OPTIONS", b"PROPFIND", b"REPORT")
"""Methods with which clients look for calendars at C{/}."""
_TRIED = (b"principals", b"calendar")
"""First segments that clients try when they were told of no path."""

_log = Logger()

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>body{{font:1rem/1.5 sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}}</style>
</head><body><h1>{title}</h1><p>{text}</p>{links}</body></html>
"""


def page(title: str, text: str, links: Sequence[tuple[str, str]] = ()) -> bytes:
    """
    A whole small HTML page.

    @param title: plain text, as is C{text}.
    @param links: target and plain text of each.
    """
    more = "".join(f'<p><a href="{html.escape(target)}">{html.escape(name)}</a></p>' for target, name in links)
    return _PAGE.format(title=html.escape(title), text=html.escape(text), links=more).encode()


class BodyTaker(Protocol):
    """
    Takes a request's body in place of the request, within bounds of its own.

    @ivar size: octets so far.
    """

    size: int

    def invite(self, go_on: Callable[[], None], answer_now: Callable[[], None]) -> None:
        """
        The client waits with the body (RFC 9110 §10.1.1).

        @param go_on: asks for it.
        @param answer_now: renders the request without it.
        """

    def write(self, octets: bytes) -> None:
        """The next octets."""

    def discard(self) -> None:
        """The request is gone; a second call does nothing."""


class TakingResource(Protocol):
    """A resource for requests with bodies of any size, from the moment their header is complete."""

    def render(self, request: Request) -> int:
        """See C{IResource}."""

    def take_body(self, request: Request, method: bytes) -> BodyTaker:
        """Something that takes the body; the request finds it as C{taker} when it is rendered."""


class SiteRequest(Request):
    """
    A request with a bounded body and errors that show nothing of the inside.

    @ivar taker: what takes the body; C{None}: it is kept here.
    @ivar announced: octets of the body by its header; C{None}: it did not say.
    @ivar is_received: the body is here, or not waited for any more.
    """

    _received = 0
    taker: BodyTaker | None = None
    announced: int | None = None
    is_received = False

    def gotLength(self, length: int | None) -> None:
        """The header is complete: find out who takes the body."""
        # Twisted tells a request its method and path no sooner than its body has arrived.
        self.announced = length
        channel: Any = self.channel
        method, path = channel._command, channel._path
        resource = channel.site.taking.get(first_segment(path))
        super().gotLength(length if resource is None else 0)
        if resource is not None:
            self.taker = resource.take_body(self, method)

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone, and its body with it."""
        if self.taker is not None:
            self.taker.discard()
        super().connectionLost(reason)

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a body within the bound; of a longer one nothing more is kept, and soon nothing more is read."""
        if self.taker is not None:
            self.taker.write(data)
            return
        self._received += len(data)
        if self._received <= MAX_BODY:
            super().handleContentChunk(data)
        elif self._received > MAX_SWALLOWED:
            self.channel.forceAbortClient()

    def process(self) -> None:
        """Render, unless the body was too long (RFC 9110 §15.5.14)."""
        if self._received > MAX_BODY:
            answer(self, 413, "Content too large", "This address takes no such body.")
        else:
            super().process()

    def processingFailed(self, reason: Failure) -> Failure:
        """Log our fault whole, answer with one fixed sentence."""
        _log.failure("request failed: {method} {path}", reason, method=self.method, path=self.path)
        if self.startedWriting:
            self.loseConnection()
        else:
            answer(self, 500, "Internal error", "Something went wrong here; the administrator finds it in the log.")
        return reason


def first_segment(path: bytes) -> bytes:
    """The first segment of a path as it was sent."""
    return path.partition(b"?")[0].removeprefix(b"/").partition(b"/")[0]


def answer(request: Request, code: int, title: str, text: str) -> None:
    """Finish a request with a status and a small page."""
    request.setResponseCode(code)
    request.setHeader(b"content-type", b"text/html; charset=utf-8")
    body = page(title, text)
    request.setHeader(b"content-length", b"%d" % len(body))
    if request.method != b"HEAD":
        request.write(body)
    request.finish()


class Missing(Resource):
    """404 for every method."""

    isLeaf = True

    def render(self, request: Request) -> int:
        """Answer."""
        answer(request, 404, "Not found", "There is nothing at this address.")
        return NOT_DONE_YET


class Redirect(Resource):
    """A redirect for every method, PROPFIND included, that keeps the method and its body (RFC 6764 §5)."""

    isLeaf = True

    def __init__(self, target: bytes) -> None:
        super().__init__()
        self._target = target

    def render(self, request: Request) -> int:
        """Answer."""
        request.setHeader(b"location", self._target)
        request.setHeader(b"cache-control", b"max-age=86400")
        answer(request, 307, "Moved", "This address has moved.")
        return NOT_DONE_YET


class ToHTTPS(Resource):
    """Plain HTTP: redirects to the same path over HTTPS, and nothing else."""

    isLeaf = True

    def __init__(self, hostname: str) -> None:
        super().__init__()
        self._origin = b"https://" + hostname.encode("idna")

    def render(self, request: Request) -> int:
        """Answer."""
        request.setHeader(b"location", self._origin + request.uri.split(b"\r")[0])
        # Outlook follows a 302 only.
        code = 302 if first_segment(request.path).lower() == b"autodiscover" else 301
        answer(request, code, "Moved", "This site is served over HTTPS only.")
        return NOT_DONE_YET


class StatusPage(Resource):
    """
    C{/}: that the host works, and nothing that helps a stranger.

    @ivar links: what the page leads to, target and text.
    @ivar any_case: what is below, by first segments in lower case that programs write in any case.
    """

    def __init__(self, hostname: str, dav: TakingResource | None = None) -> None:
        """
        @param dav: answers methods of WebDAV, with which clients look here for what they were not told.
        """
        super().__init__()
        self._dav = dav
        self._hostname = hostname
        self.any_case: dict[bytes, IResource] = {}
        self.links: list[tuple[str, str]] = []

    def getChild(self, path: bytes, request: Request) -> IResource:
        """The page itself for C{/}, 404 below."""
        return self if path == b"" else self.any_case.get(path.lower()) or Missing()

    def render(self, request: Request) -> int:
        """Show the page."""
        if self._dav is not None and request.method in _LOOKING:
            found: int = self._dav.render(request)
            return found
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader(b"allow", b"GET, HEAD")
            answer(request, 405, "Method not allowed", "This page can only be read.")
            return NOT_DONE_YET
        request.setHeader(b"content-type", b"text/html; charset=utf-8")
        body = page(self._hostname, "This is a TrekMail mail host, and it is working.", self.links)
        request.setHeader(b"content-length", b"%d" % len(body))
        if request.method == b"GET":
            request.write(body)
        request.finish()
        return NOT_DONE_YET


class Folder(Resource):
    """A path level without a page of its own."""

    def getChild(self, path: bytes, request: Request) -> IResource:
        """Nothing but what was put here."""
        return Missing()

    def render(self, request: Request) -> Any:
        """Answer as for any other missing page."""
        return Missing().render(request)


class HTTPSite(Site):
    """
    A site of ours: own request class, no tracebacks, headers for every answer.

    @ivar service: the listener's name, for the ledger.
    @ivar taking: first segments of paths whose requests' bodies are taken by a resource.
    """

    protocol = SiteChannel  # type: ignore[assignment]
    displayTracebacks = False
    noisy = False

    service = "https"

    def __init__(
        self, root: IResource, headers: Mapping[bytes, bytes], reactor: Any, ledger: ILedger | None = None
    ) -> None:
        """
        @param ledger: counts the connections; C{None} where only programs of the administrator's come.
        """
        super().__init__(root, requestFactory=SiteRequest, reactor=reactor)
        self.ledger = ledger
        self.taking: dict[bytes, TakingResource] = {}
        self._headers = dict(headers)

    def getResourceFor(self, request: Request) -> IResource:
        """Find the resource, with our headers already set."""
        for name, value in self._headers.items():
            request.setHeader(name, value)
        request.setHeader(b"server", b"TrekMail")
        found: IResource = super().getResourceFor(request)
        return found

    def log(self, request: HTTPRequest) -> None:
        """One line per request, without query (it may carry what is nobody's business)."""
        _log.info(
            "{method} {path} {code} from {peer}",
            method=request.method.decode("ascii", "replace"),
            path=request.path.decode("ascii", "replace"),
            code=request.code,
            peer=getattr(request.getClientAddress(), "host", ""),
        )


class Text(Resource):
    """A page of plain text for programs."""

    isLeaf = True

    def __init__(self, text: Callable[[], bytes]) -> None:
        super().__init__()
        self._text = text

    def render(self, request: Request) -> int | bytes:
        """Give the text as it is now."""
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader(b"allow", b"GET, HEAD")
            answer(request, 405, "Method not allowed", "This page can only be read.")
            return NOT_DONE_YET
        text = self._text()
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        request.setHeader(b"content-length", b"%d" % len(text))
        return text if request.method == b"GET" else b""


def public_site(
    hostname: str,
    reactor: Any,
    sts_policy: Callable[[], bytes],
    ledger: ILedger | None = None,
    dav: TakingResource | None = None,
) -> HTTPSite:
    """
    The site of the C{https} listeners.

    @param sts_policy: what other servers are told of TLS to our exchangers (RFC 8461 §3.3).
    @param dav: calendars, contacts and files.
    """
    root = StatusPage(hostname, dav)
    well_known = Folder()
    for name in (b"caldav", b"carddav"):
        well_known.putChild(name, Redirect(b"/dav/"))
    well_known.putChild(b"mta-sts.txt", Text(sts_policy))
    root.putChild(b".well-known", well_known)
    site = HTTPSite(root, SECURITY_HEADERS, reactor, ledger)
    if dav is not None:
        resource: Any = dav
        for name in (b"dav", *_TRIED):
            root.putChild(name, resource)
            site.taking[name] = dav
    return site


def redirect_site(hostname: str, reactor: Any, ledger: ILedger | None = None) -> HTTPSite:
    """The site of the C{http} listeners."""
    site = HTTPSite(ToHTTPS(hostname), {}, reactor, ledger)
    site.service = "http"
    return site
