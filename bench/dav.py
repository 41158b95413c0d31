"""
Calendars and contacts beside Radicale and Xandikos: C{PYTHONPATH=. python -m bench.dav --peers DIRECTORY}.

DIRECTORY has the peers' programs, such as C{bin} of a virtual environment; Debian's answer some of the questions wrong.

Ours is asked over TLS and with a password, the peers in the clear and with none.  A line is measured as often as
C{--rounds} says, all servers in turn; the median counts, as wall time and as CPU of the server.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

from bench.davcorpus import WEEK, changed, contacts, events
from bench.davservers import Client, Server, cpu, memory, start

LONG = 60.0
"""Seconds after which a server is not asked again for the same line, once there is a figure."""

_NAMESPACES = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:R="urn:ietf:params:xml:ns:carddav"'
_SPAN = f'<C:time-range start="{WEEK[0]:%Y%m%dT%H%M%SZ}" end="{WEEK[1]:%Y%m%dT%H%M%SZ}"/>'
_ETAG = "<D:prop><D:getetag/></D:prop>"


class NotOffered(Exception):
    """A server that has not what is asked for."""


@dataclass(slots=True)
class Case:
    """
    One server under measurement.

    @ivar events: how many it has; C{contacts} likewise.
    @ivar put: events put by the lines that put new ones.
    @ivar turn: counts changes of events that are there.
    """

    server: Server
    events: int
    contacts: int
    put: int = 0
    turn: int = 0
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.server.client()


@dataclass(frozen=True, slots=True)
class Sample:
    """
    One measurement.

    @ivar wall: seconds.
    @ivar used: CPU seconds of the server.
    @ivar answer: what servers must agree on; '' for nothing.
    """

    wall: float
    used: float
    answer: str = ""


def timed(case: Case, method: str, path: str, body: str, **fields: str) -> tuple[Sample, bytes]:
    """One request that gives a multistatus, or what else an answer is."""
    octets = body.encode()
    before, begun = cpu(case.server), time.monotonic()
    reply = case.client.ask(method, path, octets, Content_Type='application/xml; charset="utf-8"', **fields)
    wall = time.monotonic() - begun
    sample = Sample(wall, cpu(case.server) - before)
    if reply.status >= 300:
        raise NotOffered(f"{reply.status} {reply.body[:200]!r}")
    return sample, reply.body


def named(sample: Sample, body: bytes, suffix: bytes) -> Sample:
    """With the names of the items in the answer."""
    hrefs = re.findall(rb"<(?:\w+:)?href>([^<]*" + re.escape(suffix) + rb")</", body)
    names = sorted({unquote(href.decode()).rpartition("/")[2] for href in hrefs})
    digest = f"{len(names)} items, {hash_of(names)}"
    return Sample(sample.wall, sample.used, digest)


def hash_of(names: Sequence[str]) -> str:
    """A short digest."""
    total = 0
    for name in names:
        for octet in name.encode():
            total = (total * 131 + octet) % (1 << 32)
    return f"{total:08x}"


def report(name: str, inside: str) -> str:
    """A report's document."""
    return f'<?xml version="1.0" encoding="utf-8"?><{name} {_NAMESPACES}>{inside}</{name}>'


def _put_many(case: Case, connections: int, each: int) -> Sample:
    """New events over some connections."""
    first = case.put
    case.put += connections * each
    items = list(events(case.put, seed=9))[first:]
    clients = [case.server.client() for _ in range(connections)]

    def stream(client: Client, mine: Sequence[tuple[str, bytes]]) -> None:
        for name, body in mine:
            body = body.replace(b"UID:", b"UID:new")
            client.required("PUT", f"{case.server.calendar}new{name}", body, Content_Type="text/calendar")

    for client in clients:
        client.required("PROPFIND", case.server.calendar, Depth="0")
    threads = [
        threading.Thread(target=stream, args=(client, items[number::connections]))
        for number, client in enumerate(clients)
    ]
    before, begun = cpu(case.server), time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall, used = time.monotonic() - begun, cpu(case.server) - before
    cleaner = clients[0]
    for name, _ in items:
        cleaner.required("DELETE", f"{case.server.calendar}new{name}")
    for client in clients:
        client.close()
    return Sample(wall / len(items), used / len(items))


def put_one(case: Case) -> Sample:
    """PUT of new events, one connection: ms each"""
    return _put_many(case, 1, 30)


def put_eight(case: Case) -> Sample:
    """PUT of new events, eight connections: ms each"""
    return _put_many(case, 8, 5)


def etags(case: Case) -> Sample:
    """PROPFIND of the ETags of all events"""
    path = case.server.calendar
    return named(*timed(case, "PROPFIND", path, report("D:propfind", _ETAG), Depth="1"), b".ics")


def contact_etags(case: Case) -> Sample:
    """PROPFIND of the ETags of all contacts"""
    path = case.server.contacts
    return named(*timed(case, "PROPFIND", path, report("D:propfind", _ETAG), Depth="1"), b".vcf")


def sync(case: Case) -> Sample:
    """sync-collection behind ten changes"""
    path = case.server.calendar
    _, token = timed(case, "PROPFIND", path, report("D:propfind", "<D:prop><D:sync-token/></D:prop>"), Depth="0")
    found = re.search(rb"sync-token>([^<]+)<", token)
    if found is None:
        raise NotOffered("no token")
    case.turn += 1
    for name, body in list(events(min(case.events, 100)))[:10]:
        case.client.required("PUT", path + name, changed(body, case.turn), Content_Type="text/calendar")
    inside = f"<D:sync-token>{found[1].decode()}</D:sync-token><D:sync-level>1</D:sync-level>{_ETAG}"
    return named(*timed(case, "REPORT", path, report("D:sync-collection", inside), Depth="1"), b".ics")


def _filtered(inside: str) -> str:
    calendar = f'<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{inside}</C:comp-filter></C:comp-filter>'
    return report("C:calendar-query", f"{_ETAG}<C:filter>{calendar}</C:filter>")


def week(case: Case) -> Sample:
    """calendar-query of one week"""
    return named(*timed(case, "REPORT", case.server.calendar, _filtered(_SPAN), Depth="1"), b".ics")


def multiget(case: Case) -> Sample:
    """calendar-multiget of 500 events"""
    hrefs = "".join(f"<D:href>{case.server.calendar}e{number}.ics</D:href>" for number in _spread(case.events))
    inside = f"<D:prop><D:getetag/><C:calendar-data/></D:prop>{hrefs}"
    sample, body = timed(case, "REPORT", case.server.calendar, report("C:calendar-multiget", inside), Depth="1")
    return Sample(sample.wall, sample.used, uids(body))


def contact_multiget(case: Case) -> Sample:
    """addressbook-multiget of 500 contacts"""
    hrefs = "".join(f"<D:href>{case.server.contacts}c{number}.vcf</D:href>" for number in _spread(case.contacts))
    inside = f"<D:prop><D:getetag/><R:address-data/></D:prop>{hrefs}"
    sample, body = timed(case, "REPORT", case.server.contacts, report("R:addressbook-multiget", inside), Depth="1")
    return Sample(sample.wall, sample.used, uids(body))


def _spread(count: int) -> range:
    """Five hundred numbers out of so many."""
    return range(0, count, max(1, count // 500))[:500]


def uids(body: bytes) -> str:
    """Which items' octets are in an answer."""
    found = sorted({uid.decode() for uid in re.findall(rb"UID:([ce]\d+@)", body)})
    return f"{len(found)} items, {hash_of(found)}"


def free_busy(case: Case) -> Sample:
    """free-busy-query of one week"""
    sample, body = timed(case, "REPORT", case.server.calendar, report("C:free-busy-query", _SPAN), Depth="1")
    if b"VFREEBUSY" not in body:
        raise NotOffered("no VFREEBUSY")
    return Sample(sample.wall, sample.used, f"{busy_seconds(body)} s busy")


def busy_seconds(body: bytes) -> int:
    """Seconds of the week that an answer calls busy, however it cuts and orders them."""
    lines = re.sub(rb"\r?\n[ \t]", b"", body).decode().splitlines()
    periods = [
        _period(period)
        for line in lines
        if line.startswith("FREEBUSY") and "FBTYPE=FREE" not in line
        for period in line.partition(":")[2].split(",")
    ]
    total, reached = 0.0, WEEK[0]
    for begin, end in sorted(periods):
        begin, end = max(begin, reached), min(end, WEEK[1])
        if end > begin:
            total += (end - begin).total_seconds()
            reached = end
    return int(total)


def _period(text: str) -> tuple[datetime, datetime]:
    """Start and end; the second may be a duration in days, hours and minutes."""
    first, _, second = text.partition("/")
    begin = datetime.strptime(first + "+0000", "%Y%m%dT%H%M%SZ%z")
    if not second.startswith("P"):
        return begin, datetime.strptime(second + "+0000", "%Y%m%dT%H%M%SZ%z")
    found = {unit: int(number) for number, unit in re.findall(r"(\d+)([DHMS])", second)}
    return begin, begin + timedelta(
        days=found.get("D", 0), hours=found.get("H", 0), minutes=found.get("M", 0), seconds=found.get("S", 0)
    )


def text(case: Case) -> Sample:
    """calendar-query by text in SUMMARY"""
    match = '<C:text-match collation="i;ascii-casemap">review 4</C:text-match>'
    inside = f'<C:prop-filter name="SUMMARY">{match}</C:prop-filter>'
    return named(*timed(case, "REPORT", case.server.calendar, _filtered(inside), Depth="1"), b".ics")


def contact_text(case: Case) -> Sample:
    """addressbook-query by text in FN"""
    match = '<R:text-match collation="i;unicode-casemap" match-type="contains">Turing 4</R:text-match>'
    inside = f'{_ETAG}<R:filter><R:prop-filter name="FN">{match}</R:prop-filter></R:filter>'
    body = report("R:addressbook-query", inside)
    return named(*timed(case, "REPORT", case.server.contacts, body, Depth="1"), b".vcf")


LINES: tuple[Callable[[Case], Sample], ...] = (
    put_one,
    put_eight,
    etags,
    sync,
    week,
    multiget,
    free_busy,
    text,
    contact_etags,
    contact_multiget,
    contact_text,
)


def measured(line: Callable[[Case], Sample], cases: Sequence[Case], rounds: int) -> list[Sample | str]:
    """The median of each server, or why there is none; the first time is not counted unless it took very long."""
    found: list[list[Sample]] = [[] for _ in cases]
    reasons, spent = [""] * len(cases), [0.0] * len(cases)
    for turn in range(rounds + 1):
        for number, case in enumerate(cases):
            if reasons[number] or (found[number] and spent[number] > LONG):
                continue
            begun = time.monotonic()
            try:
                sample = line(case)
            except (NotOffered, RuntimeError) as error:
                print(f"{case.server.name}: {line.__doc__}: {error}", file=sys.stderr)
                reasons[number] = "not offered"
                continue
            spent[number] += time.monotonic() - begun
            if turn or spent[number] > LONG:
                found[number].append(sample)
    return [reason or _median(samples) for reason, samples in zip(reasons, found, strict=True)]


def _median(samples: Sequence[Sample]) -> Sample:
    wall = statistics.median(sample.wall for sample in samples)
    return Sample(wall, statistics.median(sample.used for sample in samples), samples[-1].answer)


def row(title: str, results: Sequence[Sample | str]) -> str:
    """A line of the result: wall and CPU in ms, and how many times the first is better."""
    ours = results[0]
    cells = []
    for each in results:
        if isinstance(each, str) or isinstance(ours, str):
            cells.append(each if isinstance(each, str) else _figures(each))
        elif each is ours:
            cells.append(_figures(each))
        else:
            cells.append(f"{_figures(each)} ({each.wall / ours.wall:.1f}x / {each.used / max(ours.used, 1e-6):.1f}x)")
    answers = [each.answer for each in results if isinstance(each, Sample) and each.answer]
    told = answers[0] if len(set(answers)) == 1 else "DIFFER: " + ", ".join(answers) if answers else ""
    return f"| {title} | {' | '.join(cells)} | {told} |"


def _figures(sample: Sample) -> str:
    return f"{sample.wall * 1000:.2f} / {sample.used * 1000:.2f}"


def _table(cases: Sequence[Case], lines: Sequence[Callable[[Case], Sample]], rounds: int) -> bool:
    """Print a row for each line; whether any answers differ."""
    print("| wall ms / server CPU ms | " + " | ".join(case.server.name for case in cases) + " | answers |")
    print("|---" * (len(cases) + 2) + "|")
    differ = False
    for line in lines:
        told = row((line.__doc__ or "").strip(), measured(line, cases, rounds))
        differ = differ or "DIFFER" in told
        print(told, flush=True)
    rss = " | ".join(f"{memory(case.server) / 1e6:.0f} MB" for case in cases)
    print(f"| resident memory after it all | {rss} | |")
    return differ


def main() -> int:
    """Run; status 1 when servers answered differently."""
    parser = argparse.ArgumentParser(description="Measure TrekMail beside Radicale and Xandikos.")
    parser.add_argument("--directory", type=Path, help="where items are; a real disk (default: a new one in .)")
    parser.add_argument("--peers", help="directory of the peers' programs (default: found as commands are)")
    parser.add_argument("--events", type=int, default=10_000, help="in the calendar, one in twenty recurring")
    parser.add_argument("--contacts", type=int, default=10_000, help="in the address book")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured, in turn")
    parser.add_argument("--only", default="", help="lines whose title has a match of this regular expression")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="trekmail-bench-", dir=options.directory or ".")).resolve()
    servers: list[Server] = []
    try:
        servers += start(directory, options.peers)
        for server in servers:
            print(f"filling {server.name}", file=sys.stderr)
            server.fill(events(options.events), contacts(options.contacts))
        cases = [Case(server, options.events, options.contacts) for server in servers]
        lines = [line for line in LINES if re.search(options.only, line.__doc__ or "", re.I)]
        return int(_table(cases, lines, options.rounds))
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(directory)


if __name__ == "__main__":
    sys.exit(main())
