"""Messages through a session: ends of data, sizes, headers."""

import pytest

from tests.unit.smtp.support import MESSAGE, Client, codes, lmtp
from tests.unit.smtp.test_data import VECTORS
from trekd.errors import MailLoop, OverQuota, StoreBusy


@pytest.mark.parametrize("vector", VECTORS)
@pytest.mark.parametrize("make", [Client, lmtp])
def test_a_false_end_of_data_smuggles_nothing(vector: bytes, make: type[Client]) -> None:
    """RFC 5321 §4.1.1.4: one refusal, no second message, and the next command runs."""
    smuggled = b"MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nFrom: a@b.c\r\n\r\nx\r\n"
    wire = MESSAGE + b"a" + vector + smuggled + b".\r\n"
    client = make()
    client.begin()
    client.ask(b"DATA")
    answer = client.send(wire + b"NOOP\r\n")
    assert codes(answer) == [550, 250]
    assert answer.startswith(b"550 5.6.0")
    assert client.stored == []
    for cut in (1, 2, 3, 7):
        client = make()
        client.begin()
        client.ask(b"DATA")
        for start in range(0, len(wire), cut):
            client.wire.send(wire[start : start + cut])
        assert codes(client.wire.read()) == [550]


@pytest.mark.parametrize("vector", VECTORS)
def test_the_same_in_chunks(vector: bytes) -> None:
    client = Client()
    octets = MESSAGE + b"a" + vector + b"MAIL FROM:<alice@example.com>\r\n"
    client.begin()
    answer = client.send(b"BDAT %d LAST\r\n" % len(octets) + octets + b"NOOP\r\n")
    assert codes(answer) == [550, 250]
    assert client.stored == []


def test_a_message_over_the_size_is_refused_at_its_end() -> None:
    """RFC 1870 §6.3; announced sizes are refused at MAIL (tests/wire/smtp/wrong.txt)."""
    client = Client(max_message=65536)
    answer = client.submit(MESSAGE + (b"x" * 70 + b"\r\n") * 1000)
    assert answer == b"552 5.3.4 Message larger than 65536 octets\r\n"
    assert client.site.flow.sinks[0].size <= 65536 + 1000
    assert codes(client.submit(MESSAGE)) == [250]


def test_lines_longer_than_mail_has_are_refused() -> None:
    client = Client()
    answer = client.submit(MESSAGE + b"x" * 70_000 + b"\r\n")
    assert answer.startswith(b"550 5.6.0 Message refused: a line is too long")


def test_an_endless_header_is_refused() -> None:
    client = Client()
    answer = client.submit(b"From: alice@example.com\r\n" + b"X: y\r\n" * 100_000 + b"\r\nbody\r\n")
    assert answer.startswith(b"550 5.6.0 Message refused: the header is too large")


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        (b"From: bob@example.com\r\n", b"550 5.7.1 You may not send as bob@example.com"),
        (b"From: Alice <alice@example.com>, Bob <bob@example.com>\r\n", b"550 5.7.1 You may not send as bob@"),
        (b"From: alice@example.com\r\nFrom: alice@example.com\r\n", b"550 5.6.0 Message refused: it must have exactly"),
        (b"from: alice@example.com\r\nFROM: bob@example.com\r\n", b"550 5.6.0"),
        (b"Subject: none\r\n", b"550 5.6.0"),
        (b"From:\r\n", b"550 5.6.0 Message refused: its From field names nobody"),
        (b"From: undisclosed:;\r\n", b"550 5.6.0"),
        (b"From: Alice\r\n", b"550 5.6.0 Message refused: its From field is not"),
        (b'From: "alice@example.com" <bob@example.com>\r\n', b"550 5.7.1"),
        (b"From: alice@example.com (hidden) <bob@example.com>\r\n", b"550 5.7.1"),
        (b"From: alice@example.com,\r\n bob@example.com\r\n", b"550 5.7.1"),
        (b"From: A <alice@example.com>\r\n", b"250"),
        (b"From: ALICE@Example.COM\r\n", b"250"),
        (b"From: al@example.com\r\n", b"250"),
        (b"From: alice+shop@example.com\r\n", b"250"),
        (b"From: team@example.org\r\n", b"250"),
        (b"From: =?utf-8?q?J=C3=BCrgen?= <alice@example.com>, al@example.com\r\n", b"250"),
    ],
)
def test_the_from_field_must_be_the_accounts_own(header: bytes, answer: bytes) -> None:
    """RFC 6409 §6.1, §8.1."""
    assert Client().submit(header + b"\r\nbody\r\n").startswith(answer)


def test_what_submission_adds() -> None:
    """RFC 6409 §8.2, §8.3; RFC 5321 §4.4 without the client's address."""
    client = Client()
    client.submit(b"From: alice@example.com\r\nSubject: x\r\n\r\nbody\r\n")
    (stored,) = client.stored
    head, _, body = stored.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0].startswith(b"Received: by mail.example.com with ESMTPSA id ")
    assert lines[1] == b"\tfor <bob@example.com>;"
    assert lines[2] == b"\tTue, 14 Nov 2023 22:13:20 +0000"
    assert lines[3] == b"Date: Tue, 14 Nov 2023 22:13:20 +0000"
    assert lines[4].startswith(b"Message-ID: <") and lines[4].endswith(b"@mail.example.com>")
    assert lines[5:] == [b"From: alice@example.com", b"Subject: x"]
    assert body == b"body\r\n"


def test_what_the_client_wrote_stays_as_it_is() -> None:
    client = Client()
    client.submit(MESSAGE)
    assert client.stored[0].endswith(b"\r\n" + MESSAGE)
    assert client.stored[0].count(b"Date:") == 1


def test_several_recipients_are_not_named() -> None:
    client = Client()
    client.submit(MESSAGE, b"bob@example.com", b"carol@example.com")
    assert b"bob" not in client.stored[0] and b"carol" not in client.stored[0]


def test_what_submission_removes() -> None:
    client = Client()
    client.submit(
        b"Return-Path: <x@y.z>\r\nBCC: carol@example.com,\r\n bob@example.com\r\nFrom: alice@example.com\r\n"
        b"Authentication-Results: mail.example.com; dkim=pass\r\nAuthentication-Results: other.example; spf=pass\r\n"
        b"Resent-Bcc: x@y.z\r\nDate: d\r\nMessage-ID: <m@x>\r\nSubject: s\r\n\r\nBcc: stays\r\n"
    )
    head, _, body = client.stored[0].partition(b"\r\n\r\n")
    fields = head.split(b"\r\n")[3:]
    assert fields == [
        b"From: alice@example.com",
        b"Authentication-Results: other.example; spf=pass",
        b"Date: d",
        b"Message-ID: <m@x>",
        b"Subject: s",
    ]
    assert body == b"Bcc: stays\r\n"


def test_the_address_can_be_shown() -> None:
    client = Client(hide_client_address=False)
    client.submit(MESSAGE)
    assert client.stored[0].startswith(b"Received: from client.example")


def test_senders_can_be_free() -> None:
    client = Client(require_own_sender=False)
    assert codes(client.ask(b"MAIL FROM:<bob@example.com>")) == [250]
    client.ask(b"RSET")
    assert codes(client.submit(MESSAGE.replace(b"alice", b"bob"))) == [250]


def test_the_null_path_may_be_used() -> None:
    client = Client()
    client.ask(b"MAIL FROM:<>", b"RCPT TO:<bob@example.com>", b"DATA")
    assert codes(client.send(MESSAGE + b".\r\n")) == [250]
    assert client.site.flow.accepted[0][0].reverse_path is None


def test_lmtp_keeps_the_header_and_says_who_came() -> None:
    client = lmtp()
    original = b"X: 1\r\nBcc: kept@example.com\r\n\r\nbody\r\n"
    client.submit(b"Return-Path: <forged@x>\r\n" + original)
    (stored,) = client.stored
    assert stored.startswith(b"Received: from mx.example ([192.168.1.1])\r\n\tby mail.example.com with LMTP id ")
    assert stored.endswith(b"\r\n" + original)
    assert b"forged" not in stored


def test_a_message_without_header_gets_its_blank_line() -> None:
    client = lmtp()
    client.submit(b"just text\r\nmore\r\n")
    assert client.stored[0].endswith(b"+0000\r\n\r\njust text\r\nmore\r\n")
    client.submit(b"\r\nbody\r\n")
    assert client.stored[1].endswith(b"+0000\r\n\r\nbody\r\n")
    client.submit(b"Subject: only a header\r\n")
    assert client.stored[2].endswith(b"+0000\r\nSubject: only a header\r\n")
    client.submit(b"")
    assert client.stored[3].endswith(b"+0000\r\n\r\n")


def test_a_message_that_went_round_is_refused() -> None:
    """RFC 5321 §6.3."""
    client = lmtp(max_received=50)
    assert codes(client.submit(b"Received: x\r\n" * 50 + MESSAGE)) == [250]
    assert client.submit(b"Received: x\r\n" * 51 + MESSAGE).startswith(b"554 5.4.6")


def test_smtputf8_is_named_in_the_trace() -> None:
    """RFC 6531 §4.3."""
    client = Client()
    client.ask(b"MAIL FROM:<alice@example.com> SMTPUTF8", b"RCPT TO:<bob@example.com>", b"DATA")
    client.send(MESSAGE + b".\r\n")
    assert b"with UTF8SMTPSA id" in client.stored[0]
    assert client.site.flow.accepted[0][0].smtputf8


def test_one_durable_copy_makes_the_message_accepted() -> None:
    client = Client()
    client.site.flow.failures["carol@example.com"] = OverQuota(1)
    assert codes(client.submit(MESSAGE, b"carol@example.com", b"bob@example.com")) == [250]
    client.site.flow.failures["bob@example.com"] = MailLoop()
    assert client.submit(MESSAGE, b"carol@example.com", b"bob@example.com").startswith(b"552 5.2.2")


def test_dots_survive_however_the_octets_come() -> None:
    text = b"..\r\n.x\r\n" + b"z" * 70 + b"\r\n.\r\n"
    stuffed = b"".join(b"." + line if line.startswith(b".") else line for line in text.splitlines(True))
    for cut in (1, 2, 3, 5, 4096):
        client = lmtp()
        client.begin()
        client.ask(b"DATA")
        wire = b"A: b\r\n\r\n" + stuffed * 20 + b".\r\n"
        for start in range(0, len(wire), cut):
            client.wire.send(wire[start : start + cut])
        assert client.stored[0].endswith(b"A: b\r\n\r\n" + text * 20)


def test_a_refused_chunk_of_absurd_size_is_swallowed_not_kept() -> None:
    client = Client()
    client.wire.send(b"BDAT 99999999999999999999\r\n")
    for _ in range(50):
        client.wire.send(b"MAIL FROM:<alice@example.com>\r\n" * 1000)
    assert client.wire.read() == b""
    assert client.wire.transport.producerState == "producing"


def test_octets_of_a_chunk_are_never_commands_even_without_a_sink() -> None:
    client = Client()
    client.begin()

    def refuse() -> None:
        raise StoreBusy

    client.site.flow.receive = refuse  # type: ignore[method-assign, assignment]
    assert codes(client.send(b"BDAT 6 LAST\r\nNOOP\r\nRSET\r\n")) == [451, 250]
    client.begin()
    assert codes(client.ask(b"DATA", b"NOOP")) == [451, 250]


@pytest.mark.parametrize(
    ("more", "answer"),
    [
        (b"Sender: alice@example.com\r\n", b"250"),
        (b"Sender: bob@example.com\r\n", b"550 5.7.1"),
        (b"Sender: alice@example.com\r\nSender: alice@example.com\r\n", b"550 5.6.0"),
        (b"Sender: not an address\r\n", b"550"),
        (b"Resent-From: Al <al@example.com>\r\n", b"250"),
        (b"Resent-From: al@example.com,\r\n bob@example.com\r\n", b"550 5.7.1"),
        (b"RESENT-SENDER: bob@example.com\r\n", b"550 5.7.1"),
        (b"Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n", b"550 5.6.0"),
    ],
)
def test_whoever_sends_is_the_account(more: bytes, answer: bytes) -> None:
    """RFC 6409 §6.1: Sender, Resent-From and Resent-Sender say so too."""
    client = Client()
    assert client.submit(more + MESSAGE).startswith(answer)


@pytest.mark.parametrize(
    ("parameters", "field", "required", "optional"),
    [
        (b"", b"", False, False),
        (b" REQUIRETLS", b"", True, False),
        (b"", b"TLS-Required:  No\r\n", False, True),
        (b"", b"TLS-Required: No\r\nTLS-Required: No\r\n", False, False),
        (b"", b"TLS-Required: Yes\r\n", False, False),
        (b" REQUIRETLS", b"TLS-Required: No\r\n", True, False),
    ],
)
def test_what_the_sender_wants_of_tls(parameters: bytes, field: bytes, required: bool, optional: bool) -> None:
    """RFC 8689 §4.1: the parameter counts more than the field."""
    client = Client()
    assert client.ask(b"MAIL FROM:<alice@example.com>" + parameters).startswith(b"250")
    client.ask(b"RCPT TO:<bob@example.com>", b"DATA")
    assert client.send(field + MESSAGE + b".\r\n").startswith(b"250")
    transaction = client.site.flow.accepted[0][0]
    assert (transaction.require_tls, transaction.tls_optional) == (required, optional)


def test_what_dsn_asks_for_reaches_the_queue() -> None:
    """RFC 3461 §4."""
    client = Client()
    client.ask(b"MAIL FROM:<alice@example.com> RET=HDRS ENVID=a+2Bb")
    client.ask(b"RCPT TO:<bob@example.com> NOTIFY=DELAY,FAILURE ORCPT=rfc822;b+2B@x", b"RCPT TO:<x@y.example>", b"DATA")
    assert client.send(MESSAGE + b".\r\n").startswith(b"250")
    transaction = client.site.flow.accepted[0][0]
    assert (transaction.ret, transaction.envelope_id, transaction.one_reply) == ("HDRS", "a+2Bb", True)
    assert [(one.notify, one.original) for one in transaction.recipients] == [
        (("DELAY", "FAILURE"), "rfc822;b+2B@x"),
        ((), ""),
    ]


@pytest.mark.parametrize(
    ("parameter", "hold"),
    [
        (b"HOLDFOR=3600", 1_700_003_600),
        (b"HOLDUNTIL=2023-11-14T23:13:20Z", 1_700_003_600),
        (b"HOLDUNTIL=2023-11-15T00:13:20.5+01:00", 1_700_003_600),
        (b"HOLDUNTIL=2020-01-01T00:00:00Z", 0),
    ],
)
def test_mail_can_wait_for_its_time(parameter: bytes, hold: int) -> None:
    """RFC 4865 §4: seconds, or a date; one that is past is now."""
    client = Client()
    assert client.ask(b"MAIL FROM:<alice@example.com> " + parameter).startswith(b"250")
    client.ask(b"RCPT TO:<bob@example.com>", b"DATA")
    assert client.send(MESSAGE + b".\r\n").startswith(b"250")
    assert client.site.flow.accepted[0][0].hold_until == hold


def test_holding_can_be_off() -> None:
    client = Client(max_hold=0)
    assert b"FUTURERELEASE" not in client.ask(b"EHLO c")
    assert client.ask(b"MAIL FROM:<alice@example.com> HOLDFOR=1").startswith(b"501")


def test_a_message_of_one_octet_a_second_is_given_up() -> None:
    """RFC 5321 §4.5.3.2 bounds each wait; this bounds them all together."""
    client = Client()
    client.begin()
    client.ask(b"DATA")
    answers = []
    for _ in range(600):
        client.site.clock.advance(1)
        answers.append(client.send(b"x"))
    assert answers == [b""] * 600
    client.site.clock.advance(1)
    assert client.send(b"x").startswith(b"421 4.4.2")
    assert client.site.flow.sinks[-1].discarded
