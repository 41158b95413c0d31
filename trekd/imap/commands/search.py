"""
SEARCH (RFC 3501 §6.4.4), SORT and THREAD (RFC 5256 §3), with result options (RFC 4731) and modification sequences
(RFC 7162).
"""

from __future__ import annotations

from array import array

from trekd.imap.grammar import search as asked
from trekd.imap.grammar.commands import Search, Sort, Thread
from trekd.imap.grammar.sequence import uid_set
from trekd.imap.grammar.writing import EMAIL_PREFIX, esearch_response, search_response, thread_response
from trekd.imap.selected import SelectedMailbox
from trekd.imap.session import Session
from trekd.store import terms as query


async def search(session: Session, command: Search) -> bytes:
    """Find messages among those the client knows."""
    await _answer(session, command, b"SEARCH")
    return b"OK SEARCH completed"


async def sort(session: Session, command: Sort) -> bytes:
    """Find messages, and tell them in order; MIN is the first one, MAX the last (RFC 5267 §3.1)."""
    await _answer(session, command, b"SORT")
    return b"OK SORT completed"


async def thread(session: Session, command: Thread) -> bytes:
    """Find messages, and tell them in conversations."""
    selected = session.mailbox
    if asked.has(command.criterion, asked.ModSeqFrom):
        session.enable("CONDSTORE")
    uids = await session.store.search(selected.view, _term(command.criterion, session))
    threads = await session.store.thread(selected.view, uids, query.Threading[command.way])
    if not command.uid:
        number_of = {0: 0, **dict(zip(uids, selected.sequence_numbers(uids), strict=True))}
        threads = [(level, number_of[uid]) for level, uid in threads]
    session.wire.write(thread_response(threads))
    return b"OK THREAD completed"


async def _answer(session: Session, command: Search, name: bytes) -> None:
    selected = session.mailbox
    by_modseq = asked.has(command.criterion, asked.ModSeqFrom)
    if by_modseq:
        session.enable("CONDSTORE")
    term = _term(command.criterion, session)
    saves = command.returns is not None and "SAVE" in command.returns
    if saves:
        selected.saved = array("I")  # what a search saves that fails (RFC 5182 §2.1)
    uids = await session.store.search(selected.view, term)
    if isinstance(command, Sort):
        keys = [query.SortKey(query.SortBy[each.key], each.is_reverse) for each in command.keys]
        uids = await session.store.sort(selected.view, uids, keys)
    told = _told(command.returns, uids)
    if saves:
        selected.saved = array("I", sorted(told))
    numbers = uids if command.uid else _numbers(selected, uids)
    modseq = await session.store.highest_modseq(selected.id, told) if by_modseq and told else 0
    if command.returns is None:
        session.wire.write(search_response(numbers, modseq, name))
    elif command.returns != {"SAVE"}:
        results = _results(command.returns, numbers)
        if modseq:
            results["MODSEQ"] = modseq
        session.wire.write(esearch_response(command.tag, command.uid, results))


def _numbers(selected: SelectedMailbox, uids: array[int]) -> array[int]:
    """Sequence numbers of UIDs, in their order."""
    ascending = array("I", sorted(uids))
    if ascending == uids:
        return selected.sequence_numbers(uids)
    number_of = dict(zip(ascending, selected.sequence_numbers(ascending), strict=True))
    return array("I", [number_of[uid] for uid in uids])


def _told(wanted: frozenset[str] | None, uids: array[int]) -> array[int]:
    """What highest modification sequence is told of (RFC 7162 §3.1.10), and what is saved (RFC 5182 §2.4)."""
    if wanted is None or wanted - {"MIN", "MAX", "SAVE"} or wanted == {"SAVE"} or not uids:
        return uids
    return array("I", [uids[0]] * ("MIN" in wanted) + [uids[-1]] * ("MAX" in wanted))


def _results(wanted: frozenset[str], numbers: array[int]) -> dict[str, int | bytes]:
    """What ESEARCH tells; of no message only COUNT (RFC 4731 §3.1)."""
    results: dict[str, int | bytes] = {}
    if numbers:
        results = {"MIN": numbers[0], "MAX": numbers[-1], "ALL": uid_set(numbers) if "ALL" in wanted else b""}
    results["COUNT"] = len(numbers)
    return {name: value for name, value in results.items() if name in wanted}


# --- What the client asks, in the store's terms -----------------------------------------------------


def _term(criterion: asked.Criterion, session: Session) -> query.Term:
    """Translate a criterion; sets of numbers become the UIDs in the client's view."""
    selected = session.mailbox
    match criterion:
        case asked.All():
            return query.AllOf()
        case asked.And(criteria):
            return query.AllOf(tuple(_term(each, session) for each in criteria))
        case asked.Or(criteria):
            return query.AnyOf(tuple(_term(each, session) for each in criteria))
        case asked.Not(negated):
            return query.Not(_term(negated, session))
        case asked.InUids(uids):
            return query.HasUID(selected.uids(uids))
        case asked.InSeqs(seqs):
            return query.HasUID(selected.saved if seqs.is_saved else _uids_at(selected, criterion))
        case asked.Recent():
            return query.HasUID(_recent(selected))
        case asked.Within(seconds, is_older):
            limit = int(session.wire.now()) - seconds
            return query.Aged(until=limit) if is_older else query.Aged(since=limit)
        case _:
            return _property(criterion)


def _property(criterion: asked.Criterion) -> query.Term:
    """Translate what depends on the message alone."""
    match criterion:
        case asked.HasFlag(flag):
            return query.HasFlag(flag)
        case asked.Arrived(relation, day):
            return _dated(query.DateKind.INTERNAL, relation, day.toordinal())
        case asked.Sent(relation, day):
            return _dated(query.DateKind.SENT, relation, day.toordinal())
        case asked.Saved(relation, day):
            return _dated(query.DateKind.SAVED, relation, day.toordinal())
        case asked.HasEmailId(objectid):
            return _email(objectid)
        case asked.Larger(octets):
            return query.Size(above=octets)
        case asked.Smaller(octets):
            return query.Size(below=octets)
        case asked.ModSeqFrom(modseq):
            return query.ChangedSince(modseq - 1)
        case asked.HeaderContains(name, needle):
            return query.HeaderText(name, needle)
        case asked.BodyContains(needle):
            return query.BodyText(needle)
        case asked.TextContains(needle):
            return query.BodyText(needle, header=True)
        case _:
            raise AssertionError(criterion)


def _email(objectid: str) -> query.Term:
    """An EMAILID as FETCH tells it; no message has another."""
    prefix = EMAIL_PREFIX.decode()
    return query.HasEmailId(objectid.removeprefix(prefix)) if objectid.startswith(prefix) else query.AnyOf(())


def _dated(kind: query.DateKind, relation: asked.Relation, day: int) -> query.Dated:
    if relation is asked.Relation.BEFORE:
        return query.Dated(kind, before=day)
    if relation is asked.Relation.SINCE:
        return query.Dated(kind, since=day)
    return query.Dated(kind, since=day, before=day + 1)


def _uids_at(selected: SelectedMailbox, criterion: asked.InSeqs) -> array[int]:
    """
    The UIDs of sequence numbers.

    A number above the largest finds nothing: unlike FETCH, SEARCH asks what there is, and an empty mailbox has
    no number that C{1:*} could mean.
    """
    uids = array("I")
    for first, last in criterion.seqs.clipped(len(selected.view.uids)):
        uids.extend(selected.view.uids[first - 1 : last])
    return uids


def _recent(selected: SelectedMailbox) -> array[int]:
    uids = selected.view.uids
    return uids[len(uids) - selected.recent :]
