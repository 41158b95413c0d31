"""
A small name server on loopback, UDP and TCP, that serves a zone given as text and can misbehave as asked.

In a test with Twisted::

    server = NameServer({"example.com": ["MX 10 mx.example.com."], "mx.example.com": ["A 192.0.2.1"]})
    await server.start(reactor)
    ... Server("127.0.0.1", server.port, is_local=True) ...
    await server.stop()

As a process of its own, for tests against a started daemon: L{NameServerProcess}, or
C{python -m tests.fakes.nameserver ZONE.json [PORT]}, which prints its port on a line and then serves.  The file is
C{{"zone": {...}, "faults": {...}, "validates": true}} and is read again before each answer when it has changed.

Zone: name to records without the name: C{"TYPE RDATA"} or C{"TTL TYPE RDATA"}.  A name that has no records but is
above one that has exists; all other names do not.  C{*.name} matches one or more labels.
Faults: C{"name"} or C{"name TYPE"} to one of L{FAULTS}.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from twisted.internet.defer import gatherResults, maybeDeferred
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.protocols.basic import Int16StringReceiver

ROOT = Path(__file__).resolve().parents[2]

TTL = 300

FAULTS = {
    "silent": "no answer at all",
    "servfail": "SERVFAIL",
    "refused": "REFUSED",
    "formerr": "FORMERR, a bare header",
    "truncate": "over UDP always truncated, over TCP whole",
    "truncate-always": "truncated over TCP, too",
    "hang-up": "truncated over UDP, TCP connections are closed without a word",
    "wrong-id": "an answer to another question's identifier",
    "wrong-name": "an answer to a question for another name",
    "forged-first": "first an answer with a wrong identifier and other records, then the right one",
    "garbage": "octets that are no message",
    "cut": "an answer whose end is missing, not marked as truncated",
    "giant": "thousands of records over TCP",
    "loop": "two CNAMEs that point at each other",
    "chain": "a hundred CNAMEs",
    "unasked": "records of another name in the answer section",
    "insecure": "never AD",
    "nosoa": "no records and no SOA",
}


def records(name: dns.name.Name, lines: Iterable[str], kind: str | None = None) -> list[dns.rrset.RRset]:
    """Record sets of a zone's lines."""
    found: dict[str, tuple[int, list[str]]] = {}
    for line in lines:
        first, rest = line.split(None, 1)
        ttl = TTL
        if first.isdigit():
            ttl = int(first)
            first, rest = rest.split(None, 1)
        if kind is None or first == kind:
            found.setdefault(first, (ttl, []))[1].append(rest)
    return [dns.rrset.from_text_list(name, ttl, "IN", each, texts) for each, (ttl, texts) in found.items()]


class Zone:
    """
    What the server knows, and how it misbehaves.

    @ivar validates: whether it sets AD when asked to (AD or DO in the question).
    @ivar asked: C{"name TYPE"} of every question, in order.
    """

    def __init__(
        self, zone: Mapping[str, list[str]], faults: Mapping[str, str] | None = None, validates: bool = True
    ) -> None:
        self.zone = dict(zone)
        self.faults = dict(faults or {})
        self.validates = validates
        self.asked: list[str] = []

    def responses(self, octets: bytes, is_tcp: bool) -> list[bytes]:
        """What to send in answer to a question, nothing to some."""
        try:
            query = dns.message.from_wire(octets)
            question = query.question[0]
        except Exception:
            return []
        name, kind = _text(question.name), dns.rdatatype.to_text(question.rdtype)
        self.asked.append(f"{name} {kind}")
        fault = self.faults.get(f"{name} {kind}", self.faults.get(name, ""))
        assert fault in FAULTS or not fault, fault
        return self._faulty(fault, query, is_tcp) if fault else [self._answer(query, is_tcp).to_wire(max_size=65535)]

    def _answer(self, query: dns.message.Message, is_tcp: bool) -> dns.message.Message:
        response = dns.message.make_response(query, recursion_available=True)
        question = query.question[0]
        name, passed = question.name, set()
        while name not in passed:
            passed.add(name)
            lines = self._lines(name)
            alias = records(name, lines or [], "CNAME")
            if not alias or question.rdtype == dns.rdatatype.CNAME:
                break
            response.answer += alias
            name = alias[0][0].target
        response.answer += records(name, lines or [], dns.rdatatype.to_text(question.rdtype))
        if lines is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        if lines is None or not response.answer or response.answer[-1].rdtype != question.rdtype:
            apex = dns.name.Name(name.labels[-2:]) if len(name.labels) > 1 else dns.name.root
            response.authority.append(
                dns.rrset.from_text(apex, 600, "IN", "SOA", "ns.invalid. hostmaster.invalid. 1 3600 600 86400 60")
            )
        if self.validates and (query.flags & dns.flags.AD or query.ednsflags & dns.flags.DO):
            response.flags |= dns.flags.AD
        limit = max(512, query.payload)
        if not is_tcp and len(response.to_wire(max_size=65535)) > limit:
            response.answer, response.authority = [], []
            response.flags |= dns.flags.TC
        return response

    def _lines(self, name: dns.name.Name) -> list[str] | None:
        """A name's records; C{None} for a name that does not exist."""
        text = _text(name)
        if text in self.zone:
            return self.zone[text]
        if any(known.endswith("." + text) for known in self.zone):
            return []
        parent = text
        while "." in parent:
            parent = parent.partition(".")[2]
            if "*." + parent in self.zone:
                return self.zone["*." + parent]
        return None

    def _faulty(self, fault: str, query: dns.message.Message, is_tcp: bool) -> list[bytes]:
        response = self._answer(query, is_tcp or fault not in ("truncate", "truncate-always", "hang-up"))
        name = query.question[0].name
        if fault == "silent" or (fault == "hang-up" and is_tcp):
            return []
        if fault in ("servfail", "refused"):
            response = dns.message.make_response(query)
            response.set_rcode(dns.rcode.from_text(fault.upper()))
        elif fault == "formerr":
            return [query.id.to_bytes(2, "big") + b"\x80\x01" + bytes(8)]
        elif fault == "truncate-always" or (fault in ("truncate", "hang-up") and not is_tcp):
            response.answer, response.authority = [], []
            response.flags |= dns.flags.TC
        elif fault == "giant" and not is_tcp:
            response.flags |= dns.flags.TC
            response.answer = []
        elif fault == "insecure":
            response.flags &= ~dns.flags.AD
        elif fault == "nosoa":
            response.answer, response.authority = [], []
        elif fault in ("loop", "chain", "unasked", "giant"):
            response.answer = _lies(fault, name)
        octets = response.to_wire(max_size=65535)
        if fault == "wrong-id":
            return [_other_id(octets)]
        if fault == "forged-first":
            forged = dns.message.make_response(query)
            forged.answer = records(name, ["A 203.0.113.66", "MX 0 evil.invalid.", 'TXT "forged"'])
            return [_other_id(forged.to_wire()), octets]
        if fault == "wrong-name":
            other = dns.message.make_query("other.invalid.", query.question[0].rdtype, id=query.id)
            return [dns.message.make_response(other).to_wire()]
        if fault == "garbage":
            return [octets[:2] + b"\xff" * 40] if is_tcp else [b"\xff" * 3, octets[:12] + b"\xc0\x0c" * 300]
        return [octets[: len(octets) - 20]] if fault == "cut" else [octets]


def _lies(fault: str, name: dns.name.Name) -> list[dns.rrset.RRset]:
    if fault == "loop":
        other = dns.name.from_text("loop.invalid.")
        return records(name, [f"CNAME {other}"]) + records(other, [f"CNAME {name}"])
    if fault == "chain":
        names = [name, *(dns.name.from_text(f"n{number}.invalid.") for number in range(100))]
        return [each for one, other in pairwise(names) for each in records(one, [f"CNAME {other}"])]
    if fault == "unasked":
        return records(dns.name.from_text("other.invalid."), ["A 203.0.113.66", "MX 0 evil.invalid."])
    return records(name, [f"A 10.0.{number // 250}.{number % 250}" for number in range(3000)])


def _other_id(octets: bytes) -> bytes:
    return bytes([octets[0] ^ 1]) + octets[1:]


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


class _UDP(DatagramProtocol):
    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        for octets in self._zone.responses(datagram, False):
            self.transport.write(octets, addr)


class _TCP(Int16StringReceiver):
    zone: Zone

    def stringReceived(self, string: bytes) -> None:
        responses = self.zone.responses(string, True)
        for octets in responses:
            self.sendString(octets)
        if not responses:
            self.transport.loseConnection()


class NameServer(Zone):
    """
    The server inside the test's own process.

    @ivar port: of UDP and TCP on 127.0.0.1, once started.
    """

    port = 0

    async def start(self, reactor: Any, port: int = 0) -> None:
        """Listen; the same number for both, whatever number is free."""
        factory = Factory.forProtocol(_TCP)
        factory.protocol = lambda: _made(self)  # type: ignore[assignment]
        factory.noisy = False  # type: ignore[attr-defined]
        stream = reactor.listenTCP(port, factory, interface="127.0.0.1")
        self.port = stream.getHost().port
        datagrams = reactor.listenUDP(self.port, _UDP(self), interface="127.0.0.1", maxPacketSize=65535)
        self._ports = (stream, datagrams)

    async def stop(self) -> None:
        """Listen no more."""
        await gatherResults([maybeDeferred(each.stopListening) for each in self._ports])


def _made(zone: Zone) -> _TCP:
    protocol = _TCP()
    protocol.zone = zone
    return protocol


class NameServerProcess:
    """
    The server as a process of its own.

    @ivar port: of UDP and TCP on 127.0.0.1.
    """

    def __init__(self, directory: Path, zone: Mapping[str, list[str]], **rest: Any) -> None:
        """
        @param rest: C{faults}, C{validates}.
        """
        self._file = directory / "zone.json"
        self.change(zone, **rest)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.nameserver", str(self._file)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def change(self, zone: Mapping[str, list[str]], **rest: Any) -> None:
        """Serve another zone from now on."""
        written = self._file.with_suffix(".new")
        written.write_text(json.dumps({"zone": zone, **rest}))
        written.replace(self._file)

    def close(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


class _FileZone(NameServer):
    """A zone in a file that may change."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        super().__init__({})

    def responses(self, octets: bytes, is_tcp: bool) -> list[bytes]:
        status = os.stat(self._path)
        stamp = (status.st_ino, status.st_mtime_ns)
        if stamp != self._stamp:
            with open(self._path) as file:
                read = json.load(file)
            self.zone, self.faults = read["zone"], read.get("faults", {})
            self.validates, self._stamp = read.get("validates", True), stamp
        return super().responses(octets, is_tcp)


def main() -> None:
    """Serve until killed."""
    from twisted.internet import reactor

    server = _FileZone(sys.argv[1])

    def begin() -> None:
        from twisted.internet.defer import ensureDeferred

        ensureDeferred(server.start(reactor, int(sys.argv[2]) if len(sys.argv) > 2 else 0))
        print(server.port, flush=True)

    reactor.callWhenRunning(begin)  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
