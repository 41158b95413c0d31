"""Commands, from a client's octets to values."""

from __future__ import annotations

import time

import pytest

from tests.unit.imap.grammar.wire import read
from trekd.errors import BadMailboxName, LimitExceeded, SyntaxFault, UnknownCommand
from trekd.imap.grammar import commands
from trekd.imap.grammar.commands import Command, StoreOperation
from trekd.imap.grammar.parsing import sasl_response
from trekd.imap.grammar.sequence import SequenceSet
from trekd.imap.grammar.tokens import ParseOptions
from trekd.values import DELETED, INBOX, SEEN, Flag, MailboxName

OPTIONS = ParseOptions()


def box(text: str) -> MailboxName:
    """A mailbox's name."""
    return MailboxName(text)


def numbers(octets: bytes) -> SequenceSet:
    """A set of numbers."""
    return SequenceSet.parse(octets)


@pytest.mark.parametrize(
    ("octets", "command"),
    [
        (b"abcd CAPABILITY", commands.Capability(b"abcd")),
        (b"a002 noop", commands.Noop(b"a002")),
        (b"a NOOP  ", commands.Noop(b"a")),
        (b"A023 LOGOUT", commands.Logout(b"A023")),
        (b"a StartTLS", commands.StartTLS(b"a")),
        (b"a IDLE", commands.Idle(b"a")),
        (b"a NAMESPACE", commands.Namespace(b"a")),
        (b"a CHECK", commands.Check(b"a")),
        (b"a CLOSE", commands.Close(b"a")),
        (b"a UNSELECT", commands.Unselect(b"a")),
        (b"a EXPUNGE", commands.Expunge(b"a")),
        (b"A101 UID EXPUNGE 3000:3002", commands.UidExpunge(b"A101", numbers(b"3000:3002"))),
        (b"t1 ENABLE CONDSTORE x-good", commands.Enable(b"t1", ("CONDSTORE", "X-GOOD"))),
        (b"A142 SELECT INBOX", commands.Select(b"A142", INBOX)),
        (b'a SELECT "inbox"', commands.Select(b"a", INBOX)),
        (b"a SELECT {5}\r\nInBoX", commands.Select(b"a", INBOX)),
        (b"a SELECT INBOX (CONDSTORE)", commands.Select(b"a", INBOX, True)),
        (
            b"A02 SELECT INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541))",
            commands.Select(
                b"A02", INBOX, True, commands.Resync(67890007, 20050715194045000, numbers(b"41,43:211,214:541"))
            ),
        ),
        (
            b"a EXAMINE INBOX (QRESYNC (1 2 3:9 (1,4 3,9)) CONDSTORE)",
            commands.Examine(
                b"a", INBOX, True, commands.Resync(1, 2, numbers(b"3:9"), (numbers(b"1,4"), numbers(b"3,9")))
            ),
        ),
        (
            b"a SELECT INBOX (QRESYNC (1 2 (1 3)))",
            commands.Select(b"a", INBOX, True, commands.Resync(1, 2, None, (numbers(b"1"), numbers(b"3")))),
        ),
        (b"A932 EXAMINE blurdybloop", commands.Examine(b"A932", box("blurdybloop"))),
        (b"A003 CREATE owatagusiam/", commands.Create(b"A003", box("owatagusiam"))),
        (b'a CREATE "R&-D &APw-"', commands.Create(b"a", box("R&D ü"))),
        (b"a CREATE Sent (USE (\\sent \\X))", commands.Create(b"a", box("Sent"), ("\\Sent", "\\X"))),
        (b"A683 DELETE blurdybloop", commands.Delete(b"A683", box("blurdybloop"))),
        (b"a RENAME INBOX {8+}\r\nold-mail", commands.Rename(b"a", INBOX, box("old-mail"))),
        (b"A002 SUBSCRIBE #news.comp.mail.mime", commands.Subscribe(b"A002", box("#news.comp.mail.mime"))),
        (b"A002 UNSUBSCRIBE a]b", commands.Unsubscribe(b"A002", box("a]b"))),
        (b'A002 LSUB "#news." "comp.mail.*"', commands.Lsub(b"A002", "#news.", "comp.mail.*")),
        (b'a XLIST "" %', commands.XList(b"a", "", "%")),
        (b"A1 COPY 2:4 MEETING", commands.Copy(b"A1", numbers(b"2:4"), box("MEETING"))),
        (b"a UID COPY * x", commands.Copy(b"a", numbers(b"*"), box("x"), uid=True)),
        (b"a UID MOVE 42:69 foo", commands.Move(b"a", numbers(b"42:69"), box("foo"), uid=True)),
        (b"a MOVE 1 foo", commands.Move(b"a", numbers(b"1"), box("foo"))),
    ],
)
def test_command(octets: bytes, command: Command) -> None:
    """Examples of RFC 3501 §6, RFC 4315, 5161, 6154 and 6851 among them."""
    assert read(octets) == command


@pytest.mark.parametrize(
    ("octets", "username", "password"),
    [
        (b"a LOGIN SMITH SESAME", "SMITH", b"SESAME"),
        (b'a LOGIN "a@b.c" ""', "a@b.c", b""),
        (b'a LOGIN a "x \\"y\\\\z\\\\"', "a", b'x "y\\z\\'),
        (b"a LOGIN {11}\r\nFRED FOOBAR {7}\r\nfat man", "FRED FOOBAR", b"fat man"),
        (b"a LOGIN {0}\r\n {0}\r\n", "", b""),
        (b"a LOGIN {0+}\r\n {4+}\r\n\r\n\r\n", "", b"\r\n\r\n"),
        ("a LOGIN jürgen@x pä".encode().replace(b"j", b'"j').replace(b"x", b'x"').replace(b"p", b'"p') + b'"',
         "jürgen@x", "pä".encode()),
        (b'a LOGIN x "caf\xe9"', "x", b"caf\xe9"),
        (b"a LOGIN x ]+~!", "x", b"]+~!"),
    ],
)  # fmt: skip
def test_login(octets: bytes, username: str, password: bytes) -> None:
    """Passwords come out as the user typed them (RFC 3501 §9, quoted)."""
    assert read(octets) == commands.Login(b"a", username, password)


def test_credentials_are_not_shown() -> None:
    assert "SESAME" not in repr(read(b"a LOGIN SMITH SESAME"))
    assert "secret" not in repr(read(b"a AUTHENTICATE PLAIN c2VjcmV0"))


@pytest.mark.parametrize(
    ("octets", "mechanism", "response"),
    [
        (b"a AUTHENTICATE GSSAPI", "GSSAPI", None),
        (b"a AUTHENTICATE scram-sha-256", "SCRAM-SHA-256", None),
        (b"a AUTHENTICATE EXTERNAL =", "EXTERNAL", b""),
        (b"a AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=", "PLAIN", b"test\0test\0test"),
    ],
)
def test_authenticate(octets: bytes, mechanism: str, response: bytes | None) -> None:
    """RFC 4959 §3."""
    assert read(octets) == commands.Authenticate(b"a", mechanism, response)


def test_sasl_responses() -> None:
    """RFC 3501 §6.2.2: C{*} cancels, an empty line is an empty response."""
    assert sasl_response(b"*") is None
    assert sasl_response(b"") == b""
    assert sasl_response(b"AGEAYg==") == b"\0a\0b"
    for line in (b"=", b"AGEAYg", b"AG EAYg==", b"****", b"A===", b"AGEAYg==\0", b"\xff\xff\xff\xff"):
        with pytest.raises(SyntaxFault):
            sasl_response(line)


@pytest.mark.parametrize(
    ("octets", "command"),
    [
        (b'a LIST "" ""', commands.List(b"a", "", ("",))),
        (b"a LIST /usr/staff/jones {1}\r\n*", commands.List(b"a", "/usr/staff/jones", ("*",))),
        (b'a LIST "" &APw-%', commands.List(b"a", "", ("ü%",))),
        (b'a LIST () "" %', commands.List(b"a", "", ("%",), True)),
        (
            b'A02 LIST (SUBSCRIBED) "" "*"',
            commands.List(b"A02", "", ("*",), True, frozenset({"SUBSCRIBED"})),
        ),
        (
            b'a LIST "" ("INBOX" "Drafts" Sent/%)',
            commands.List(b"a", "", ("INBOX", "Drafts", "Sent/%"), True),
        ),
        (
            b'a list (subscribed recursivematch) "" "*" return (special-use children)',
            commands.List(
                b"a",
                "",
                ("*",),
                True,
                frozenset({"SUBSCRIBED", "RECURSIVEMATCH"}),
                frozenset({"SPECIAL-USE", "CHILDREN"}),
            ),
        ),
        (
            b'a LIST "" % RETURN (SPECIAL-USE STATUS (UNSEEN MESSAGES unseen))',
            commands.List(
                b"a",
                "",
                ("%",),
                True,
                frozenset(),
                frozenset({"SPECIAL-USE", "STATUS"}),
                ("UNSEEN", "MESSAGES"),
            ),
        ),
        (b'a LIST "" % RETURN ()', commands.List(b"a", "", ("%",), True)),
    ],
)
def test_list(octets: bytes, command: Command) -> None:
    """RFC 3501 §6.3.8, RFC 5258 §5, RFC 5819 §2; iOS and Thunderbird send the last forms."""
    assert read(octets) == command


@pytest.mark.parametrize(
    "octets",
    [
        b'a LIST (RECURSIVEMATCH) "" %',
        b'a LIST (REMOTE RECURSIVEMATCH) "" %',
        b'a LIST (X) "" %',
        b'a LIST "" % RETURN (X)',
        b'a LIST "" % RETURN (STATUS)',
        b'a LIST "" % RETURN (STATUS ())',
        b'a LIST "" ()',
        b'a LIST "" % RETURN',
        b'a LIST "" % X (CHILDREN)',
        b'a LIST ""',
        b"a LIST",
        b'a LIST "" &APw',
        b'a LIST "" a"b',
        b'a LIST (SUBSCRIBED "" %',
    ],
)
def test_malformed_list(octets: bytes) -> None:
    """RFC 5258 §3: unknown options, and RECURSIVEMATCH alone, are BAD."""
    with pytest.raises(SyntaxFault):
        read(octets)


def test_status() -> None:
    command = read(b"A042 STATUS blurdybloop (UIDNEXT messages SIZE UIDNEXT)")
    assert command == commands.Status(b"A042", box("blurdybloop"), ("UIDNEXT", "MESSAGES", "SIZE"))
    for octets in (b"a STATUS x", b"a STATUS x ()", b"a STATUS x (FOO)", b"a STATUS x UIDNEXT"):
        with pytest.raises(SyntaxFault):
            read(octets)


@pytest.mark.parametrize(
    ("octets", "operation", "silent", "flags"),
    [
        (b"a STORE 2:4 +FLAGS (\\Deleted)", StoreOperation.ADD, False, (DELETED,)),
        (b"a STORE 2:4 -flags.silent \\deleted $x", StoreOperation.REMOVE, True, (DELETED, Flag("$x"))),
        (b"a STORE 2:4 FLAGS ()", StoreOperation.REPLACE, False, ()),
        (b"a STORE 2:4 FLAGS (\\Seen \\Recent \\Future \\SEEN)", StoreOperation.REPLACE, False, (SEEN,)),
    ],
)
def test_store(octets: bytes, operation: StoreOperation, silent: bool, flags: tuple[Flag, ...]) -> None:
    """RFC 3501 §6.4.6; flags that no client can set are passed over (§7.1, PERMANENTFLAGS)."""
    assert read(octets) == commands.Store(b"a", numbers(b"2:4"), operation, silent, flags)
    assert read(octets.replace(b"STORE", b"UID STORE")) == commands.Store(
        b"a", numbers(b"2:4"), operation, silent, flags, uid=True
    )


@pytest.mark.parametrize(
    "octets",
    [
        b"a STORE 1 FLAGS",
        b"a STORE 1 *FLAGS (\\Seen)",
        b"a STORE 1 FLAGS.LOUD (\\Seen)",
        b"a STORE 1 FLAGSX (\\Seen)",
        b"a STORE 1 +FLAGS \\",
        b"a STORE 1 +FLAGS (\\*)",
        b'a STORE 1 +FLAGS ("x")',
        b"a STORE 1 +FLAGS (x  y)",
        b"a STORE 1 +FLAGS (x",
        b"a STORE 1 +FLAGS " + b"x" * 256,
        b"a STORE 0 +FLAGS (x)",
        b"a STORE 1 +FLAGS (\xfc)",
    ],
)
def test_malformed_store(octets: bytes) -> None:
    with pytest.raises(SyntaxFault):
        read(octets)


def test_id() -> None:
    """RFC 2971 §3.1."""
    octets = b'a023 ID ("name" "sodr" "version" "19.34" "vendor" NIL)'
    assert read(octets) == commands.Id(b"a023", (("name", "sodr"), ("version", "19.34"), ("vendor", None)))
    assert read(b"a ID nil") == commands.Id(b"a", ())
    assert read(b"a ID ()") == commands.Id(b"a", ())
    for pairs in (b'"x" "y" ' * 31, b'"%b" "y" ' % (b"x" * 31), b'"x" "%b" ' % (b"y" * 1025)):
        with pytest.raises(LimitExceeded):
            read(b"a ID (" + pairs.rstrip() + b")")
    for octets in (b"a ID", b'a ID ("x")', b'a ID (x "y")', b'a ID ("x" y)'):
        with pytest.raises(SyntaxFault):
            read(octets)


# --- What is malformed ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b" ",
        b"a",
        b"a ",
        b" a NOOP",
        b"a  NOOP",
        b"* NOOP",
        b"a+ NOOP",
        b"\x00 NOOP",
        b"a NOOP x",
        b"a NOOP\x00",
        b"a\tNOOP",
        b"a NOOP\r",
        b"a SELECT",
        b"a SELECT x y",
        b"a SELECT x ()",
        b"a SELECT x (CONDSTORE QRESYNC)",
        b"a SELECT x (QRESYNC (1))",
        b"a SELECT x (QRESYNC (1 2 3:4 (1 2))",
        b"a SELECT x (QRESYNC (1 2 3:4 (1)))",
        b"a SELECT x (QRESYNC (1 2 3:4 (1 2) 5))",
        b"a SELECT x (UTF8)",
        b"a FETCH 1 FLAGS (CHANGEDSINCE)",
        b"a FETCH 1 FLAGS (VANISHED)",
        b"a FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)",
        b"a UID FETCH 1 FLAGS (VANISHED)",
        b"a UID FETCH 1 FLAGS ()",
        b"a STORE 1 (UNCHANGEDSINCE) FLAGS ()",
        b"a STORE 1 (UNCHANGEDSINCE 1)FLAGS ()",
        b"a STORE 1 () FLAGS ()",
        b'a SELECT "x',
        b'a SELECT "x\\y"',
        b'a SELECT "x\x00"',
        b"a SELECT {3}\r\nx\x00y",
        b"a SELECT (x)",
        b"a SELECT %",
        b"a SELECT \xfc",
        b'a SELECT "\xc3\xbc"',
        b"a SELECT a&b",
        b"a SELECT {-100}",
        b"a SELECT {999999999999999999999x}",
        b"a LOGIN x",
        b"a LOGIN x y z",
        b"a LOGIN {1+}\r\nxy z",
        b'a LOGIN "\xfc" x',
        b"a AUTHENTICATE",
        b"a AUTHENTICATE PLAIN ===",
        b"a AUTHENTICATE PLAIN a",
        b"a AUTHENTICATE PLAIN AAAA AAAA",
        b"a ENABLE",
        b"a ENABLE (X)",
        b"a CREATE x (Y)",
        b"a CREATE x (USE)",
        b"a CREATE x (USE (Sent))",
        b"a UID",
        b"a COPY 1",
        b"a COPY x y",
        b"a COPY 1, y",
        b"a UID EXPUNGE",
        b"{1+}\r\na NOOP",
    ],
)
def test_malformed(octets: bytes) -> None:
    with pytest.raises(SyntaxFault):
        read(octets)


@pytest.mark.parametrize("octets", [b"a XYZZY", b"a __class__", b"a UID NOOP", b"a UID EXPUNGED 1"])
def test_unknown_command(octets: bytes) -> None:
    with pytest.raises(UnknownCommand):
        read(octets)


@pytest.mark.parametrize("name", [b'""', b"a//b", b"/a", b"a/", b"../x", b'"a%b"', b"&AAA-", b"x" * 1001])
def test_names_that_cannot_be_are_no_syntax_faults(name: bytes) -> None:
    """The answer is NO, not BAD: the command was well-formed."""
    with pytest.raises(BadMailboxName):
        read(b"a SELECT " + name)


def test_utf8_names_once_enabled() -> None:
    """RFC 6855 §3; Thunderbird sends C{&} as it is."""
    command = read('a SELECT "R&D ü"'.encode(), ParseOptions(utf8=True))
    assert command == commands.Select(b"a", box("R&D ü"))


def test_faults_know_the_place_and_no_secret() -> None:
    with pytest.raises(SyntaxFault) as caught:
        read(b'a LOGIN {6+}\r\nsecret "pass\\word"')
    assert caught.value.offset == len(b"a LOGIN secret ")
    assert "secret" not in str(caught.value)
    assert "pass" not in str(caught.value)


def test_lists_are_bounded() -> None:
    options = ParseOptions(max_items=3)
    read(b"a STORE 1 FLAGS (a b c)", options)
    for octets in (b"a STORE 1 FLAGS (a b c d)", b"a STORE 1 FLAGS a b c d", b'a LIST "" (a b c d)'):
        with pytest.raises(LimitExceeded):
            read(octets, options)


def test_64_kb_sequence_set() -> None:
    """mbsync and Apple Mail send long UID sets."""
    octets = b",".join(b"%d" % uid for uid in range(1, 21_700, 2))
    start = time.process_time()
    command = read(b"a UID FETCH " + octets + b" (FLAGS)")
    assert isinstance(command, commands.Fetch)
    assert len(command.sequence_set.ranges) == 10_850
    assert time.process_time() - start < 1
