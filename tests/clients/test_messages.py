"""imaplib works with messages as drafts and attachments are worked with: BINARY, REPLACE, CATENATE, PREVIEW."""

from __future__ import annotations

import base64
import imaplib
from collections.abc import Iterator

import pytest

from tests.clients.daemon import PASSWORD, Daemon

ATTACHMENT = bytes(range(256)) * 2000
DRAFT = (
    b"Subject: draft\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nGreetings from K\xc3\xb6ln\r\n"
    b"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(ATTACHMENT).replace(b"\n", b"\r\n")
    + b"--b--\r\n"
)


@pytest.fixture
def client(own_daemon: Daemon) -> Iterator[imaplib.IMAP4_SSL]:
    """alice, with a draft that has a large attachment, in Drafts."""
    own_daemon.start()
    client = imaplib.IMAP4_SSL("localhost", own_daemon.ports["imaps"], ssl_context=own_daemon.client_tls)
    client.login("alice@example.com", PASSWORD)
    assert client.append("Drafts", r"(\Draft)", "", DRAFT)[0] == "OK"
    client.select("Drafts")
    yield client
    client.logout()


def octets_of(client: imaplib.IMAP4_SSL, item: str, uid: int) -> bytes:
    """The literal that a FETCH of one item gives."""
    status, found = client.uid("FETCH", str(uid), f"({item})")
    assert status == "OK" and isinstance(found[0], tuple)
    octets: bytes = found[0][1]
    return octets


def test_an_attachment_is_read_decoded(client: imaplib.IMAP4_SSL) -> None:
    """Its size, the whole and a range; imaplib does not know literal8, so the octets are those without NUL."""
    (line,) = client.uid("FETCH", "1", "(BINARY.SIZE[2])")[1]
    assert b"BINARY.SIZE[2] %d" % len(ATTACHMENT) in line
    assert octets_of(client, "BINARY.PEEK[2]<1.255>", 1) == ATTACHMENT[1:256]
    assert octets_of(client, "BINARY.PEEK[2]<511745.999>", 1) == ATTACHMENT[511745:]
    assert octets_of(client, "BINARY.PEEK[]", 1) == DRAFT


def test_a_draft_changes_its_text_and_keeps_its_attachment(client: imaplib.IMAP4_SSL) -> None:
    """REPLACE with CATENATE: the attachment is not sent again."""
    header = b"Subject: second\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nNew text\r\n--b\r\n"
    assert replaced(client, header) == "OK"
    assert client.uid("SEARCH", "ALL")[1] == [b"2"]
    assert octets_of(client, "BINARY.PEEK[2]<1.255>", 2) == ATTACHMENT[1:256]
    assert b"New text" in octets_of(client, "BODY.PEEK[1]", 2)
    (line,) = client.uid("FETCH", "2", "(FLAGS PREVIEW)")[1]
    assert b'PREVIEW "New text"' in line and b"\\Draft" in line


def replaced(client: imaplib.IMAP4_SSL, header: bytes) -> str:
    """Replace the draft by one with another beginning."""
    tag = client._new_tag()
    client.send(
        tag + b" UID REPLACE 1 Drafts (\\Draft \\Seen) CATENATE (TEXT {%d+}\r\n" % len(header) + header
        + b' URL "/Drafts/;UID=1/;SECTION=2.MIME" URL "/Drafts/;UID=1/;SECTION=2" TEXT {9+}\r\n\r\n--b--\r\n)\r\n'
    )
    status: str = client._command_complete("UID", tag)[0]
    return status


def test_previews_of_what_arrives(client: imaplib.IMAP4_SSL) -> None:
    """In UTF-8, without a read of the message."""
    assert octets_of(client, "PREVIEW (LAZY)", 1).decode() == "Greetings from Köln"
