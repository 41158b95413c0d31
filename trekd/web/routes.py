"""
Which request means which operation: the table of C{trekctl}'s API, and how its results are given.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.logger import Logger

from trekd.errors import Refused, SyntaxFault, Unavailable
from trekd.web.operations import Operations
from trekd.web.replies import describe

_log = Logger()


@dataclass(frozen=True, slots=True)
class Call:
    """
    One request.

    @ivar path: its segments, decoded.
    @ivar body: JSON or message records, as the operation has it.
    """

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str]
    body: bytes = b""

    def json(self) -> object:
        """
        The body as JSON.

        @raise SyntaxFault: it is none.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise SyntaxFault("JSON") from None


@dataclass(frozen=True, slots=True)
class Reply:
    """
    A result.

    @ivar body: goes out as JSON.
    """

    status: int
    body: object


@dataclass(frozen=True, slots=True)
class LineReply:
    """
    A result that comes bit by bit, each bit a line of JSON; an error on the way is the last, C{{"error": ...}}.
    """

    lines: AsyncIterator[object]


@dataclass(frozen=True, slots=True)
class OctetReply:
    """
    A result that comes as octets; an error on the way breaks it off before its end mark.
    """

    pieces: AsyncIterator[bytes]


AnyReply = Reply | LineReply | OctetReply
Function = Callable[[Operations, Call], Awaitable[Any]]
Streaming = Callable[[Operations, Call], AsyncIterator[Any]]


def _listed(does: Operations, call: Call) -> Awaitable[Any]:
    return does.entries.list_all(call.path[0], call.path[1])


def _added(does: Operations, call: Call) -> Awaitable[Any]:
    return does.entries.add(call.path[0], call.path[1], call.query.get("name"), call.json())


def _exported(does: Operations, call: Call) -> AsyncIterator[Any]:
    return does.entries.export(call.path[0], call.path[1], call.query.get("name"))


_VALUES: dict[tuple[str, tuple[str, ...]], Function] = {
    ("GET", ("status",)): lambda does, call: does.daemon.status(),
    ("GET", ("sessions",)): lambda does, call: does.daemon.sessions(call.query.get("address")),
    ("GET", ("limits",)): lambda does, call: does.daemon.limits(call.query.get("address")),
    ("POST", ("kick",)): lambda does, call: does.daemon.kick(call.json()),
    ("POST", ("reload",)): lambda does, call: does.daemon.reload(),
    ("GET", ("failures",)): lambda does, call: does.daemon.failures(),
    ("DELETE", ("failures",)): lambda does, call: does.daemon.forgive(call.query.get("of")),
    ("POST", ("diagnosis",)): lambda does, call: does.daemon.explain(call.json()),
    ("POST", ("flush",)): lambda does, call: does.daemon.flush(call.json()),
    ("GET", ("dns", "*")): lambda does, call: does.names.records(call.path[1], "check" in call.query),
    ("GET", ("tls-policy", "*")): lambda does, call: does.names.tls_policy(call.path[1]),
    ("GET", ("accounts",)): lambda does, call: does.accounts.list_all(),
    ("GET", ("accounts", "*")): lambda does, call: does.accounts.show(call.path[1]),
    ("PATCH", ("accounts", "*")): lambda does, call: does.accounts.change(call.path[1], call.json()),
    ("DELETE", ("accounts", "*")): lambda does, call: does.accounts.remove(call.path[1], "with_mail" in call.query),
    ("PUT", ("accounts", "*", "password")): lambda does, call: does.accounts.set_password(call.path[1], call.json()),
    ("GET", ("forwarding", "*")): lambda does, call: does.filters.forwarding(call.path[1]),
    ("PUT", ("forwarding", "*")): lambda does, call: does.filters.set_forwarding(call.path[1], call.json()),
    ("DELETE", ("forwarding", "*")): lambda does, call: does.filters.end_forwarding(call.path[1]),
    ("GET", ("vacation", "*")): lambda does, call: does.filters.vacation(call.path[1]),
    ("PUT", ("vacation", "*")): lambda does, call: does.filters.set_vacation(call.path[1], call.json()),
    ("DELETE", ("vacation", "*")): lambda does, call: does.filters.end_vacation(call.path[1]),
    ("GET", ("shares", "*")): lambda does, call: does.shares.list_all(call.path[1]),
    ("POST", ("shares", "*")): lambda does, call: does.shares.give(call.path[1], call.json()),
    ("DELETE", ("shares", "*")): lambda does, call: does.shares.take(
        call.path[1], call.query.get("collection", ""), call.query.get("grantee", "")
    ),
    ("GET", ("dkim",)): lambda does, call: does.dkim.list_all(call.query.get("domain")),
    ("POST", ("dkim",)): lambda does, call: does.dkim.create(call.json()),
    ("PUT", ("dkim", "*", "signing")): lambda does, call: does.dkim.use(call.path[1], call.json()),
    ("DELETE", ("dkim", "*")): lambda does, call: does.dkim.remove(call.path[1], call.query.get("selector", "")),
    ("GET", ("queue",)): lambda does, call: does.queue.list_all(call.query),
    ("GET", ("queue", "*")): lambda does, call: does.queue.show(call.path[1]),
    ("POST", ("queue", "*")): lambda does, call: does.queue.change(call.path[1], call.json()),
    ("GET", ("suppressions",)): lambda does, call: does.queue.suppressions(call.query.get("account")),
    ("DELETE", ("suppressions",)): lambda does, call: does.queue.remove_suppressions(call.query),
    ("GET", ("usage",)): lambda does, call: does.outgoing.top(call.query.get("most", "20")),
    ("GET", ("usage", "*")): lambda does, call: does.outgoing.usage(call.path[1]),
    ("GET", ("smtp",)): lambda does, call: does.outgoing.profiles(),
    ("POST", ("smtp",)): lambda does, call: does.outgoing.add(call.json()),
    ("GET", ("smtp", "*")): lambda does, call: does.outgoing.profile(call.path[1]),
    ("PATCH", ("smtp", "*")): lambda does, call: does.outgoing.change(call.path[1], call.json()),
    ("DELETE", ("smtp", "*")): lambda does, call: does.outgoing.remove(call.path[1]),
    ("POST", ("smtp", "*", "test")): lambda does, call: does.outgoing.test(call.path[1]),
    ("POST", ("smtp", "*", "use")): lambda does, call: does.outgoing.use(call.path[1], call.json()),
    ("POST", ("smtp-key",)): lambda does, call: does.outgoing.rekey(),
    ("POST", ("mail", "*", "messages")): lambda does, call: does.mail.append(
        call.path[1], call.query.get("mailbox", "INBOX"), call.body
    ),
    **{("GET", (word, "*")): _listed for word in ("calendars", "contacts")},
    **{("POST", (word, "*", "entries")): _added for word in ("calendars", "contacts")},
}
"""Method and path, C{*} for any one segment, to what gives one JSON value."""

_LINES: dict[tuple[str, tuple[str, ...]], Streaming] = {
    ("POST", ("accounts",)): lambda does, call: does.accounts.add(call.json()),
    ("POST", ("reindex",)): lambda does, call: does.mail.index_text(call.query.get("address")),
    ("POST", ("repair",)): lambda does, call: does.mail.repair(call.query.get("address")),
    ("POST", ("check",)): lambda does, call: does.mail.check(call.query.get("address")),
}

_OCTETS: dict[tuple[str, tuple[str, ...]], Streaming] = {
    ("GET", ("mail", "*", "messages")): lambda does, call: does.mail.export(call.path[1]),
    **{("GET", (word, "*", "entries")): _exported for word in ("calendars", "contacts")},
}


async def perform(operations: Operations, call: Call) -> AnyReply:
    """
    Do what a request asks; never raises.

    A streamed result has got as far as its first bit, so that what is refused at once has its status.
    """
    pattern = tuple("*" if place == 1 else segment for place, segment in enumerate(call.path))
    key = (call.method, pattern)
    try:
        if key in _VALUES:
            return Reply(200, await _VALUES[key](operations, call))
        if key in _LINES:
            return LineReply(_guarded(await _begun(_LINES[key](operations, call))))
        if key in _OCTETS:
            return OctetReply(await _begun(_OCTETS[key](operations, call)))
    except Exception as error:
        return Reply(*_error(error, call))
    return Reply(404, {"error": {"code": "no-such-operation", "text": "there is no such operation"}})


async def _begun(bits: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """The same iterator with its first bit already made."""
    try:
        first = (await bits.__anext__(),)
    except StopAsyncIteration:
        return _with_first((), bits)
    return _with_first(first, bits)


async def _with_first(first: tuple[Any, ...], rest: AsyncIterator[Any]) -> AsyncIterator[Any]:
    for bit in first:
        yield bit
    async for bit in rest:
        yield bit


async def _guarded(lines: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """The same lines, with an error as the last one."""
    try:
        async for line in lines:
            yield line
    except Exception as error:
        yield _error(error, None)[1]


def _error(error: Exception, call: Call | None) -> tuple[int, dict[str, Any]]:
    status, text = describe(error)
    if not isinstance(error, (Refused, SyntaxFault, Unavailable)) and status == 500:
        _log.failure("trekctl's request failed", path="/".join(call.path[:1]) if call else "")
    return status, {"error": text}
