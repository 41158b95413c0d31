"""Binary content (RFC 3516)."""

from __future__ import annotations

from tests.fakes.imapsite import IMAPSite


def test_what_has_a_nul_comes_as_literal8() -> None:
    """RFC 3516 §4.3: appended as literal8, read as it was sent, decoded or not; a part without NUL is a literal."""
    client = IMAPSite().user()
    octets = b"Content-Transfer-Encoding: binary\r\n\r\na\0b"
    client.send(b"a APPEND INBOX ~{%d+}\r\n%b\r\nb SELECT INBOX\r\n" % (len(octets), octets))
    client.read()
    client.send(b"c FETCH 1 (BINARY.PEEK[1] BINARY.PEEK[1]<2.9> BINARY.SIZE[1])\r\n")
    expected = b"* 1 FETCH (BINARY[1] ~{3}\r\na\0b BINARY[1]<2> {1}\r\nb BINARY.SIZE[1] 3)\r\n"
    assert client.read() == expected + b"c OK FETCH completed\r\n"
    client.send(b"d FETCH 1 BINARY.PEEK[]\r\n")
    assert client.read() == b"* 1 FETCH (BINARY[] ~{%d}\r\n%b)\r\nd OK FETCH completed\r\n" % (len(octets), octets)
