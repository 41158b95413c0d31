"""
Content lines as a tree: what iCalendar (RFC 5545 §3.1) and vCard (RFC 6350 §3.3) share.

L{parse} makes octets a tree, L{write} makes the tree octets.  Nothing is interpreted and nothing is lost: unknown
names, their spelling, the order of lines and parameters stay as sent; only folding, quoting of parameters and line
ends come out in one form.  Lenient where no meaning is in doubt: bare LF, a byte order mark, empty lines, folds
inside a UTF-8 sequence, and parameters without a value (vCard 2.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from trekd.errors import LimitExceeded, SyntaxFault

Parameter = tuple[str, tuple[str, ...]]
"""Name as sent, and its values unquoted with RFC 6868 undone; no values when no C{=} was there."""


@dataclass(frozen=True, slots=True)
class TreeLimits:
    """
    How large a tree may be.

    @ivar lines: content lines, unfolded.
    @ivar line: octets of one unfolded line.
    @ivar depth: components inside each other.
    """

    lines: int = 100_000
    line: int = 16 * 1024 * 1024
    depth: int = 16


TREE_LIMITS = TreeLimits()
"""Those of one object."""


@dataclass(frozen=True, slots=True)
class Property:
    """
    One content line.

    @ivar name: as sent; compare with L{is_named}.
    @ivar value: raw, as sent: escaped text, lists in one piece.
    @ivar parameters: in the order sent; a name may occur twice.
    @ivar group: vCard's group before the name, C{""} for none.
    """

    name: str
    value: str
    parameters: tuple[Parameter, ...] = ()
    group: str = ""

    def is_named(self, name: str) -> bool:
        """@param name: in upper case."""
        return self.name == name or self.name.upper() == name

    def parameter(self, name: str) -> str | None:
        """
        The first value of a parameter, C{None} without one.

        @param name: in upper case.
        """
        for each, values in self.parameters:
            if values and each.upper() == name:
                return values[0]
        return None

    def parameter_values(self, name: str) -> tuple[str, ...]:
        """
        All values of all parameters of a name.

        @param name: in upper case.
        """
        return tuple(value for each, values in self.parameters if each.upper() == name for value in values)

    @property
    def text(self) -> str:
        """The value as one TEXT (RFC 5545 §3.3.11), without escapes."""
        return unescape(self.value)


@dataclass(frozen=True, slots=True)
class Component:
    """
    What stands between C{BEGIN} and C{END}.

    @ivar name: as sent.
    @ivar properties: in the order sent.
    @ivar components: in the order sent; they come after the properties when written.
    """

    name: str
    properties: tuple[Property, ...] = ()
    components: tuple[Component, ...] = ()

    @property
    def kind(self) -> str:
        """The name in upper case."""
        return self.name.upper()

    def first(self, name: str) -> Property | None:
        """
        The first property of a name.

        @param name: in upper case.
        """
        for each in self.properties:
            if each.name == name or each.name.upper() == name:
                return each
        return None

    def every(self, name: str) -> Iterator[Property]:
        """
        All properties of a name.

        @param name: in upper case.
        """
        return (each for each in self.properties if each.name == name or each.name.upper() == name)

    def value(self, name: str) -> str:
        """
        The raw value of the first property of a name, C{""} without one.

        @param name: in upper case.
        """
        found = self.first(name)
        return found.value if found else ""

    def inside(self, name: str) -> Iterator[Component]:
        """
        The components of a kind directly inside.

        @param name: in upper case.
        """
        return (each for each in self.components if each.name == name or each.name.upper() == name)


# --- Octets to tree -------------------------------------------------------------------------------

_FOLD = re.compile(rb"\r?\n[ \t]")
_NAME = re.compile(r"(?:([^\s:;,\"=.\x00-\x1f\x7f]+)\.)?([^\s:;,\"=.\x00-\x1f\x7f]+)")
_PARAMETER_NAME = re.compile(r"[^\s:;,\"=\x00-\x1f\x7f]+")
_QUOTED = re.compile(r'"([^"\x00]*)"')
_PLAIN = re.compile(r"[^:;,\x00]*")
_CARET = re.compile(r"\^[n^']")
_CARETS = {"^n": "\n", "^^": "^", "^'": '"'}

_SHORT = 200
"""Characters of a head that is remembered."""

_Head = tuple[str, str, tuple[Parameter, ...]]
"""Name, group and parameters: what stands before the colon."""


def parse(octets: bytes, limits: TreeLimits = TREE_LIMITS) -> Component:
    """
    Read exactly one component, such as a whole iCalendar object.

    @raise LimitExceeded: the tree is larger than C{limits}.
    @raise SyntaxFault: these are no content lines, or not of one component.
    """
    found = parse_all(octets, limits)
    if len(found) != 1:
        raise SyntaxFault("one component", len(octets) if found else 0)
    return found[0]


def parse_all(octets: bytes, limits: TreeLimits = TREE_LIMITS) -> tuple[Component, ...]:
    """
    Read the components that stand one after the other, none included.

    @raise LimitExceeded: one tree or all together are larger than C{limits}.
    @raise SyntaxFault: these are no content lines, or components that do not nest.
    """
    lines = _lines(octets, limits)
    try:
        return _Tree(limits.depth).read(lines)
    except _Fault as fault:
        raise fault.error(fault.rule, _offset(octets, fault.line)) from None


class _Fault(Exception):
    """What is wrong in the line of that 0-based number; becomes a L{SyntaxFault} once its offset is known."""

    def __init__(self, line: int, rule: str, error: type[SyntaxFault] = SyntaxFault) -> None:
        self.line = line
        self.rule = rule
        self.error = error


def _lines(octets: bytes, limits: TreeLimits) -> list[str]:
    """Unfolded lines, as many as there are line ends and one more."""
    whole = _FOLD.sub(b"", octets.removeprefix(b"\xef\xbb\xbf"))
    if whole.count(b"\n") > limits.lines:
        raise LimitExceeded(f"at most {limits.lines} lines", _offset(octets, limits.lines))
    try:
        text = whole.decode()
    except UnicodeDecodeError as fault:
        raise SyntaxFault("UTF-8", _offset(octets, whole.count(b"\n", 0, fault.start))) from None
    lines = text.replace("\r\n", "\n").split("\n")
    if len(whole) > limits.line:
        for number, line in enumerate(lines):
            if len(line) > limits.line or (not line.isascii() and len(line.encode()) > limits.line):
                raise LimitExceeded(f"a line of at most {limits.line} octets", _offset(octets, number))
    return lines


def _offset(octets: bytes, number: int) -> int:
    """Where the unfolded line of that number starts; only asked for when there is a fault."""
    start = 0
    for place in re.finditer(rb"\n(?![ \t])", octets):
        if number <= 0:
            break
        number -= 1
        start = place.end()
    return start


class _Tree:
    """Components as they open and close."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._open: list[tuple[str, list[Property], list[Component]]] = []
        self._found: list[Component] = []

    def read(self, lines: list[str]) -> tuple[Component, ...]:
        properties: list[Property] | None = None
        for number, line in enumerate(lines):
            head, colon, value = line.partition(":")
            known = _remembered_head(head) if colon and len(head) < _SHORT else None
            if known is None or "\r" in value or "\0" in value:
                if not line.strip():
                    continue
                known, value = _read_line(number, line.rstrip("\r"))
            name, group, parameters = known
            if properties is not None and name not in _BRACKETS:
                properties.append(Property(name, value, parameters, group))
            else:
                properties = self._bracket(number, name.upper(), value.strip())
        if self._open:
            raise _Fault(len(lines), f"END:{self._open[-1][0]}")
        return tuple(self._found)

    def _bracket(self, number: int, name: str, value: str) -> list[Property] | None:
        """Open or close a component; the properties of the one that is open now."""
        if name == "BEGIN":
            if len(self._open) >= self._depth:
                raise _Fault(number, f"at most {self._depth} levels", LimitExceeded)
            if not _NAME.fullmatch(value):
                raise _Fault(number, "component name")
            self._open.append((value, [], []))
            return self._open[-1][1]
        if not self._open:
            raise _Fault(number, "BEGIN")
        opened, properties, components = self._open.pop()
        if opened != value and opened.upper() != value.upper():
            raise _Fault(number, f"END:{opened}")
        closed = Component(opened, tuple(properties), tuple(components))
        if not self._open:
            self._found.append(closed)
            return None
        self._open[-1][2].append(closed)
        return self._open[-1][1]


_BRACKETS = frozenset(
    "".join(name) for word in ("begin", "end") for name in product(*zip(word, word.upper(), strict=True))
)
"""C{BEGIN} and C{END} in any case."""


def _read_line(number: int, line: str) -> tuple[_Head, str]:
    """A line that is long, holds a quoted colon, or is no content line."""
    at = _head_end(line)
    if at < 0:
        raise _Fault(number, "name and colon")
    value = line[at + 1 :]
    if "\r" in value or "\0" in value:
        raise _Fault(number, "value without CR and NUL")
    head = _read_head(line[:at])
    if head is None:
        raise _Fault(number, "contentline")
    return head, value


def _head_end(line: str) -> int:
    """Where the colon stands that ends name and parameters, -1 without one."""
    start = 0
    for number, piece in enumerate(line.split('"')):
        at = piece.find(":") if number % 2 == 0 else -1
        if at >= 0:
            return start + at
        start += len(piece) + 1
    return -1


def _read_head(head: str) -> _Head | None:
    """C{contentline} up to its colon (RFC 5545 §3.1), C{None} when it breaks the grammar."""
    name = _NAME.match(head)
    if name is None:
        return None
    parameters: list[Parameter] = []
    at = name.end()
    while at < len(head):
        found = _PARAMETER_NAME.match(head, at + 1) if head[at] == ";" else None
        if found is None:
            if head[at:].strip(" \t;"):
                return None
            break
        at = found.end()
        values: list[str] = []
        while at < len(head) and head[at] == ("," if values else "="):
            quoted = _QUOTED.match(head, at + 1)
            value = quoted or _PLAIN.match(head, at + 1)
            assert value is not None
            values.append(_uncaret(value[1] if quoted else value[0]))
            at = value.end()
        parameters.append((found[0], tuple(values)))
    return name[2], name[1] or "", tuple(parameters)


@lru_cache(4096)
def _remembered_head(head: str) -> _Head | None:
    """The same for a short head up to the first colon, C{None} also when that colon is quoted: most repeat."""
    return _read_head(head) if head.count('"') % 2 == 0 else None


def _uncaret(value: str) -> str:
    """Undo RFC 6868 §3.2; other carets stay."""
    return _CARET.sub(lambda found: _CARETS[found[0]], value) if "^" in value else value


# --- Tree to octets -------------------------------------------------------------------------------

_LINE = 75
"""Octets of a line without its CRLF (RFC 5545 §3.1)."""

_BREAKS = re.compile(r"\r\n|\r|\n")


def write(component: Component) -> bytes:
    """The octets of a component, folded at 75 octets, lines ended by CRLF."""
    return "\r\n".join(map(_folded, _written(component))).encode() + b"\r\n"


def _written(component: Component) -> Iterator[str]:
    yield f"BEGIN:{component.name}"
    for each in component.properties:
        yield line_of(each)
    for inner in component.components:
        yield from _written(inner)
    yield f"END:{component.name}"


def line_of(each: Property) -> str:
    """One property as an unfolded line without its end; a raw line break in it comes out escaped."""
    head = f"{each.group}.{each.name}" if each.group else each.name
    for name, values in each.parameters:
        head += f";{name}={','.join(map(_parameter_value, values))}" if values else f";{name}"
    value = each.value
    if "\n" in value or "\r" in value:
        value = _BREAKS.sub(r"\\n", value)
    return f"{head}:{value}"


def _parameter_value(value: str) -> str:
    """A parameter value with RFC 6868 §3.1 applied, quoted where it must be."""
    if "^" in value or '"' in value or "\n" in value or "\r" in value:
        value = _BREAKS.sub("^n", value.replace("^", "^^").replace('"', "^'"))
    return f'"{value}"' if any(sign in value for sign in ":;,") else value


def _folded(line: str) -> str:
    """A line cut so that no piece exceeds 75 octets and no character is cut."""
    if len(line) <= _LINE and (line.isascii() or len(line.encode()) <= _LINE):
        return line
    if line.isascii():
        pieces = [line[:_LINE], *(line[at : at + _LINE - 1] for at in range(_LINE, len(line), _LINE - 1))]
        return "\r\n ".join(pieces)
    octets = line.encode()
    cut, start, room = [], 0, _LINE
    while len(octets) - start > room:
        end = start + room
        while octets[end] & 0xC0 == 0x80:
            end -= 1
        cut.append(octets[start:end].decode())
        start, room = end, _LINE - 1
    return "\r\n ".join([*cut, octets[start:].decode()])


# --- Text values ----------------------------------------------------------------------------------

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def unescape(value: str) -> str:
    """TEXT without its escapes (RFC 5545 §3.3.11); an unknown escape stands for its character."""
    if "\\" not in value:
        return value
    return _ESCAPE.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)


def escape(text: str) -> str:
    """A text as TEXT value (RFC 5545 §3.3.11)."""
    plain = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return _BREAKS.sub(r"\\n", plain)


def split_values(value: str, delimiter: str = ",") -> tuple[str, ...]:
    """
    A list value cut at each delimiter that is not escaped; the pieces are still escaped.

    @param delimiter: C{,}, or C{;} for structured values.
    """
    if "\\" not in value:
        return tuple(value.split(delimiter))
    pieces, start, at = [], 0, 0
    while at < len(value):
        if value[at] == "\\":
            at += 1
        elif value[at] == delimiter:
            pieces.append(value[start:at])
            start = at + 1
        at += 1
    return (*pieces, value[start:])


def join_values(texts: Iterable[str], delimiter: str = ",") -> str:
    """Texts escaped and joined to a list value."""
    return delimiter.join(map(escape, texts))
