"""
One pass over a message finds everything that the store keeps about it.

Invariants: no octets make it raise; time is linear in the octets, memory in what is returned; the result is
always a valid ENVELOPE, BODY and BODYSTRUCTURE (RFC 3501 §9).

What is broken is shown so that a client can still read it:
 - a part without a usable Content-Type is text/plain (RFC 2045 §5.2), in a digest message/rfc822;
 - a multipart without boundary, or whose boundary never occurs, is text/plain with the whole body: neither
   RFC nor client knows a multipart without children;
 - past L{MAX_DEPTH} levels, L{MAX_PARTS} parts, or the octets that may be searched for inner boundaries and
   read for inner addresses, a part is an opaque application/octet-stream; nothing is cut off.

A line is a delimiter only if it is exactly the boundary, its dashes and trailing white space (RFC 2046
§5.1.1): a boundary that is the beginning of an inner one does not match it.  An outer delimiter ends every
inner part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trekd.mime.dates import parse_date
from trekd.mime.envelope import Fields, envelope, message_id, references, search_key
from trekd.mime.header import MAX_VALUE, body_offset, fields, line_feeds, unfold
from trekd.mime.octets import Octets
from trekd.mime.parameters import (
    MESSAGE,
    OPAQUE,
    PLAIN,
    ContentType,
    content_type,
    disposition,
    transfer_encoding,
)
from trekd.mime.parts import LEAF, MULTIPART, TEXT, Region, pack, unpack
from trekd.mime.parts import MESSAGE as MESSAGE_PART
from trekd.mime.preview import preview
from trekd.mime.wire import nstring, string

MAX_DEPTH = 100
"""Levels of multiparts and messages within each other."""

MAX_PARTS = 10_000
"""Entities of one message."""

_DELIMITERS = 100_000
"""
Lines that look like a delimiter and are looked at in one message, again for each level whose boundary they have;
what follows them is no further part.
"""

_SEARCHED_TWICE = 1 << 20
_SEARCHED_AGAIN = 16
"""Octets of containers that may be searched: so many, and so many times the message."""

_INNER_ADDRESSES = 1 << 20
"""Octets of address fields that are read in all messages inside a message together."""

_ADDRESS_FIELDS = frozenset([b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc"])
_MIME_FIELDS = frozenset(
    [
        b"content-type",
        b"content-transfer-encoding",
        b"content-id",
        b"content-description",
        b"content-md5",
        b"content-disposition",
        b"content-language",
        b"content-location",
    ]
)
_OTHER_FIELDS = frozenset([b"date", b"subject", b"in-reply-to", b"message-id", b"references"])
_MESSAGE_FIELDS = _ADDRESS_FIELDS | _MIME_FIELDS | _OTHER_FIELDS
_TAIL_FIELDS = frozenset([b"content-disposition", b"content-language", b"content-location"])


@dataclass(frozen=True, slots=True)
class ScannedMessage:
    """
    What one pass over a message finds; C{bytes} are wire-ready IMAP octets.

    @ivar header_length: octets of the header, the empty line included.
    @ivar envelope: ENVELOPE (RFC 3501 §7.4.2).
    @ivar bodystructure: BODYSTRUCTURE with extension data.
    @ivar body: BODY, the same without extension data.
    @ivar parts: the part index (L{trekd.mime.parts.unpack}).
    @ivar subject_key: decoded and folded Subject, for substring search; likewise the four address fields,
        which hold display names and addresses.
    @ivar sent: Date field as Unix seconds, C{None} without a usable one.
    @ivar sent_date: day of the Date field as written, zone disregarded, as a proleptic ordinal.
    @ivar message_id: without angle brackets, C{""} without one.
    @ivar preview: the beginning of the text, an IMAP string (RFC 8970 §3.2).
    @ivar references: message-ids of References, then In-Reply-To, each once, without angle brackets.
    """

    header_length: int
    envelope: bytes
    bodystructure: bytes
    body: bytes
    parts: bytes
    subject_key: str
    from_key: str
    to_key: str
    cc_key: str
    bcc_key: str
    sent: int | None
    sent_date: int | None
    message_id: str
    references: tuple[str, ...]
    preview: bytes


def scan(message: Octets) -> ScannedMessage:
    """
    Read a whole message; octets in memory never make it raise.

    @param message: as stored; sizes and offsets count exactly these octets.
    @raise OSError: it is in a file, which cannot be read.
    """
    octets = line_feeds(message)
    length = body_offset(octets, 0, len(octets))
    found = _read_fields(octets, 0, length, _MESSAGE_FIELDS)
    sweep = _Sweep(octets)
    shape = sweep.entity(Region(0, length, len(octets)), found, 0, PLAIN)
    parts = b"".join(sweep.records)
    value = found.get
    sent, sent_date = parse_date(found[b"date"]) if b"date" in found else (None, None)
    return ScannedMessage(
        header_length=length,
        envelope=envelope(found),
        bodystructure=shape.extended,
        body=shape.plain,
        parts=parts,
        subject_key=search_key(value(b"subject")),
        from_key=search_key(value(b"from")),
        to_key=search_key(value(b"to")),
        cc_key=search_key(value(b"cc")),
        bcc_key=search_key(value(b"bcc")),
        sent=sent,
        sent_date=sent_date,
        message_id=message_id(value(b"message-id")),
        references=references(found),
        preview=string(preview(octets, unpack(parts)).encode("utf-8", "replace")),
    )


def _read_fields(octets: Octets, start: int, stop: int, wanted: frozenset[bytes]) -> Fields:
    """The first value of each wanted field, all values of address fields joined."""
    found: Fields = {}
    more: dict[bytes, list[bytes]] = {}
    for name, value in fields(octets, start, stop):
        if name in wanted:
            if name not in found:
                found[name] = unfold(value)
            elif name in _ADDRESS_FIELDS:
                more.setdefault(name, [found[name]]).append(unfold(value))
    for name, values in more.items():
        found[name] = b", ".join(filter(None, values))[:MAX_VALUE]
    return found


@dataclass(frozen=True, slots=True)
class _Shape:
    """A part on the wire: without and with extension data."""

    plain: bytes
    extended: bytes


class _Sweep:
    """
    One pass over one message.

    @ivar records: the part index so far, in preorder.
    """

    def __init__(self, octets: Octets) -> None:
        self._octets = octets
        self.records: list[bytes] = []
        self._searches = _SEARCHED_TWICE + _SEARCHED_AGAIN * len(octets)
        self._addresses = _INNER_ADDRESSES
        self._delimiters_left = _DELIMITERS

    def entity(self, region: Region, found: Fields, depth: int, default: ContentType) -> _Shape:
        """Describe the message or a part, with all that is inside it."""
        content = content_type(found[b"content-type"]) if b"content-type" in found else default
        if content.boundary or content.media == b"message/rfc822":
            self._searches -= region.end - region.body
            if depth >= MAX_DEPTH or self._searches < 0:
                content = OPAQUE
            elif content.boundary:
                return self._multipart(region, found, depth, content)
            else:
                return self._message(region, found, depth, content)
        elif content.media.startswith(b"multipart/"):
            content = PLAIN
        return self._leaf(region, found, content)

    def _leaf(self, region: Region, found: Fields, content: ContentType) -> _Shape:
        encoding = transfer_encoding(found.get(b"content-transfer-encoding"))
        head = b"%b %d" % (_head(content, found, encoding), region.end - region.body)
        kind, lines = LEAF, 0
        if content.media.startswith(b"text/"):
            kind, lines = TEXT, self._octets.count(b"\n", region.body, region.end)
            head = b"%b %d" % (head, lines)
        self.records.append(pack(kind, region, 0, lines, encoding, content.charset))
        return _Shape(head + b")", b"%b %b %b)" % (head, nstring(found.get(b"content-md5")), _tail(found)))

    def _message(self, region: Region, found: Fields, depth: int, content: ContentType) -> _Shape:
        octets, start, end = self._octets, region.body, region.end
        body = body_offset(octets, start, end)
        inside = _read_fields(octets, start, body, _MESSAGE_FIELDS)
        self._addresses -= sum([len(value) for name, value in inside.items() if name in _ADDRESS_FIELDS])
        if self._addresses < 0:
            return self._leaf(region, found, OPAQUE)
        encoding = transfer_encoding(found.get(b"content-transfer-encoding"))
        lines = octets.count(b"\n", start, end)
        self.records.append(pack(MESSAGE_PART, region, 1, lines, encoding, ""))
        shape = self.entity(Region(start, body, end), inside, depth + 1, PLAIN)
        head = b"%b %d %b" % (_head(content, found, encoding), end - start, envelope(inside))
        plain = b"%b %b %d)" % (head, shape.plain, lines)
        digest = nstring(found.get(b"content-md5"))
        return _Shape(plain, b"%b %b %d %b %b)" % (head, shape.extended, lines, digest, _tail(found)))

    def _multipart(self, region: Region, found: Fields, depth: int, content: ContentType) -> _Shape:
        place = len(self.records)
        self.records.append(b"")
        default = MESSAGE if content.media == b"multipart/digest" else PLAIN
        shapes = []
        for start, end, limit in self._pieces(region, content.boundary):
            if len(self.records) >= MAX_PARTS:
                shapes.append(self._leaf(Region(start, start, region.end), {}, OPAQUE))
                break
            shapes.append(self._piece(start, end, limit, depth + 1, default))
        if not shapes:
            self.records.pop()
            return self._leaf(region, found, PLAIN)
        encoding = transfer_encoding(found.get(b"content-transfer-encoding"))
        self.records[place] = pack(MULTIPART, region, len(shapes), 0, encoding, "")
        plain = b'(%b "%b")' % (b"".join([shape.plain for shape in shapes]), content.subtype)
        extended = b"".join([shape.extended for shape in shapes])
        tail = _tail(found)
        return _Shape(plain, b'(%b "%b" %b %b)' % (extended, content.subtype, content.wire, tail))

    def _piece(self, start: int, end: int, limit: int, depth: int, default: ContentType) -> _Shape:
        body = body_offset(self._octets, start, limit)
        found = _read_fields(self._octets, start, body, _MIME_FIELDS)
        return self.entity(Region(start, body, max(body, end)), found, depth, default)

    def _pieces(self, region: Region, boundary: bytes) -> Iterator[tuple[int, int, int]]:
        """
        The parts between the delimiters of one multipart (RFC 2046 §5.1.1).

        A part that is itself a multipart with the same boundary keeps its delimiters, up to its closing one.

        @return: of each: where it begins, and where it ends without and with the delimiter's line end.
        """
        start = last = -1
        inner = 0
        for hit, after, closing in self._delimiters(region, boundary):
            if last >= 0 and self._declares(last, hit + 1, boundary):
                inner += 1
            last = -1 if closing else after
            if inner:
                inner -= closing
                continue
            if start >= 0:
                stop = hit - 1 if self._octets[hit - 1 : hit] == b"\r" else hit
                yield start, max(start, stop), hit + 1
            start = last
            if closing:
                return
        if start >= 0:
            yield start, region.end, region.end

    def _delimiters(self, region: Region, boundary: bytes) -> Iterator[tuple[int, int, bool]]:
        """Of each delimiter line: the line end before it, the next line's start, whether it closes."""
        octets, end = self._octets, region.end
        delimiter = b"\n--" + boundary
        at = max(region.body - 1, 0)
        while self._delimiters_left and (hit := octets.find(delimiter, at, end)) >= 0:
            self._delimiters_left -= 1
            after = hit + len(delimiter)
            at = octets.find(b"\n", after, end)
            at = end if at < 0 else at
            rest = octets[after:at].rstrip(b" \t\r")
            if not rest or rest == b"--":
                yield hit, min(at + 1, end), bool(rest)

    def _declares(self, start: int, limit: int, boundary: bytes) -> bool:
        """Whether a part's header makes it a multipart of this boundary."""
        body = body_offset(self._octets, start, limit)
        if self._octets.find(boundary, start, body) < 0:
            return False
        value = _read_fields(self._octets, start, body, _MIME_FIELDS).get(b"content-type")
        return content_type(value).boundary == boundary


def _head(content: ContentType, found: Fields, encoding: bytes) -> bytes:
    """The start of C{body-type-1part} up to the encoding (RFC 3501 §9)."""
    return b'("%b" "%b" %b %b %b %b' % (
        content.type,
        content.subtype,
        content.wire,
        nstring(found.get(b"content-id")),
        nstring(found.get(b"content-description")),
        string(encoding),
    )


def _tail(found: Fields) -> bytes:
    """Disposition, language and location: the end of every part's extension data (RFC 3501 §9)."""
    if _TAIL_FIELDS.isdisjoint(found):
        return b"NIL NIL NIL"
    return b"%b %b %b" % (
        disposition(found.get(b"content-disposition")),
        _language(found.get(b"content-language")),
        nstring(found.get(b"content-location")),
    )


def _language(value: bytes | None) -> bytes:
    """C{body-fld-lang} (RFC 3501 §9, RFC 3282)."""
    tags = value.replace(b",", b" ").split() if value else []
    return b"(" + b" ".join(map(string, tags)) + b")" if tags else b"NIL"
