"""
What the web site mounts at C{/dav}: logs clients in, calls the method's function, sends what it gives.

One request of a connection is answered at a time.  Nothing of an exception reaches a client.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from trekd.dav.authentication import Logins
from trekd.dav.bodies import Body
from trekd.dav.defaults import make_first_collections
from trekd.dav.errors import ErrorAnswer, Fault, answer_to, is_expected
from trekd.dav.exchange import Answer, Exchange, Site, xml_answer
from trekd.dav.methods.options import allow_header, dav_header
from trekd.dav.nodes import find
from trekd.dav.paths import read_path
from trekd.dav.representation import represented, represented_failure
from trekd.dav.sending import Sender
from trekd.errors import ConditionFailed, LimitExceeded, NotPermitted
from trekd.portal.interfaces import IMailUser
from trekd.store.collections import ICollections
from trekd.values import PrincipalId

_STORING = (b"PUT", b"POST")
"""Methods whose bodies go to the store."""
_MOST_KNOWN = 10_000
"""Accounts that are known to have their first collections."""

_HEADERS = (
    "accept",
    "authorization",
    "brief",
    "content-encoding",
    "content-range",
    "content-type",
    "depth",
    "destination",
    "expect",
    "host",
    "if",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-schedule-tag-match",
    "if-unmodified-since",
    "lock-token",
    "overwrite",
    "prefer",
    "range",
    "schedule-reply",
    "timeout",
    "user-agent",
    "x-http-method-override",
)
"""Fields that are read; no other one reaches a method."""


class DAVResource(Resource):
    """All of DAV, for every path below where it is mounted."""

    isLeaf = True
    log = Logger()

    def __init__(self, site: Site) -> None:
        super().__init__()
        self._site = site
        self._logins = Logins(site.portal, site.clock)
        self._complete: dict[PrincipalId, None] = {}

    def take_body(self, request: Any, method: bytes) -> Body:
        """
        Take a request's body as it arrives; its header is complete.

        @param request: its C{channel} is a connection of L{trekd.web.channel}.
        """
        config = self._site.config
        is_stored = method in _STORING
        limit = max(config.max_file, config.max_item) if is_stored else config.max_xml
        sink = self._site.store.receive if is_stored else None
        announced = getattr(request, "announced", None)
        return Body(limit, request.channel.transport, lambda: self._admits(request), sink, announced)

    def render(self, request: Request) -> int:
        """Answer, whatever the method."""
        body = getattr(request, "taker", None)
        if not isinstance(body, Body):
            body = self.take_body(request, request.method)
            if request.content is not None:
                body.write(request.content.read())
        Deferred.fromCoroutine(self._serve(request, body)).addErrback(self._failed, request)
        return NOT_DONE_YET

    # How it is done

    async def _admits(self, request: Any) -> bool:
        """Whether the client has logged in; how that failed is kept, as no second try is made."""
        try:
            request.login = await self._logins.log_in(request.channel, _header(request, "authorization"))
        except Exception as error:
            request.login = error
        return IMailUser.providedBy(request.login)

    async def _serve(self, request: Any, body: Body) -> None:
        sender = Sender(request, self._site.clock)
        try:
            answer = await self._answer(request, body)
            try:
                await sender.send(answer)
            except Exception as error:
                if sender.has_begun or sender.is_gone:
                    raise
                await sender.send(self._told(request, error))
        finally:
            body.discard()

    async def _answer(self, request: Any, body: Body) -> Answer:
        try:
            await body.complete()
            exchange = await self._exchange(request, body)
            if body.is_too_large:
                raise LimitExceeded("smaller body")
            answer = await self._preferred(exchange)
            return answer.adding(dav_header(exchange))
        except Exception as error:
            return self._told(request, error)

    async def _exchange(self, request: Any, body: Body) -> Exchange:
        if not hasattr(request, "login"):
            await self._admits(request)
        if isinstance(request.login, Exception):
            raise request.login
        user: IMailUser = request.login
        await self._require_first_collections(user)
        path, _, query = request.uri.partition(b"?")
        return Exchange(
            self._site,
            user,
            request.method.decode("ascii", "replace"),
            read_path(path),
            path,
            query.decode("ascii", "replace"),
            {name: value for name in _HEADERS if (value := _header(request, name))},
            body,
        )

    async def _require_first_collections(self, user: IMailUser) -> None:
        principal = user.account.principal
        if principal not in self._complete:
            shelf = ICollections(user.store, None)
            if shelf is None:
                raise Fault(501, text="This host's storage keeps mail only.")
            await make_first_collections(shelf)
            if len(self._complete) >= _MOST_KNOWN:
                self._complete.clear()
            self._complete[principal] = None

    async def _preferred(self, exchange: Exchange) -> Answer:
        try:
            return await represented(exchange, await self._perform(exchange))
        except (Fault, ConditionFailed) as error:
            instead = await represented_failure(exchange, error)
            if instead is None:
                raise
            return instead

    async def _perform(self, exchange: Exchange) -> Answer:
        """
        @raise Fault: 405 or 501, the method is not for this or for nothing.
        """
        if exchange.header("expect").lower() not in ("", "100-continue"):
            raise Fault(417, text="Nothing but 100-continue can be expected.")
        row = self._site.tables.methods.get(exchange.method)
        if row is None:
            raise Fault(501, text="This method is not known here.")
        try:
            node = await find(exchange, exchange.location)
        except NotPermitted:
            # The method looks again, and is refused in its own way.
            node = None
        if node is not None and not row.applies(node):
            allowed = self._site.tables.allowed(node)
            raise Fault(405, text="The method is not for this resource.", headers=(allow_header(allowed),))
        return await row.perform(exchange)

    def _told(self, request: Any, error: Exception) -> Answer:
        """What a client is told of an error; ours is logged whole."""
        told = answer_to(error)
        if not is_expected(error):
            self.log.failure(
                "request failed: {method}",
                method=request.method.decode("ascii", "replace"),
                session=request.channel.session,
            )
        return _error_answer(told)

    def _failed(self, failure: Any, request: Any) -> None:
        """Nothing can be said any more: the client must not take what it got for the whole."""
        if not getattr(request, "_disconnected", False):
            self.log.failure("an answer broke off: {method}", failure, method=request.method)
            request.channel.transport.abortConnection()


def _header(request: Any, name: str) -> str:
    """A field's values, joined with commas (RFC 9110 §5.3)."""
    values = request.requestHeaders.getRawHeaders(name.encode(), ())
    return ", ".join(value.decode("utf-8", "surrogateescape") for value in values)


def _error_answer(told: ErrorAnswer) -> Answer:
    return xml_answer(told.status, told.body, *told.headers)
