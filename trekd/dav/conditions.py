"""
Conditional requests: C{If-Match} and its like (RFC 9110 §13), and the C{If} field of WebDAV (RFC 4918 §10.4).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from trekd.dav.errors import Fault
from trekd.dav.exchange import Exchange
from trekd.dav.nodes import ItemNode, Node, find
from trekd.dav.paths import Location, read_reference
from trekd.errors import NotPermitted, SyntaxFault
from trekd.store.collections import ALWAYS, Condition

MAX_CONDITIONS = 1000
"""State tokens and entity tags in one If field."""
MAX_AREAS = 10
"""Accounts whose homes one If field is about; each may have to be opened."""

# Condition = ["Not"] (State-token | "[" entity-tag "]"); Resource-Tag = "<" Simple-ref ">"
_TOKEN = re.compile(r'\s*(?:(?P<not>Not\b)|<(?P<uri>[^<>\s]*)>|\[(?P<etag>(?:W/)?"[^"]*")\]|(?P<paren>[()]))', re.I)
_ETAG = re.compile(r'\s*(W/)?"([^"]*)"\s*(?:,|$)')


@dataclass(frozen=True, slots=True)
class StateTest:
    """One condition of a list: a state token or an entity tag."""

    value: str
    is_etag: bool
    is_negated: bool


@dataclass(frozen=True, slots=True)
class StateList:
    """
    One list of conditions, all of which must hold.

    @ivar resource: the tag before it, as it was sent; C{None}: it is about the request's own resource.
    """

    resource: str | None
    tests: tuple[StateTest, ...]


def read_if(value: str) -> tuple[StateList, ...]:
    """
    Read an C{If} field; none is no list.

    @raise Fault: it breaks the grammar.
    """
    lists: list[StateList] = []
    tag: str | None = None
    inside: list[StateTest] | None = None
    negated = False
    at = count = 0
    while value[at:].strip():
        match = _TOKEN.match(value, at)
        count += 1
        if match is None or count > 4 * MAX_CONDITIONS:
            raise _bad_if()
        at = match.end()
        if match["paren"] == "(" and inside is None:
            inside = []
        elif match["paren"] == ")" and inside and not negated:
            lists.append(StateList(tag, tuple(inside)))
            inside = None
        elif match["not"] and inside is not None and not negated:
            negated = True
        elif inside is not None and (match["uri"] or match["etag"]):
            inside.append(StateTest(match["uri"] or match["etag"], bool(match["etag"]), negated))
            negated = False
        elif match["uri"] and inside is None and (tag is not None or not lists):
            tag = match["uri"]
        else:
            raise _bad_if()
    if inside is not None or (tag is not None and not lists):
        raise _bad_if()
    return tuple(lists)


def _bad_if() -> Fault:
    return Fault(400, text="The If field breaks its grammar (RFC 4918, section 10.4.2).")


def submitted_tokens(exchange: Exchange) -> frozenset[str]:
    """The state tokens that the request shows it knows, whether or not their conditions hold (RFC 4918 §10.4.1)."""
    lists = read_if(exchange.header("if"))
    return frozenset(test.value for each in lists for test in each.tests if not test.is_etag)


async def require_if(exchange: Exchange) -> None:
    """
    Evaluate the C{If} field.

    @raise Fault: 412, none of its lists holds; 400, it is about too much.
    """
    lists = read_if(exchange.header("if"))
    if not lists:
        return
    locations = [_resource(exchange, each) for each in lists]
    if len({location.segments[:2] for location in locations if location is not None}) > MAX_AREAS:
        raise Fault(400, text="The If field is about too many accounts.")
    for each, location in zip(lists, locations, strict=True):
        if all([await _holds(exchange, location, test) for test in each.tests]):
            return
    raise Fault(412, text="None of the lists of the If field holds.")


def _resource(exchange: Exchange, each: StateList) -> Location | None:
    if each.resource is None:
        return exchange.location
    try:
        return read_reference(each.resource, exchange.header("host"))
    except SyntaxFault:
        return None


async def _holds(exchange: Exchange, location: Location | None, test: StateTest) -> bool:
    return await _matches(exchange, location, test) != test.is_negated


async def _matches(exchange: Exchange, location: Location | None, test: StateTest) -> bool:
    if location is None:
        return False
    try:
        node = await find(exchange, location)
        if test.is_etag:
            return isinstance(node, ItemNode) and f'"{node.state.etag}"' == test.value.removeprefix("W/")
        real = location if node is None else node.real
        if node is None and (parent := await find(exchange, location.parent)) is not None:
            real = parent.real.child(location.name)
    except NotPermitted:
        return False
    return any(lock.token == test.value for lock in exchange.site.locks.covering(real))


def read_etags(value: str) -> tuple[str, ...] | None:
    """
    Entity tags without quotes; weak ones are left out, as they match nothing strongly (RFC 9110 §8.8.3.2).

    @return: C{None} for C{*}.
    @raise Fault: it is no list of entity tags.
    """
    if value.strip() == "*":
        return None
    found = []
    at = 0
    while at < len(value):
        match = _ETAG.match(value, at)
        if match is None:
            raise Fault(400, text="Entity tags stand in quotes (RFC 9110, section 8.8.3).")
        if not match[1]:
            found.append(match[2])
        at = match.end()
    return tuple(found)


def condition(exchange: Exchange) -> Condition:
    """
    What must hold still when a change of one item is made: that it is what the conditions were judged by
    (RFC 9110 §13.2.2), and that nobody scheduled anything meanwhile, where the client asks that (RFC 6638 §8.3).
    """
    asked = exchange.header("if-schedule-tag-match")
    tag = _schedule_tag(asked) if asked else None
    if exchange.judged is None or not _asks(exchange):
        return Condition(schedule_tag=tag) if tag else ALWAYS
    if not exchange.judged:
        return Condition(is_absent=True)
    return Condition(etags=(exchange.judged,), schedule_tag=tag)


def _asks(exchange: Exchange) -> bool:
    """Whether any condition is about what an item is."""
    fields = ("if-match", "if-none-match", "if-unmodified-since")
    if any(exchange.header(name) for name in fields):
        return True
    return any(test.is_etag for each in read_if(exchange.header("if")) for test in each.tests)


def require_conditions(exchange: Exchange, node: Node | None) -> None:
    """
    Judge the conditions of a change before it is begun.

    @raise Fault: 412, one does not hold (RFC 9110 §13.2.2).
    """
    etag = node.state.etag if isinstance(node, ItemNode) else None
    exchange.judged = etag or ""
    wanted, unwanted = exchange.header("if-match"), exchange.header("if-none-match")
    if wanted:
        etags = read_etags(wanted)
        if node is None or (etags is not None and etag not in etags):
            raise Fault(412, text="It is not in the state that If-Match asks for.")
    elif node is not None and _is_changed(node, exchange.header("if-unmodified-since")):
        raise Fault(412, text="It was changed since.")
    tag = exchange.header("if-schedule-tag-match")
    if tag and (not isinstance(node, ItemNode) or node.state.schedule_tag != _schedule_tag(tag)):
        raise Fault(412, text="It is not in the state that If-Schedule-Tag-Match asks for.")
    if unwanted:
        etags = _weak_etags(unwanted)
        if node is not None and (etags is None or etag in etags):
            raise Fault(412, text="It is in the state that If-None-Match excludes.")


def _schedule_tag(value: str) -> str:
    """
    C{If-Schedule-Tag-Match} (RFC 6638 §8.3), unquoted.

    @raise Fault: it is no one opaque tag.
    """
    etags = read_etags(value)
    if etags is None or len(etags) != 1 or not etags[0]:
        raise Fault(400, text="If-Schedule-Tag-Match is one tag in quotes (RFC 6638, section 8.3).")
    return etags[0]


def is_not_modified(exchange: Exchange, node: ItemNode) -> bool:
    """Whether a client that reads has it already: 304 (RFC 9110 §15.4.5)."""
    unwanted = exchange.header("if-none-match")
    if unwanted:
        etags = _weak_etags(unwanted)
        return etags is None or node.state.etag in etags
    since = _date(exchange.header("if-modified-since"))
    return since is not None and node.state.modified <= since


def _weak_etags(value: str) -> tuple[str, ...] | None:
    """Entity tags for weak comparison."""
    return read_etags(re.sub(r'W/(?=")', "", value))


def _is_changed(node: Node, since: str) -> bool:
    limit = _date(since)
    return limit is not None and isinstance(node, ItemNode) and node.state.modified > limit


def _date(value: str) -> float | None:
    """Unix seconds; C{None} for no date, which then says nothing (RFC 9110 §13.1.3)."""
    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except (ValueError, TypeError, OverflowError):
        return None
