"""What SEARCH asks for."""

from __future__ import annotations

import datetime
import time

import pytest

from tests.unit.imap.grammar.wire import read
from trekd.errors import BadCharset, LimitExceeded, SyntaxFault
from trekd.imap.grammar.commands import Search
from trekd.imap.grammar.criteria import MAX_STRINGS
from trekd.imap.grammar.search import (
    All,
    And,
    Arrived,
    BodyContains,
    Criterion,
    HasFlag,
    HeaderContains,
    InSeqs,
    InUids,
    Larger,
    Not,
    Or,
    Recent,
    Relation,
    Sent,
    Smaller,
    TextContains,
)
from trekd.imap.grammar.sequence import SAVED, SequenceSet
from trekd.imap.grammar.tokens import ParseOptions
from trekd.values import DELETED, FLAGGED, SEEN, Flag

FROM, TO, SUBJECT = (HeaderContains(field, "x") for field in ("from", "to", "subject"))


def criterion(octets: bytes, options: ParseOptions | None = None) -> Criterion:
    """The criterion of a SEARCH."""
    command = read(b"a SEARCH " + octets, options)
    assert isinstance(command, Search)
    return command.criterion


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"ALL", All()),
        (b"seen", HasFlag(SEEN)),
        (b"UNDELETED", Not(HasFlag(DELETED))),
        (b"RECENT", Recent()),
        (b"OLD", Not(Recent())),
        (b"NEW", And((Recent(), Not(HasFlag(SEEN))))),
        (b"KEYWORD $Forwarded", HasFlag(Flag("$Forwarded"))),
        (b"UNKEYWORD x", Not(HasFlag(Flag("x")))),
        (b"BEFORE 1-Feb-1994", Arrived(Relation.BEFORE, datetime.date(1994, 2, 1))),
        (b'ON "01-feb-1994"', Arrived(Relation.ON, datetime.date(1994, 2, 1))),
        (b"SINCE 28-Feb-1994", Arrived(Relation.SINCE, datetime.date(1994, 2, 28))),
        (b"SENTBEFORE 1-Feb-1994", Sent(Relation.BEFORE, datetime.date(1994, 2, 1))),
        (b"SENTON 1-Feb-1994", Sent(Relation.ON, datetime.date(1994, 2, 1))),
        (b"SENTSINCE 1-Feb-1994", Sent(Relation.SINCE, datetime.date(1994, 2, 1))),
        (b"LARGER 4294967296", Larger(4_294_967_296)),
        (b"SMALLER 0", Smaller(0)),
        (b"FROM x", FROM),
        (b'TO "x"', TO),
        (b"SUBJECT {1}\r\nx", SUBJECT),
        (b"CC {0+}\r\n", HeaderContains("cc", "")),
        (b"BCC ]", HeaderContains("bcc", "]")),
        (b'HEADER Message-ID "<a@b>"', HeaderContains("message-id", "<a@b>")),
        (b'HEADER X-Spam ""', HeaderContains("x-spam", "")),
        (b"BODY x", BodyContains("x")),
        (b"TEXT x", TextContains("x")),
        (b"2,282:*", InSeqs(SequenceSet.parse(b"2,282:*"))),
        (b"*", InSeqs(SequenceSet.parse(b"*"))),
        (b"UID 443:557", InUids(SequenceSet.parse(b"443:557"))),
    ],
)
def test_key(octets: bytes, expected: Criterion) -> None:
    """RFC 3501 §6.4.4."""
    assert criterion(octets) == expected


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (
            b'FLAGGED SINCE 1-Feb-1994 NOT FROM "x"',
            And((HasFlag(FLAGGED), Arrived(Relation.SINCE, datetime.date(1994, 2, 1)), Not(FROM))),
        ),
        (b"OR FROM x TO x", Or((FROM, TO))),
        (b"OR (FROM x TO x) SUBJECT x", Or((And((FROM, TO)), SUBJECT))),
        (b"OR FROM x OR TO x SUBJECT x", Or((FROM, TO, SUBJECT))),
        (b"OR OR FROM x TO x SUBJECT x", Or((FROM, TO, SUBJECT))),
        (b"OR (OR FROM x TO x) SUBJECT x ALL", And((Or((FROM, TO, SUBJECT)), All()))),
        (b"OR NOT FROM x TO x SEEN", And((Or((Not(FROM), TO)), HasFlag(SEEN)))),
        (b"NOT OR FROM x TO x", Not(Or((FROM, TO)))),
        (b"NOT NOT FROM x", FROM),
        (b"NOT NOT NOT FROM x", Not(FROM)),
        (b"NOT UNSEEN", HasFlag(SEEN)),
        (b"NOT (FROM x TO x)", Not(And((FROM, TO)))),
        (b"((FROM x)) (TO x (SUBJECT x))", And((FROM, TO, SUBJECT))),
        (b"OR 1 2", Or((InSeqs(SequenceSet.parse(b"1")), InSeqs(SequenceSet.parse(b"2"))))),
    ],
)
def test_keys_within_keys(octets: bytes, expected: Criterion) -> None:
    assert criterion(octets) == expected


@pytest.mark.parametrize(
    ("charset", "needle"),
    [
        (b"UTF-8", "тест".encode()),
        (b'"utf-8"', "тест".encode()),
        (b"KOI8-R", "тест".encode("koi8-r")),
        (b"windows-1251", "тест".encode("cp1251")),
        (b"ISO-8859-5", "тест".encode("iso8859-5")),
        (b"koi8-u", "тест".encode("koi8-u")),
        (b"UTF-7", "тест".encode("utf-7")),
    ],
)
def test_charset(charset: bytes, needle: bytes) -> None:
    octets = b"CHARSET %b TEXT {%d}\r\n%b" % (charset, len(needle), needle)
    assert criterion(octets) == TextContains("тест")


def test_text_without_charset_is_utf8() -> None:
    assert criterion('SUBJECT "тест"'.encode()) == HeaderContains("subject", "тест")


@pytest.mark.parametrize(
    "name",
    [b"X-UNKNOWN", b'""', b"rot13", b"base64", b"zlib", b"hex", b"idna", b"unicode_escape", b"os.path",
     b"__init__", b"undefined", b"tactis", b'"../x"', b"{2+}\r\n\xff\xfe", b"x" * 10_000],
)  # fmt: skip
def test_unknown_charset(name: bytes) -> None:
    """RFC 3501 §6.4.4: answered NO, not BAD."""
    with pytest.raises(BadCharset):
        criterion(b"CHARSET " + name + b" ALL")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"FOO",
        b"()",
        b"(ALL",
        b"ALL)",
        b"(ALL))",
        b"ALL  SEEN",
        b"ALL,SEEN",
        b"NOT",
        b"NOT ",
        b"OR ALL",
        b"OR",
        b"(OR ALL) ALL",
        b"(NOT) ALL",
        b"FROM",
        b"FROM ",
        b"FROM (x)",
        b"HEADER x",
        b"BEFORE 32-Jan-1994",
        b"BEFORE 1-Jan-94",
        b'BEFORE "1-Jan-1994',
        b"LARGER x",
        b"LARGER -1",
        b"LARGER 9223372036854775808",
        b"LARGER 99999999999999999999",
        b"UID x",
        b"UID",
        b"0",
        b"1:",
        b"KEYWORD \\Seen",
        b"KEYWORD (x)",
        b"CHARSET UTF-8",
        b"CHARSET UTF-8 ",
        b"CHARSET",
        b"CHARSET UTF-8 SUBJECT {1}\r\n\xff",
        b"CHARSET US-ASCII SUBJECT {1}\r\n\xff",
        b'SUBJECT "\xff"',
        b"SUBJECT {3}\r\na\x00b",
        b"SUBJECT {-100}",
        b"RETURN",
        b"MODSEQ",
        b"MODSEQ x",
        b"MODSEQ 9223372036854775808",
        b'MODSEQ "/flags/x" 1',
        b'MODSEQ "/flags/x" mine 1',
    ],
)
def test_malformed(octets: bytes) -> None:
    with pytest.raises(SyntaxFault):
        criterion(octets)


def test_return_options() -> None:
    """RFC 4731 §3.1."""
    assert read(b"a SEARCH ALL") == Search(b"a", All())
    assert read(b"a UID SEARCH RETURN () ALL") == Search(b"a", All(), True, frozenset({"ALL"}))
    expected = Search(b"a", TextContains("x"), False, frozenset({"MIN", "COUNT"}))
    assert read(b"a SEARCH return (min COUNT) CHARSET utf-8 TEXT x") == expected
    expected = Search(b"a", And((InSeqs(SAVED), InUids(SAVED))), False, frozenset({"SAVE"}))
    assert read(b"a SEARCH RETURN (SAVE) $ UID $") == expected
    for octets in (b"a SEARCH RETURN (SAVED) ALL", b"a SEARCH RETURN (MIN ALL", b"a SEARCH RETURN ()"):
        with pytest.raises(SyntaxFault):
            read(octets)


def depth(tree: Criterion) -> int:
    """How deep a walk over the tree goes."""
    if isinstance(tree, And | Or):
        return 1 + max(map(depth, tree.criteria))
    return 1 + depth(tree.criterion) if isinstance(tree, Not) else 1


@pytest.mark.parametrize(
    "octets",
    [
        b"(" * 10_000 + b"ALL" + b")" * 10_000,
        b"(" * 10_000,
        b"NOT (" * 5_000 + b"ALL" + b")" * 5_000,
        b"OR ALL NOT " * 5_000 + b"ALL",
        b"NOT OR ALL " * 5_000 + b"ALL",
    ],
)
def test_deep_nesting_is_refused(octets: bytes) -> None:
    with pytest.raises(LimitExceeded):
        criterion(octets)


def test_nesting_up_to_the_limit() -> None:
    octets = b"NOT (" * 49 + b"ALL SEEN" + b")" * 49
    assert depth(criterion(octets)) <= 100
    with pytest.raises(LimitExceeded):
        criterion(octets, ParseOptions(max_nesting=98))


@pytest.mark.parametrize(
    "octets",
    [
        b"OR ALL " * 8_000 + b"ALL",
        b"OR " * 8_000 + b"ALL " * 8_000 + b"ALL",
        b"NOT " * 15_001 + b"SEEN",
        b"SEEN " * 12_000 + b"SEEN",
        b"(SEEN) " * 9_000 + b"SEEN",
    ],
)
def test_long_chains_stay_flat(octets: bytes) -> None:
    start = time.process_time()
    assert depth(criterion(octets)) <= 3
    assert time.process_time() - start < 2


def test_the_number_of_strings_is_bounded() -> None:
    """Each may mean that every message is read."""
    criterion(b" ".join([b"TEXT a"] * MAX_STRINGS))
    with pytest.raises(LimitExceeded):
        criterion(b" ".join([b"OR TEXT a"] * MAX_STRINGS) + b" SUBJECT a")
