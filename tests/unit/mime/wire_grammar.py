"""
A strict reader of C{envelope} and C{body} (RFC 3501 §9), which fails on whatever the grammar does not allow.
"""

from __future__ import annotations

import re

_NUMBER = re.compile(rb"0|[1-9][0-9]{0,9}")
_QUOTED = re.compile(rb'"((?:[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f]|\\["\\])*)"')
_LITERAL = re.compile(rb"\{(0|[1-9][0-9]*)\}\r\n")

Value = bytes | int | None | list["Value"]


def read(octets: bytes) -> Value:
    """Strings, numbers, NIL and lists of these; exactly one space between two, none between two lists."""
    value, offset = _read(octets, 0)
    assert offset == len(octets), octets[offset : offset + 80]
    return value


def _read(octets: bytes, offset: int) -> tuple[Value, int]:
    if octets.startswith(b"(", offset):
        return _read_list(octets, offset + 1)
    if octets.startswith(b"NIL", offset):
        return None, offset + 3
    match = _QUOTED.match(octets, offset)
    if match:
        return re.sub(rb"\\(.)", rb"\1", match[1]), match.end()
    match = _LITERAL.match(octets, offset)
    if match:
        end = match.end() + int(match[1])
        text = octets[match.end() : end]
        assert len(text) == int(match[1]) and b"\0" not in text
        return text, end
    match = _NUMBER.match(octets, offset)
    assert match, (offset, octets[offset : offset + 80])
    return int(match[0]), match.end()


def _read_list(octets: bytes, offset: int) -> tuple[Value, int]:
    values: list[Value] = []
    while not octets.startswith(b")", offset):
        value, offset = _read(octets, offset)
        values.append(value)
        if octets.startswith(b" ", offset):
            offset += 1
            assert not octets.startswith(b")", offset)
        else:
            adjacent = isinstance(value, list) and octets.startswith(b"(", offset)
            assert adjacent or octets.startswith(b")", offset), octets[offset : offset + 80]
    assert values, "an empty list is NIL"
    return values, offset + 1


def _is_nstring(value: Value) -> bool:
    return value is None or isinstance(value, bytes)


def check_envelope(value: Value) -> None:
    """C{envelope}, its groups properly begun and ended."""
    assert isinstance(value, list) and len(value) == 10
    for index in (0, 1, 8, 9):
        assert _is_nstring(value[index])
    for addresses in value[2:8]:
        if addresses is None:
            continue
        assert isinstance(addresses, list)
        in_group = False
        for address in addresses:
            assert isinstance(address, list) and len(address) == 4 and all(map(_is_nstring, address))
            if address[3] is None:
                assert (address[2] is None) == in_group
                in_group = not in_group
            else:
                assert address[2] is not None
        assert not in_group


def check_parameters(value: Value) -> None:
    """C{body-fld-param}."""
    if value is not None:
        assert isinstance(value, list) and len(value) % 2 == 0
        assert all(isinstance(item, bytes) for item in value)


def _check_extension(value: list[Value]) -> None:
    disposition, language, location = value
    if disposition is not None:
        assert isinstance(disposition, list) and len(disposition) == 2
        assert isinstance(disposition[0], bytes)
        check_parameters(disposition[1])
    tags = [b""] if language is None else language
    assert isinstance(tags, list) and all(isinstance(tag, bytes) for tag in tags)
    assert _is_nstring(location)


def check_body(value: Value, extended: bool) -> None:
    """C{body}, with all or with none of its extension data."""
    assert isinstance(value, list)
    if isinstance(value[0], list):
        count = next(index for index, item in enumerate(value) if not isinstance(item, list))
        for part in value[:count]:
            check_body(part, extended)
        rest = value[count:]
        assert isinstance(rest[0], bytes) and rest[0]
        assert len(rest) == (5 if extended else 1)
        if extended:
            check_parameters(rest[1])
            _check_extension(rest[2:])
        return
    media, subtype, params, content_id, description, encoding, size, *rest = value
    assert isinstance(media, bytes) and media and isinstance(subtype, bytes) and subtype
    check_parameters(params)
    assert _is_nstring(content_id) and _is_nstring(description)
    assert isinstance(encoding, bytes) and encoding and isinstance(size, int)
    if media.lower() == b"text":
        assert isinstance(rest.pop(0), int)
    elif (media.lower(), subtype.lower()) == (b"message", b"rfc822"):
        check_envelope(rest.pop(0))
        check_body(rest.pop(0), extended)
        assert isinstance(rest.pop(0), int)
    assert len(rest) == (4 if extended else 0)
    if extended:
        assert _is_nstring(rest[0])
        _check_extension(rest[1:])


def outline(value: Value) -> object:
    """A structure's media types: C{"type/subtype"}, or a pair of it and the list of parts inside."""
    assert isinstance(value, list)
    if isinstance(value[0], list):
        count = next(index for index, item in enumerate(value) if not isinstance(item, list))
        subtype = value[count]
        assert isinstance(subtype, bytes)
        return "multipart/" + subtype.decode().lower(), [outline(part) for part in value[:count]]
    assert isinstance(value[0], bytes) and isinstance(value[1], bytes)
    name = f"{value[0].decode().lower()}/{value[1].decode().lower()}"
    return (name, [outline(value[8])]) if name == "message/rfc822" else name
