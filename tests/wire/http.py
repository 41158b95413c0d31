"""
Plays golden transcripts of HTTP against a site in memory.

A transcript is a header of C{name: value} lines, a blank line, then requests and answers:

 - C{C:} lines are a request: its first line without version, header fields, an empty line, the body.  Host,
   Content-Length and the credentials are added; C{As: bob} picks another account than alice;
 - C{S:} lines are the answer: the status, header fields that must be there, an empty line, the body.

An XML body is the same document whatever its prefixes and white space; any other body is compared by its lines,
whatever ends them.
C{$name} in an answer's field, text or attribute stands for characters that are kept, and must be the same wherever
they come again; C{*} for anything.  C{$name} in a request is filled in.  C{T: seconds} lets time pass, C{#} begins a
remark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

from tests.fakes.davsite import DAVClient, DAVHost, Reply

_LINE = re.compile(r"(?P<kind>[CST]):(?: (?P<text>.*))?")


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of one kind, with the number of the first."""

    number: int
    kind: str
    lines: tuple[str, ...]

    @property
    def body(self) -> str:
        """What follows the first empty line."""
        return "\n".join(self.lines[self.lines.index("") + 1 :]) if "" in self.lines else ""

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The header fields."""
        end = self.lines.index("") if "" in self.lines else len(self.lines)
        pairs = (line.partition(":") for line in self.lines[1:end])
        return [(name.strip(), value.strip()) for name, _, value in pairs]


def blocks(path: Path) -> Iterator[Block]:
    """The steps of a transcript file."""
    kind, first, lines = "", 0, []
    for number, line in enumerate([*path.read_text("utf-8").splitlines(), "#"], 1):
        match = _LINE.fullmatch(line)
        found = match["kind"] if match else ""
        if kind and (found != kind):
            yield Block(first, kind, tuple(lines))
        if found != kind:
            kind, first, lines = found, number, []
        if match:
            lines.append(match["text"] or "")


class Player:
    """Plays one transcript against one host."""

    def __init__(self, path: Path, host: DAVHost) -> None:
        self._path = path
        self._host = host
        self._clients: dict[str, DAVClient] = {}
        self._words: dict[str, str] = {}
        self._reply: Reply | None = None

    def play(self) -> None:
        """
        Run it.

        @raise AssertionError: the site said something else; names file and line.
        """
        for block in blocks(self._path):
            place = f"{self._path.name}:{block.number}"
            if block.kind == "T":
                self._host.clock.advance(float(block.lines[0]))
                self._clients.clear()
            elif block.kind == "C":
                self._reply = self._ask(block)
            else:
                assert self._reply is not None, place
                self._compare(block, self._reply, place)

    def _ask(self, block: Block) -> Reply:
        fields = {name: self._filled(value) for name, value in block.fields}
        name = fields.pop("As", "alice")
        client = self._clients.setdefault(name, self._host.client(f"{name}@example.com"))
        method, path = self._filled(block.lines[0]).split(" ")
        return client.request(method, path, self._filled(block.body), **fields)

    def _compare(self, block: Block, reply: Reply, place: str) -> None:
        said = f"{place}: got {reply.status} {dict(reply.headers)} {reply.body.decode('utf-8', 'replace')}"
        assert reply.status == int(block.lines[0].split()[0]), said
        for name, value in block.fields:
            assert self._matches(value, reply.headers.get(name.lower(), "")), f"{name}: {said}"
        if block.body.lstrip().startswith("<"):
            wanted = etree.fromstring(block.body.encode(), etree.XMLParser(remove_blank_text=True))
            difference = self._difference(wanted, reply.xml)
            assert difference is None, f"{difference}\n{said}"
        elif block.body or "" in block.lines:
            assert self._matches(block.body, reply.body.decode()), said

    def _difference(self, wanted: Any, got: Any) -> str | None:
        """Where two elements differ."""
        if wanted.tag != got.tag:
            return f"expected {wanted.tag}, got {got.tag}"
        if set(wanted.attrib) != set(got.attrib):
            return f"{wanted.tag}: expected attributes {dict(wanted.attrib)}, got {dict(got.attrib)}"
        texts = [(wanted.get(name), got.get(name)) for name in wanted.attrib]
        texts.append(((wanted.text or "").strip(), (got.text or "").strip()))
        for expected, text in texts:
            if not self._matches(expected, text):
                return f"{wanted.tag}: expected {expected!r}, got {text!r}"
        if len(wanted) != len(got) and (wanted.text or "").strip() != "*":
            return f"{wanted.tag}: expected {[each.tag for each in wanted]}, got {[each.tag for each in got]}"
        return next(filter(None, (self._difference(*pair) for pair in zip(wanted, got, strict=False))), None)

    def _matches(self, expected: str, text: str) -> bool:
        pattern = ""
        for literal, name in re.findall(r"([^$*]+|\*|\$(?![a-z]))|\$([a-z]+)", expected):
            if name:
                known = self._words.get(name)
                pattern += f"(?P<{name}>.+)" if known is None else re.escape(known)
            else:
                pattern += ".*" if literal == "*" else re.escape(literal)
        match = re.fullmatch(pattern, text.replace("\r\n", "\n").removesuffix("\n"), re.DOTALL)
        if match is not None:
            self._words.update(match.groupdict())
        return match is not None

    def _filled(self, text: str) -> str:
        return re.sub(r"\$([a-z]+)", lambda match: self._words.get(match[1], match[0]), text)
