"""What FETCH asks for."""

from __future__ import annotations

import pytest

from tests.unit.imap.grammar.wire import read
from trekd.errors import LimitExceeded, SyntaxFault
from trekd.imap.grammar.commands import Fetch
from trekd.imap.grammar.fetch import (
    BinarySection,
    BinarySize,
    BodySection,
    FetchAttribute,
    FetchItem,
    Partial,
    Preview,
    SectionKind,
)
from trekd.imap.grammar.sequence import SequenceSet

FAST = (FetchItem.FLAGS, FetchItem.INTERNALDATE, FetchItem.RFC822_SIZE)


def attributes(octets: bytes) -> tuple[FetchAttribute, ...]:
    """The attributes of a FETCH."""
    command = read(b"a FETCH 1 " + octets)
    assert isinstance(command, Fetch)
    return command.attributes


def section(octets: bytes) -> BodySection:
    """The one section of a FETCH."""
    (found,) = attributes(octets)
    assert isinstance(found, BodySection)
    return found


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"FAST", FAST),
        (b"all", (*FAST, FetchItem.ENVELOPE)),
        (b"FULL", (*FAST, FetchItem.ENVELOPE, FetchItem.BODY)),
        (b"(FLAGS UID flags)", (FetchItem.FLAGS, FetchItem.UID)),
        (b"BODYSTRUCTURE", (FetchItem.BODYSTRUCTURE,)),
        (b"(body rfc822.size)", (FetchItem.BODY, FetchItem.RFC822_SIZE)),
    ],
)
def test_items_and_macros(octets: bytes, expected: tuple[FetchAttribute, ...]) -> None:
    """RFC 3501 §6.4.5."""
    assert attributes(octets) == expected


def test_uid_fetch_always_asks_for_the_uid() -> None:
    """RFC 3501 §6.4.8."""
    one = SequenceSet.parse(b"1")
    assert read(b"a UID FETCH 1 FLAGS") == Fetch(b"a", one, (FetchItem.UID, FetchItem.FLAGS), uid=True)
    assert read(b"a UID FETCH 1 (FLAGS UID)") == Fetch(b"a", one, (FetchItem.FLAGS, FetchItem.UID), uid=True)


@pytest.mark.parametrize(
    ("octets", "path", "kind", "label"),
    [
        (b"BODY[]", (), SectionKind.ALL, b"BODY[]"),
        (b"body[header]", (), SectionKind.HEADER, b"BODY[HEADER]"),
        (b"BODY[TEXT]", (), SectionKind.TEXT, b"BODY[TEXT]"),
        (b"BODY[4.2.2.1]", (4, 2, 2, 1), SectionKind.ALL, b"BODY[4.2.2.1]"),
        (b"BODY[1.mime]", (1,), SectionKind.MIME, b"BODY[1.MIME]"),
        (b"BODY[3.HEADER]", (3,), SectionKind.HEADER, b"BODY[3.HEADER]"),
        (b"BODY[4.2.TEXT]", (4, 2), SectionKind.TEXT, b"BODY[4.2.TEXT]"),
        (b"RFC822", (), SectionKind.ALL, b"RFC822"),
        (b"RFC822.TEXT", (), SectionKind.TEXT, b"RFC822.TEXT"),
    ],
)
def test_section(octets: bytes, path: tuple[int, ...], kind: SectionKind, label: bytes) -> None:
    """RFC 3501 §6.4.5."""
    assert section(octets) == BodySection(path, kind, (), False, None, label)
    if octets.upper().startswith(b"BODY"):
        peeked = octets.replace(b"[", b".PEEK[", 1)
        assert section(peeked) == BodySection(path, kind, (), True, None, label)


def test_peeking_rfc822_forms() -> None:
    """RFC822.PEEK is RFC 1730's, seen from Outlook."""
    assert section(b"RFC822.HEADER") == BodySection((), SectionKind.HEADER, (), True, None, b"RFC822.HEADER")
    assert section(b"RFC822.PEEK") == BodySection((), SectionKind.ALL, (), True, None, b"RFC822")


def test_header_fields_are_echoed_as_asked() -> None:
    """RFC 3501 §7.4.2; names may be quoted or literals."""
    found = section(b'BODY.PEEK[1.HEADER.FIELDS.NOT (From "Subject" {2}\r\nTo "x]y" NIL)]')
    assert found == BodySection(
        (1,),
        SectionKind.HEADER_FIELDS_NOT,
        ("From", "Subject", "To", "x]y", "NIL"),
        True,
        None,
        b'BODY[1.HEADER.FIELDS.NOT (From Subject To "x]y" "NIL")]',
    )


@pytest.mark.parametrize(
    ("octets", "partial", "label"),
    [
        (b"BODY.PEEK[1]<0.393216>", Partial(0, 393_216), b"BODY[1]<0>"),
        (b"BODY[]<5000.1>", Partial(5000, 1), b"BODY[]<5000>"),
        (b"BODY[HEADER.FIELDS (FROM TO)]<0.5>", Partial(0, 5), b"BODY[HEADER.FIELDS (FROM TO)]<0>"),
        (b"BODY[]<9223372036854775807.9223372036854775807>", Partial(2**63 - 1, 2**63 - 1),
         b"BODY[]<9223372036854775807>"),
    ],
)  # fmt: skip
def test_partial_is_labelled_with_its_origin_only(octets: bytes, partial: Partial, label: bytes) -> None:
    """RFC 3501 §7.4.2; iOS needs C{<0>}."""
    found = section(octets)
    assert (found.partial, found.label) == (partial, label)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"()",
        b"X",
        b"(FAST FLAGS)",
        b"(FLAGS",
        b"FLAGS UID",
        b"(FLAGS,UID)",
        b"BODY.PEEK",
        b"BODY[",
        b"BODY[X]",
        b"BODY[MIME]",
        b"BODY[1.]",
        b"BODY[.TEXT]",
        b"BODY[1TEXT]",
        b"BODY[0]",
        b"BODY[1.0]",
        b"BODY[01]",
        b"BODY[99999999999]",
        b"BODY[HEADER.FIELDS]",
        b"BODY[HEADER.FIELDS ()]",
        b"BODY[HEADER.FIELDS (a:b)]",
        b'BODY[HEADER.FIELDS ("")]',
        b'BODY[HEADER.FIELDS ("a b")]',
        b"BODY[HEADER.FIELDS ({3}\r\na\r\n)]",
        b"BODY[TEXT (From)]",
        b"BODY[] <0.1>",
        b"BODY[]<0>",
        b"BODY[]<0.0>",
        b"BODY[]<-1.5>",
        b"BODY[]<0.9223372036854775808>",
        b"BODY[]<0.99999999999999999999>",
        b"FLAGS[]",
        b"RFC822[]",
        b"MODSEQ()",
    ],
)
def test_malformed(octets: bytes) -> None:
    with pytest.raises(SyntaxFault):
        attributes(octets)


def test_number_of_attributes_is_bounded() -> None:
    with pytest.raises(LimitExceeded):
        attributes(b"(" + b" ".join(b"BODY[%d]" % part for part in range(1, 1002)) + b")")


def test_deep_paths_take_no_time() -> None:
    assert len(section(b"BODY[" + b".".join([b"1"] * 30_000) + b"]").path) == 30_000


def test_binary() -> None:
    """RFC 3516 §7."""
    assert attributes(b"(BINARY[] binary.peek[1.2]<5.10> BINARY.SIZE[3])") == (
        BinarySection((), False, None, b"BINARY[]"),
        BinarySection((1, 2), True, Partial(5, 10), b"BINARY[1.2]<5>"),
        BinarySize((3,), b"BINARY.SIZE[3]"),
    )


@pytest.mark.parametrize(
    "octets",
    [b"BINARY", b"BINARY[TEXT]", b"BINARY[1.MIME]", b"BINARY[0]", b"BINARY.SIZE[1]<0.5>", b"BINARY.PEEK[1]<0.0>"],
)
def test_what_binary_does_not_take(octets: bytes) -> None:
    """RFC 3516 §7: parts only, and no range of a size."""
    with pytest.raises(SyntaxFault):
        attributes(octets)


def test_preview() -> None:
    """RFC 8970 §6; a modifier of FETCH may follow (RFC 4466 §2.4)."""
    assert attributes(b"PREVIEW") == (Preview(lazy=False),)
    assert attributes(b"preview (lazy)") == (Preview(lazy=True),)
    assert attributes(b"(UID PREVIEW (LAZY) FLAGS)") == (FetchItem.UID, Preview(lazy=True), FetchItem.FLAGS)
    assert attributes(b"PREVIEW (CHANGEDSINCE 5)") == (FetchItem.MODSEQ, Preview(lazy=False))
    assert attributes(b"PREVIEW (LAZY) (CHANGEDSINCE 5)") == (FetchItem.MODSEQ, Preview(lazy=True))
    for octets in (b"PREVIEW ()", b"PREVIEW (EAGER)", b"PREVIEW(LAZY)", b"(PREVIEW (EAGER))"):
        with pytest.raises(SyntaxFault):
            attributes(octets)
