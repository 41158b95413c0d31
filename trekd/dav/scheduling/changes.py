"""
Changes of calendars, seen before they are stored (RFC 6638 §3): completed, stored, and told to those whom they concern.

The order makes it durable: the messages are in the journal, then the change is stored, then it is told.  An answer
waits until all of a few recipients have their copies, and their mail is queued; many are told after it.
"""

from __future__ import annotations

from dataclasses import replace

from trekd.dav.errors import Fault
from trekd.dav.exchange import Exchange
from trekd.dav.itemchanges import PLAIN, Kept
from trekd.dav.nodes import CollectionNode, ItemNode
from trekd.dav.rights import account_of
from trekd.dav.scheduling.delivery import TRIES
from trekd.dav.scheduling.journal import Entry
from trekd.dav.scheduling.people import persons_of
from trekd.dav.scheduling.places import calendars_of, default_calendar, inbox_state, takes
from trekd.dav.scheduling.planning import Plan, Terms, new_tag, planned
from trekd.dav.scheduling.scheduler import WAITED_FOR, Scheduler, scheduler_of
from trekd.dav.xml.names import caldav
from trekd.dav.xml.writing import href
from trekd.directory.interfaces import Account
from trekd.errors import ConditionFailed, NoSuchItem, Unavailable
from trekd.store.collections import ALWAYS, Condition, ItemState, NewItem, Stored

Current = tuple[ItemState, bytes] | None


class ScheduledChanges:
    """See L{ItemChanges <trekd.dav.itemchanges.ItemChanges>}: of calendars."""

    async def put(
        self, exchange: Exchange, collection: CollectionNode, new: NewItem, when: Condition = ALWAYS
    ) -> Kept:
        """Store an object; a scheduling object resource is completed, and others hear of it."""
        octets = new.content if isinstance(new.content, bytes) else await new.content.octets()
        has_organizer = b"ORGANIZER" in octets.upper()
        for _ in range(TRIES):
            current = await _current(collection, new.name)
            if not has_organizer and (current is None or not current[0].schedule_tag):
                return await PLAIN.put(exchange, collection, new, when)
            _require(when, current)
            account = await _owner(exchange, collection)
            terms = _terms(exchange, account, merges=when.schedule_tag is not None)
            plan: Plan = await exchange.site.off_reactor(planned, current and current[1], octets, terms)
            await _require_unique(collection, new.name, plan, is_new=current is None)
            exact = Condition(is_absent=True) if current is None else Condition(etags=(current[0].etag,))
            try:
                return await self._store(exchange, collection, _completed(new, plan), plan, (account, exact))
            except ConditionFailed:
                continue
        raise ConditionFailed()

    async def _store(
        self,
        exchange: Exchange,
        collection: CollectionNode,
        new: NewItem,
        plan: Plan,
        terms: tuple[Account, Condition],
    ) -> Kept:
        account, exact = terms
        shelf, place = collection.shelf, collection.state.id
        is_as_sent = plan.octets is None
        if not plan.messages:
            return Kept(await shelf.put(place, new, exact), is_as_sent)
        scheduler = scheduler_of(exchange.site)
        entry = Entry(account.principal, place, new.name, plan.messages, new.schedule_tag or "")
        if not entry.tag:
            # Nothing is kept in it of those whom it concerned before; the etag tells that it was replaced.
            entry = replace(entry, etag=(exact.etags or ("",))[0])
        identifier = await scheduler.journal.add(entry)
        try:
            stored: Stored = await shelf.put(place, new, exact)
        except BaseException:
            await scheduler.journal.remove(identifier)
            raise
        await _tell(scheduler, account, collection, entry, identifier)
        return Kept(stored, is_as_sent)

    async def remove(self, exchange: Exchange, node: ItemNode, when: Condition = ALWAYS) -> None:
        """Remove an object; an organizer cancels by it, an attendee declines (RFC 6638 §3.2.1.3, §3.2.2.4)."""
        collection = node.collection
        for _ in range(TRIES):
            current = await _current(collection, node.state.name)
            if current is None or not current[0].schedule_tag:
                await PLAIN.remove(exchange, node, when)
                return
            _require(when, current)
            try:
                await self._remove(exchange, collection, current)
            except ConditionFailed:
                continue
            return
        raise ConditionFailed()

    async def _remove(self, exchange: Exchange, collection: CollectionNode, current: tuple[ItemState, bytes]) -> None:
        state, octets = current
        shelf, place = collection.shelf, collection.state.id
        account = await _owner(exchange, collection)
        replies = exchange.header("schedule-reply").strip().upper() != "F"
        plan: Plan = await exchange.site.off_reactor(planned, octets, None, _terms(exchange, account, replies=replies))
        exact = Condition(etags=(state.etag,))
        if not plan.messages:
            await shelf.remove_item(place, state.name, exact)
            return
        scheduler = scheduler_of(exchange.site)
        entry = Entry(account.principal, place, state.name, plan.messages, etag=state.etag)
        identifier = await scheduler.journal.add(entry)
        try:
            await shelf.remove_item(place, state.name, exact)
        except BaseException:
            await scheduler.journal.remove(identifier)
            raise
        await _tell(scheduler, account, collection, entry, identifier)

    async def transfer(
        self, exchange: Exchange, node: ItemNode, target: tuple[CollectionNode, str], when: Condition, is_move: bool
    ) -> Stored:
        """
        Copy or move; nobody hears of a move from calendar to calendar (RFC 6638 §3.2.3.4).

        @raise Fault: a scheduling object resource is not there twice (RFC 6638 §3.2.3.3).
        """
        parent, name = target
        if node.state.schedule_tag and not is_move:
            raise _taken(node.path)
        found = await parent.shelf.items(parent.state.id, (name,))
        if found and found[0].schedule_tag and found[0].uid != node.state.uid and not when.is_absent:
            await self.remove(exchange, parent.item(found[0]))
        return await PLAIN.transfer(exchange, node, target, when, is_move)

    async def clear(self, exchange: Exchange, node: CollectionNode) -> None:
        """
        Remove the scheduling objects of a calendar that goes (RFC 6638 §3.2.3.2).

        @raise Fault: it is the default calendar (RFC 6638 §4.3.1.1).
        """
        states = await exchange.collections(node.shelf)
        inbox, calendars = inbox_state(states), calendars_of(states)
        chosen = default_calendar(inbox.properties if inbox else {}, calendars)
        others = [each for each in calendars if each.id != node.state.id and takes(each, "VEVENT")]
        is_chosen = chosen is not None and chosen.id == node.state.id
        # Where nobody has chosen, another calendar takes its place.
        if is_chosen and (not others or default_calendar({}, calendars) != chosen):
            raise Fault(403, caldav("default-calendar-needed"), "Invitations go to this calendar.")
        for state in await node.shelf.items(node.state.id):
            if state.schedule_tag:
                try:
                    await self.remove(exchange, node.item(state))
                except NoSuchItem:
                    continue


async def _current(collection: CollectionNode, name: str) -> Current:
    found = await collection.shelf.contents(collection.state.id, (name,))
    return found[0] if found else None


def _require(when: Condition, current: Current) -> None:
    """
    @raise ConditionFailed: what a client asked for does not hold.
    """
    state = current[0] if current else None
    if state is None:
        holds = when.etags is None and when.schedule_tag is None and not when.is_present
    else:
        holds = not when.is_absent and (when.etags is None or state.etag in when.etags)
        holds = holds and when.schedule_tag in (None, state.schedule_tag)
    if not holds:
        raise ConditionFailed()


async def _owner(exchange: Exchange, collection: CollectionNode) -> Account:
    """
    Whose calendar it is: that is who schedules, whoever writes.

    @raise Unavailable: nobody can tell.
    """
    account = await account_of(exchange, collection.shelf.principal)
    if account is None:
        raise Unavailable()
    return account


def _terms(exchange: Exchange, account: Account, *, merges: bool = False, replies: bool = True) -> Terms:
    now = int(exchange.site.time_of_day())
    return Terms(persons_of(account), now, exchange.site.config.max_attendees, merges, replies)


async def _require_unique(collection: CollectionNode, name: str, plan: Plan, is_new: bool) -> None:
    """
    @raise Fault: another calendar of the account has the object (RFC 6638 §3.2.4.1).
    """
    if not is_new or not plan.is_scheduling:
        return
    for place, state in await collection.shelf.scheduled(plan.uid):
        if place != collection.state.id and state.schedule_tag:
            states = await collection.shelf.collections()
            other = next((each for each in states if each.id == place), None)
            parent = collection.real.parent
            raise _taken(parent.child(other.name).child(state.name).path(False) if other else b"")


def _taken(path: bytes) -> Fault:
    text = "Another calendar has this entry already."
    return Fault(403, caldav("unique-scheduling-object-resource"), text, href(path) if path else b"")


def _completed(new: NewItem, plan: Plan) -> NewItem:
    tag = new_tag() if plan.is_scheduling else ""
    if plan.octets is None or plan.facts is None:
        return replace(new, schedule_tag=tag)
    return replace(new, content=plan.octets, facts=plan.facts, schedule_tag=tag)


async def _tell(
    scheduler: Scheduler, account: Account, collection: CollectionNode, entry: Entry, identifier: str
) -> None:
    work = scheduler.finish(account, collection.shelf, entry, identifier)
    if len(entry.recipients) > WAITED_FOR:
        scheduler.in_background(work)
    else:
        await work
