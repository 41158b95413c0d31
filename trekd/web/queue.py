"""
What C{trekctl queue} can ask for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trekd.errors import NoSuchEntry, NotPermitted, StoreCorrupt, SyntaxFault
from trekd.queue.interfaces import Entry, IQueueControl, LaneState, Selection, Suppression
from trekd.values import PrincipalId
from trekd.web.bodies import object_of, text_of
from trekd.web.collaborators import Collaborators, Facts

MOST = 10_000
"""Entries in one answer."""

HEADER = 16 * 1024
"""Octets of a header that are shown."""

_FILTERS = ("lane", "sender", "recipient", "message")


class QueueOperations:
    """See L{trekd.web.operations}."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators

    async def list_all(self, query: Mapping[str, str]) -> Facts:
        """Entries that the query's filters select, oldest first, and the lanes that have troubles."""
        queue = self._queue()
        limit = _number(query.get("limit", str(MOST)))
        fields: dict[str, object] = {key: query[key] for key in _FILTERS if key in query}
        if "held" in query:
            fields["held"] = query["held"] == "yes"
        found = await queue.entries(_selection(fields), min(limit, MOST))
        return {"entries": [_facts(one) for one in found], "lanes": [_lane_facts(one) for one in queue.lanes()]}

    async def show(self, id: str) -> Facts:
        """One message by its identifier, or by the number of an entry: its entries, and its header."""
        queue = self._queue()
        found = await queue.entries(Selection(message=id), MOST)
        if not found:
            raise NoSuchEntry(id)
        found = await queue.entries(Selection(message=found[0].message), MOST)
        try:
            header = (await queue.header(found[0]))[:HEADER].decode("utf-8", "replace")
        except StoreCorrupt:
            header = ""
        return {"entries": [_facts(one) for one in found], "header": header}

    async def change(self, verb: str, body: object) -> Facts:
        """
        Hold, release, retry or drop what C{{"select": {...}}} says; an empty object is everything.

        @raise SyntaxFault: there is no such verb, or no selection.
        """
        fields = object_of(body, "select", "why")
        selected = fields.get("select")
        if not isinstance(selected, dict):
            raise SyntaxFault("select as an object")
        queue, selection = self._queue(), _selection(selected)
        if verb == "hold":
            return {"changed": await queue.hold(selection, text_of(fields, "why", ""))}
        verbs = {"release": queue.release, "retry": queue.retry, "drop": queue.drop}
        if verb not in verbs:
            raise SyntaxFault(f"hold, {', '.join(verbs)}")
        return {"changed": await verbs[verb](selection)}

    async def suppressions(self, account: str | None) -> list[Facts]:
        """Addresses to which accounts cannot write for a while."""
        principal = None if account is None else PrincipalId(account.lower())
        return [_suppression_facts(one) for one in self._queue().suppressions(principal)]

    async def remove_suppressions(self, query: Mapping[str, str]) -> Facts:
        """Forget those of an account, of an address, or all."""
        account = query.get("account")
        principal = None if account is None else PrincipalId(account.lower())
        return {"removed": await self._queue().remove_suppressions(principal, query.get("address"))}

    def _queue(self) -> IQueueControl:
        if self._with.queue is None:
            raise NotPermitted("no daemon runs")
        return self._with.queue


def _selection(fields: Mapping[str, object]) -> Selection:
    known = object_of(fields, *_FILTERS, "held")
    held = known.get("held")
    if held is not None and not isinstance(held, bool):
        raise SyntaxFault("held as true or false")
    return Selection(**{key: text_of(known, key, None) for key in _FILTERS}, held=held)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise SyntaxFault("limit as a number")
    return int(text)


def _facts(entry: Entry) -> dict[str, Any]:
    transaction = entry.transaction
    return {
        "number": entry.number,
        "message": entry.message,
        "lane": entry.lane,
        "route": entry.recipient.route.kind.value,
        "sender": None if transaction.reverse_path is None else str(transaction.reverse_path),
        "account": transaction.principal,
        "recipient": str(entry.recipient.address),
        "size": entry.size,
        "arrived": entry.arrived,
        "due": entry.due,
        "attempts": entry.attempts,
        "last_attempt": entry.last.time or None,
        "reply": entry.last.failure,
        "host": entry.last.host,
        "status": entry.last.status,
        "held_by": entry.held_by,
        "held": entry.held,
        "hold_until": transaction.hold_until or None,
        "sender_told_of_delay": entry.noted,
    }


def _lane_facts(lane: LaneState) -> dict[str, Any]:
    return {
        "lane": lane.name,
        "active": lane.active,
        "window": lane.window,
        "closed": lane.closed,
        "rests_until": lane.rests_until or None,
        "failure": lane.failure,
        "since": lane.since or None,
    }


def _suppression_facts(one: Suppression) -> dict[str, Any]:
    return {
        "account": one.principal,
        "address": one.address,
        "since": one.since,
        "until": one.until,
        "status": one.status,
        "host": one.host,
        "reply": one.reply,
    }
