"""
IMAP against whoever means ill or is merely broken: a correct answer or the end, in sync, in bounded memory, while
the neighbours work on.
"""

from __future__ import annotations

import base64
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.clients.daemon import PASSWORD, Daemon
from tests.clients.hostile import IMAP, SMTP, Line, answer_time, bounded_memory, has_clean_log, wait_until

MB = 1_000_000
PROMPT = 2.0
"""Seconds in which a neighbour is answered on a busy test machine; in fact it is milliseconds."""
HEADER = b"From: alice@example.com\r\nTo: bob@example.com\r\nSubject: x\r\n"


@pytest.fixture(scope="module", autouse=True)
def clean_log(daemon: Daemon) -> Iterator[None]:
    """Nothing of all this is an error of ours, and no password is ever logged."""
    yield
    assert has_clean_log(daemon)


@pytest.fixture
def neighbour(daemon: Daemon) -> Iterator[IMAP]:
    """Somebody else's session, which must not notice."""
    with IMAP(daemon, "carol") as client:
        yield client
        assert answer_time(client) < PROMPT


@pytest.fixture
def client(daemon: Daemon, neighbour: IMAP) -> Iterator[IMAP]:
    """Alice with two messages in INBOX, selected; still in sync in the end."""
    with IMAP(daemon) as made:
        for _ in range(2):
            made.append(HEADER + b"\r\nbody\r\n")
        made.ask(b"s SELECT INBOX")
        made.ask(b"s NOOP")
        yield made
        assert made.works()


def numbers(octets: int) -> bytes:
    """A sequence set of so many octets in which nothing can be joined."""
    return b",".join(b"%d" % number for number in range(1, octets // 3, 2))[:octets].rpartition(b",")[0]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"a NOOP " + b"x" * 200_000, b"a BAD Too large"),
        (b"a NOOP " + b"x" * 2_000_000, b"a BAD Too large"),
        (b"", b"* BAD"),
        (b" ", b"* BAD"),
        (b"a", b"a BAD"),
        (b"* NOOP", b"* BAD"),
        (b"+ NOOP", b"* BAD"),
        (b"a FROB x", b"a BAD Unknown command"),
        (b"a NO\0OP", b"a BAD"),
        (b"a \xff\xfe", b"a BAD"),
        (b'a SELECT "IN\0BOX"', b"a BAD"),
        (b'a SELECT "INBOX', b"a BAD"),
        (b"a FETCH 1 ((((((", b"a BAD"),
        (b"a FETCH", b"a BAD"),
        (b"a FETCH 1:2:3 FLAGS", b"a BAD"),
        (b"a FETCH 0 FLAGS", b"a BAD"),
        (b"a FETCH 99999999999999999999 FLAGS", b"a BAD"),
        (b"a FETCH 1 BODY[]<-1.5>", b"a BAD"),
        (b"a FETCH 1 BODY[]<0.0>", b"a BAD"),
        (b"a STORE 1 FROB (x)", b"a BAD"),
        (b"a STORE 1 FLAGS (" + b" ".join(b"k%d" % n for n in range(9000)) + b")", b"a OK"),
        (b"a SEARCH {-100}", b"a BAD"),
        (b"a SEARCH {99999999999999999999999999999999}", b"a BAD Too large"),
        (b"a SEARCH TEXT {70000+}\r\n" + b"a" * 70_000, b"a BAD Too large"),
        (b"a SEARCH " + b" ".join([b"TEXT {1+}\r\na"] * 600), b"a BAD Too large"),
        (b"a SEARCH SINCE 99-Feb-9999", b"a BAD"),
        (b"a SEARCH CHARSET zip ALL", b"a NO [BADCHARSET"),
        (b"a SEARCH CHARSET UTF-8 TEXT {2+}\r\n\xff\xfe", b"a BAD"),
        (b"a SEARCH " + b"(" * 10_000 + b"ALL" + b")" * 10_000, b"a BAD"),
        (b"a STORE 1 FLAGS " + b"(" * 10_000 + b")" * 10_000, b"a BAD"),
        (b"a ID " + b"(" * 10_000 + b")" * 10_000, b"a BAD"),
        (b"a FETCH 1 " + b"(" * 10_000 + b")" * 10_000, b"a BAD"),
        (b'a LIST "" * RETURN ' + b"(" * 10_000 + b")" * 10_000, b"a BAD"),
        (b"a SEARCH " + b"OR ALL NOT " * 5800 + b"ALL", b"a BAD"),
        (b"a SEARCH " + b"NOT " * 16_000 + b"ALL", b"a OK"),
        (b"a SEARCH " + b"OR " * 9000 + b"ALL " * 9000 + b"ALL", b"a OK"),
        (b"a SEARCH " + b" ".join([b"TEXT a"] * 9300), b"a BAD Too large"),
        (b"a SEARCH " + b" ".join([b"HEADER X-Y z"] * 5000), b"a BAD Too large"),
        (b"a SEARCH " + b" ".join([b"TEXT a"] * 200), b"a OK"),
        (b"a FETCH " + numbers(65_000) + b" FLAGS", b"a BAD"),
        (b"a UID FETCH " + numbers(65_000) + b" UID", b"a OK"),
        (b"a UID SEARCH UID " + numbers(65_000), b"a OK"),
        (b"a UID STORE " + numbers(65_000) + b" FLAGS ()", b"a OK"),
        (b"a UID COPY " + numbers(65_000) + b" Trash", b"a OK"),
        (b'a LIST "" "' + b"*a" * 32_000 + b'"', b"a OK"),
        (b'a LIST "" "' + b"%a" * 900 + b'"', b"a OK"),
        (b"a ENABLE " + b"X " * 30_000 + b"X", b"a OK"),
        (b'a APPEND INBOX "99-Foo-2020 00:00:00 +0000" {3+}\r\nabc', b"a BAD"),
        (b'a APPEND INBOX "01-Jan-2020 00:00:00 +9999" {3+}\r\nabc', b"a BAD"),
        (b"a APPEND INBOX {3+}\r\nabc garbage", b"a BAD"),
        (b"a APPEND INBOX {0+}\r\n", b"a NO"),
        (b"a APPEND Nowhere {3+}\r\nabc", b"a NO [TRYCREATE]"),
        (b"a APPEND INBOX {60000000}", b"a NO [TOOBIG]"),
        (b"a LOGIN alice@example.com x", b"a BAD"),
        (b"a AUTHENTICATE PLAIN", b"a BAD"),
        (b"a STARTTLS", b"a BAD"),
        (b"a IDLE x", b"a BAD"),
    ],
    ids=lambda value: value[:24].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_what_is_wrong_is_answered_once(client: IMAP, daemon: Daemon, command: bytes, answer: bytes) -> None:
    begun = time.monotonic()
    with bounded_memory(daemon, 40 * MB):
        client.send(command + b"\r\nnext NOOP\r\n")
        lines = client.answers(b"next")
    assert time.monotonic() - begun < 5
    tagged = [line for line in lines if not line.startswith(b"* ") or line.startswith(b"* BAD")]
    assert len(tagged) == 2, tagged
    assert tagged[0].startswith(answer), tagged
    assert tagged[1] == b"next OK NOOP completed"


@pytest.mark.parametrize(
    "name",
    [
        b"../../x",
        b"a/../b",
        b"./a",
        b"a//b",
        b"/etc/passwd",
        b".." + b"/.." * 20,
        b"a/" * 300 + b"b",
        b"x" * 5000,
        b'"a\x01b"',
        b'"a\tb"',
        b'"\xff\xfe"',
        b'"\xc3\xa9"',
        b"&AAAAAA-",
        b"&AAA-",
        b"&2D0-",
        b"&",
        b"&IAA",
        b"{4+}\r\na\r\nb",
        b"{4+}\r\na\0bc",
    ],
    ids=lambda name: repr(name[:20]),
)
def test_a_name_that_cannot_be_changes_nothing(client: IMAP, name: bytes) -> None:
    before = client.ask(b'l LIST "" *')
    for command in (b"CREATE %b", b"RENAME Junk %b", b"COPY 1 %b", b"SUBSCRIBE %b"):
        answer = client.ask(b"a " + command % name)[-1]
        assert answer.startswith((b"a NO", b"a BAD")), (command, answer)
    for command in (b"EXAMINE %b", b"STATUS %b (MESSAGES)", b"DELETE %b"):
        assert client.ask(b"a " + command % name)[-1].startswith((b"a NO", b"a BAD"))
        client.ask(b"s SELECT INBOX")
    assert client.ask(b'l LIST "" *') == before


@pytest.mark.parametrize("name", [b"carol@example.com", b"carol@example.com/INBOX", b"~carol/INBOX", b"../carol/INBOX"])
def test_nobody_elses_mail_has_a_name(client: IMAP, daemon: Daemon, name: bytes) -> None:
    with IMAP(daemon, "carol") as carol:
        carol.append(HEADER + b"\r\nprivate\r\n")
    assert client.ask(b"a EXAMINE " + name)[-1].startswith(b"a NO")
    assert not any(b"carol" in line for line in client.ask(b'a LIST "" *'))


# --- Before the login -------------------------------------------------------------------------------


def test_three_wrong_passwords_end_the_connection(daemon: Daemon, neighbour: IMAP) -> None:
    with IMAP(daemon, None) as guesser:
        for _ in range(3):
            assert guesser.ask(b"a LOGIN alice@example.com tr0ub4dor")[-1].startswith(b"a NO [AUTHENTICATIONFAILED]")
        assert guesser.line() == b"* BYE Too many failed logins"
        assert guesser.is_closed


def test_an_unknown_account_and_a_wrong_password_look_alike(daemon: Daemon) -> None:
    with IMAP(daemon, None) as guesser:
        known = guesser.ask(b"a LOGIN alice@example.com tr0ub4dor")
        assert guesser.ask(b"a LOGIN nobody@example.com tr0ub4dor") == known


@pytest.mark.parametrize(
    "name",
    [
        b'"../../alice@example.com"',
        b'"*@example.com"',
        b'"alice@example.com)(uid=*"',
        b'" alice@example.com"',
        b'"alice@example.com "',
        b'"alice%00@example.com"',
        b'"alice@example.com@example.com"',
        b'"@example.com"',
        b'"alice+x@example.com"',
        b'"alice@localhost"',
        b'"alice@example.com\xe2\x80\x8b"',
        b'"\xff\xfe@example.com"',
        b"{19+}\r\nalice@example.com\r\n",
        b"a" * 5000 + b"@example.com",
    ],
)
def test_a_name_that_is_not_the_address_does_not_log_in(daemon: Daemon, name: bytes) -> None:
    with IMAP(daemon, None) as guesser:
        answer = guesser.ask(b'a LOGIN %b "%b"' % (name, PASSWORD.encode()))[-1]
        assert answer.startswith((b"a NO [AUTHENTICATIONFAILED]", b"a BAD")), answer


@pytest.mark.parametrize(
    "lines",
    [
        (b"*",),
        (b"!!!",),
        (b"A" * 20_000,),
        (b"",),
        (base64.b64encode(b"\0a\0b\0c"),),
        (base64.b64encode(b"bob@example.com\0alice@example.com\0" + PASSWORD.encode()),),
        (base64.b64encode(b"\0alice@example.com\0\xff\xfe"),),
        (base64.b64encode(b"\0alice@example.com\0"),),
        (b"\xff\0",),
    ],
)
def test_an_exchange_that_is_none_is_answered_once(daemon: Daemon, lines: tuple[bytes, ...]) -> None:
    with IMAP(daemon, None) as guesser:
        guesser.send(b"a AUTHENTICATE PLAIN\r\n")
        assert guesser.line() == b"+ "
        guesser.send(b"\r\n".join(lines) + b"\r\n")
        assert (guesser.line() or b"").startswith((b"a BAD", b"a NO", b"* BAD"))
        assert guesser.works()


def test_strangers_can_send_little(daemon: Daemon, neighbour: IMAP) -> None:
    """Before the login a literal is at most 8 KB, a message none at all."""
    with bounded_memory(daemon, 20 * MB), IMAP(daemon, None) as stranger:
        assert stranger.ask(b"a LOGIN {99999}")[-1].startswith(b"a BAD Too large")
        stranger.send(b"b APPEND INBOX {20000000+}\r\n" + b"x" * 20_000_000 + b"\r\n")
        assert (stranger.line() or b"").startswith((b"b BAD", b"b NO"))
        assert stranger.works()
        for command in (b"SELECT INBOX", b"FETCH 1 FLAGS", b"IDLE", b'LIST "" *', b"UID EXPUNGE 1"):
            assert stranger.ask(b"c " + command)[-1].startswith(b"c BAD")


def test_nothing_said_in_clear_is_believed_inside_tls(daemon: Daemon) -> None:
    """RFC 3501 §6.2.1; and no password is taken in clear."""
    with IMAP(daemon, None, "imap", secure=False) as client:
        assert b"LOGINDISABLED" in client.greeting
        assert client.ask(b'a LOGIN alice@example.com "%b"' % PASSWORD.encode())[-1].startswith(b"a NO")
        assert client.ask(b"b AUTHENTICATE PLAIN")[-1].startswith(b"b NO")
        client.send(b'c STARTTLS\r\nd LOGIN alice@example.com {13+}\r\nd CAPABILITY\r\n')
        assert (client.line() or b"").startswith(b"c OK")
        client.start_tls()
        assert client.works()


@pytest.mark.parametrize("service", ["imaps", "submissions", "https"])
@pytest.mark.parametrize(
    "octets",
    [
        b"a LOGIN alice@example.com tr0ub4dor\r\n",
        b"\x16\x03\x01\xff\xff" + b"x" * 70_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 506,
        b"\0" * 100_000,
    ],
    ids=["plain", "record", "hello", "zeros"],
)
def test_garbage_on_a_tls_port_is_dropped(daemon: Daemon, neighbour: IMAP, service: str, octets: bytes) -> None:
    with Line(daemon, service, secure=False) as stranger:
        stranger.send(octets)
        assert stranger.is_closed
        assert len(stranger.buffer) < 100


@pytest.mark.parametrize("service", ["imaps", "imap", "submissions", "submission", "https", "http"])
def test_a_thousand_connections_at_once_disturb_nobody(daemon: Daemon, neighbour: IMAP, service: str) -> None:
    begun = time.monotonic()
    with bounded_memory(daemon, 100 * MB):
        strangers = []
        for _ in range(1000):
            # Those above the limit are reset, at times before the call that connects returns.
            with suppress(ConnectionResetError):
                strangers.append(Line(daemon, service, secure=False))
        assert answer_time(neighbour) < PROMPT
        for stranger in strangers:
            stranger.close()
    assert time.monotonic() - begun < 15
    wait_until(lambda: Line(daemon, "imap", secure=False).line(), 10)


def test_half_open_handshakes_leave_others_alone(daemon: Daemon, neighbour: IMAP) -> None:
    begun = [Line(daemon, "imaps", secure=False) for _ in range(40)]
    for stranger in begun:
        stranger.send(b"\x16\x03\x01\x02\x00\x01")
    assert answer_time(neighbour) < PROMPT
    with IMAP(daemon, "bob") as bob:
        assert bob.works()
    for stranger in begun:
        stranger.close()


# --- Too much, too slow ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(daemon: Daemon) -> bytes:
    """50 MB, the first message in Bob's mailbox "Large"."""
    message = HEADER + b"\r\n" + (b"x" * 998 + b"\r\n") * 49_999
    with IMAP(daemon, "bob") as bob:
        bob.ask(b"c CREATE Large")
        with bounded_memory(daemon, 150 * MB):
            assert bob.append(message, b"Large").startswith(b"A OK")
    return message


def test_fifty_megabytes_come_out_as_they_went_in(daemon: Daemon, neighbour: IMAP, large: bytes) -> None:
    with IMAP(daemon, "bob") as bob, bounded_memory(daemon, 100 * MB):
        bob.ask(b"s SELECT Large")
        bob.send(b"f FETCH 1 BODY.PEEK[]\r\n")
        assert bob.line() == b"* 1 FETCH (BODY[] {%d}" % len(large)
        assert bob.take(len(large)) == large
        assert bob.answers(b"f") == [b")", b"f OK FETCH completed"]
        bob.send(b"f FETCH 1 BODY.PEEK[]<40000000.393216>\r\n")
        assert bob.line() == b"* 1 FETCH (BODY[]<40000000> {393216}"
        assert bob.take(393_216) == large[40_000_000:40_393_216]
        bob.answers(b"f")


def test_more_than_is_allowed_is_swallowed(daemon: Daemon, neighbour: IMAP) -> None:
    with IMAP(daemon, "bob") as bob, bounded_memory(daemon, 20 * MB):
        bob.send(b"a APPEND INBOX {60000000+}\r\n")
        for _ in range(60):
            bob.send(b"a LOGOUT\r\n" * 100_000)
        bob.send(b"\r\n")
        assert bob.line() == b"a NO [TOOBIG] The message is too large; at most 52.4 MB"
        assert bob.works()
        bob.send(b"b APPEND INBOX {5000000000+}\r\n")
        assert (bob.line() or b"").startswith(b"b NO [TOOBIG]")
        assert (bob.line() or b"").startswith(b"* BYE")
        assert bob.is_closed


@pytest.mark.parametrize(
    "attributes",
    [b"BODY.PEEK[]", b"(" + b" ".join([b"BODY.PEEK[]"] * 100) + b")", b"BODY.PEEK[1]<0.49000000>"],
    ids=["whole", "hundredfold", "partial"],
)
def test_clients_that_do_not_read_cost_little(
    daemon: Daemon, neighbour: IMAP, large: bytes, attributes: bytes
) -> None:
    deaf = [IMAP(daemon, "bob") for _ in range(10)]
    with bounded_memory(daemon, 60 * MB):
        for client in deaf:
            client.ask(b"s SELECT Large")
            client.send(b"f FETCH 1 " + attributes + b"\r\n")
        for _ in range(10):
            time.sleep(0.05)
            assert answer_time(neighbour) < PROMPT
    for client in deaf:
        client.close()


def test_ten_thousand_commands_in_one_go(client: IMAP, daemon: Daemon, neighbour: IMAP) -> None:
    with bounded_memory(daemon, 30 * MB):
        client.send(b"".join(b"%d NOOP\r\n" % number for number in range(10_000)))
        answers = client.answers(b"9999")
    assert answers == [b"%d OK NOOP completed" % number for number in range(10_000)]


def test_commands_behind_unread_answers_wait(daemon: Daemon, neighbour: IMAP, large: bytes) -> None:
    with IMAP(daemon, "bob") as deaf, bounded_memory(daemon, 30 * MB):
        deaf.ask(b"s SELECT Large")
        deaf.socket.settimeout(1)
        with pytest.raises(TimeoutError):
            for _ in range(1000):
                deaf.socket.sendall(b"f FETCH 1 BODY.PEEK[]<0.1000000>\r\n" * 1000)
        assert answer_time(neighbour) < PROMPT


def test_a_client_that_stops_midway_holds_nobody_up(daemon: Daemon, neighbour: IMAP) -> None:
    with IMAP(daemon, "bob") as first, IMAP(daemon, "bob") as second:
        first.send(b"a APPEND INBOX {1000000+}\r\n" + b"x" * 500_000)
        assert second.append(HEADER + b"\r\nx\r\n").startswith(b"A OK")
        first.close()
        second.ask(b"s SELECT INBOX")
        assert second.works()


# --- Messages that are bombs -------------------------------------------------------------------------


def _nested(count: int) -> bytes:
    begin = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(count))
    return begin + b"\r\nend\r\n" + b"".join(b"--b%d--\r\n" % n for n in reversed(range(count)))


BOMBS = {
    "10,000 levels": _nested(10_000),
    "10,000 levels of one boundary": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 10_000,
    "10,000 messages": b"Content-Type: message/rfc822\r\n\r\n" * 10_000 + b"x\r\n",
    "100,000 parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100_000,
    "megabyte line": b"X-Long: " + b"a" * MB + b"\r\n\r\nbody\r\n",
    "encoded words": b"Subject: " + b"=?utf-8?b?w6k=?= " * 60_000 + b"\r\n\r\nbody\r\n",
    "folds": b"Subject: a" + b"\r\n a" * 250_000 + b"\r\n\r\nbody\r\n",
    "addresses": b"To: " + b"a@b.c, " * 150_000 + b"\r\n\r\nbody\r\n",
    "comments": b"To: " + b"(" * MB + b"\r\n\r\nbody\r\n",
    "quotes": b"To: " + b'"\\' * 500_000 + b"\r\n\r\nbody\r\n",
    "groups": b"To: " + b"a:" * 500_000 + b"\r\n\r\nbody\r\n",
    "100,000 fields": b"a: b\r\n" * 100_000 + b"\r\nbody\r\n",
    "parameters": b"Content-Type: text/plain" + b"".join(b"; a*%d=b" % n for n in range(100_000)) + b"\r\n\r\nbody\r\n",
    "bare CR": b"\r" * MB,
    "bare LF": b"\n" * MB,
    "NUL": b"Subject: a\0b\r\n\r\n" + b"\0" * MB,
    "octets": bytes(range(256)) * 4000,
    "expanding": b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + "\ufdfa".encode() * 300_000,
}


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda name: name.replace(" ", "-"))
def test_a_bomb_is_shown_in_every_form(daemon: Daemon, neighbour: IMAP, bomb: str) -> None:
    message = HEADER + BOMBS[bomb]
    with IMAP(daemon, "bob") as bob, bounded_memory(daemon, 60 * MB):
        bob.ask(b"c CREATE Bombs")
        assert bob.append(message, b"Bombs").startswith(b"A OK")
        bob.ask(b"s SELECT Bombs")
        for attribute in (
            b"ENVELOPE",
            b"BODYSTRUCTURE",
            b"BODY",
            b"BODY.PEEK[1]<0.100>",
            b"BODY.PEEK[" + b"1." * 50 + b"1]<0.100>",
            b"BODY.PEEK[99999.MIME]",
            b"BODY.PEEK[1.HEADER]<0.100>",
            b"BODY.PEEK[TEXT]<1000.10>",
            b"BODY.PEEK[HEADER.FIELDS (FROM)]",
            b"BODY.PEEK[HEADER.FIELDS.NOT (FROM)]<0.100>",
        ):
            answers = bob.ask(b"f FETCH 1 " + attribute)
            assert answers[0].startswith(b"* 1 FETCH ("), (attribute, answers[:1])
            assert answers[-1] == b"f OK FETCH completed", (attribute, answers[-1])
        for key in (b"SUBJECT zzzz", b"TEXT zzzz", b"HEADER References zzzz"):
            assert bob.ask(b"f SEARCH " + key)[-1] == b"f OK SEARCH completed"
        bob.send(b"f FETCH 1 BODY.PEEK[]\r\n")
        first = bob.line() or b""
        assert first.startswith(b"* 1 FETCH (BODY[] ")
        assert bob.take(len(message)) == message
        bob.answers(b"f")
        assert answer_time(neighbour) < PROMPT
        bob.ask(b"u UNSELECT")
        assert bob.ask(b"d DELETE Bombs")[-1].startswith(b"d OK")


# --- The disk is full --------------------------------------------------------------------------------


def test_a_full_disk_loses_nothing_and_ends(small_disk: Daemon) -> None:
    """What was acknowledged is there, what cannot be kept is refused for now, and later it works again."""
    small_disk.start()
    acknowledged: set[bytes] = set()
    block = b"x" * 998 + b"\r\n"
    with IMAP(small_disk) as alice, SMTP(small_disk) as bob, SMTP(small_disk, "lmtp") as lmtp:
        for size in (100, 20, 1):
            answer = b"A OK"
            while answer.startswith(b"A OK"):
                subject = b"%d" % len(acknowledged)
                answer = alice.append(b"Subject: " + subject + b"\r\n\r\n" + block * size)
                if answer.startswith(b"A OK"):
                    acknowledged.add(subject)
            assert answer.startswith(b"A NO [UNAVAILABLE]"), answer
        message = b"From: alice@example.com\r\nSubject: sent\r\n\r\n"
        assert bob.deliver(message + block * 100).startswith(b"452 4.3.1")
        assert bob.deliver(message + block * 100, b"somebody@elsewhere.example").startswith(b"452 4.3.1")
        assert bob.deliver(message + block * 20_000).startswith(b"452 4.3.1")
        assert bob.works()
        assert lmtp.deliver(b"Subject: sent\r\n\r\n" + block * 100).startswith(b"452 4.3.1")
        assert lmtp.works()
        assert alice.append(b"Subject: large\r\n\r\n" + block * 20_000).startswith(b"A NO [UNAVAILABLE]")
        alice.ask(b"s SELECT INBOX")
        assert alice.ask(b"f FETCH 1:* BODY.PEEK[TEXT]<0.1>")[-1].startswith(b"f OK")
        subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk.directory / "data")], check=True)
        assert alice.append(b"Subject: after\r\n\r\nx\r\n").startswith(b"A OK")
        assert bob.deliver(message + block * 100).startswith(b"250")
        assert lmtp.deliver(b"Subject: sent\r\n\r\n" + block * 100).startswith(b"250")
        alice.ask(b"n NOOP")
        lines = alice.ask(b"f FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
    subjects = [line.removeprefix(b"Subject: ") for line in lines if line.startswith(b"Subject: ")]
    assert acknowledged | {b"after"} == set(subjects)
    assert len(subjects) == len(set(subjects))
    assert "none with faults" in small_disk.trekctl("check")
    assert "Traceback" not in small_disk.log


def test_wrong_passwords_cost_time_and_then_the_network(own_daemon: Daemon) -> None:
    """DESIGN §6: growing delays, then refusal for a while; whoever is logged in notices nothing."""
    text = own_daemon.config.read_text()
    text = text.replace("failures_per_ip = 1000", "failures_per_ip = 2")
    own_daemon.config.write_text(text.replace("failure_delay = 0", "failure_delay = 1"))
    own_daemon.start()
    with IMAP(own_daemon, "bob") as neighbour, IMAP(own_daemon, None) as guesser:
        begun = time.monotonic()
        guesser.send(b"a LOGIN alice@example.com tr0ub4dor1\r\n")
        assert answer_time(neighbour) < PROMPT / 2
        assert guesser.answers(b"a")[-1].startswith(b"a NO [AUTHENTICATIONFAILED]")
        assert time.monotonic() - begun > 0.9
        assert guesser.ask(b"a LOGIN alice@example.com tr0ub4dor2")[-1].startswith(b"a NO [AUTHENTICATIONFAILED]")
        assert time.monotonic() - begun > 2.8
        with SMTP(own_daemon, name=None) as other:
            assert other.log_in("alice@example.com", PASSWORD).startswith(b"454")
        assert answer_time(neighbour) < PROMPT
    own_daemon.close()
    assert "tr0ub4dor" not in own_daemon.log
    assert PASSWORD not in own_daemon.log
