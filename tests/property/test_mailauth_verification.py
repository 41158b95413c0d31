"""Signatures, key records and policies of any kind give a result, never an error."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fakes.dkim import DOMAIN, dkimpy_verdicts, key_files, signed
from trekd.errors import SyntaxFault
from trekd.mailauth.dmarc import parse_policy
from trekd.mailauth.keyrecords import parse_key_record
from trekd.mailauth.keys import KeyFiles
from trekd.mailauth.signatures import parse_signature
from trekd.mailauth.spfrecords import parse_record
from trekd.mime.authresults import claims_to_be

OCTETS = st.binary(max_size=80)
PIECES = st.lists(
    st.sampled_from([b"v=1", b"v=DKIM1", b"v=DMARC1", b"v=spf1 ", b";", b"=", b"p=", b"reject", b"b=", b"bh=AA==", b" ",
    b"\r\n ", b"d=example.org", b"s=s", b"h=from", b"a=rsa-sha256", b"%{d}", b"\xff", b"(", b"\\", b'"', b"k=ed25519",
    b"l=99999999999999999999", b"x=1", b"pct=", b"i=@", b":"]), max_size=30,
).map(b"".join)  # fmt: skip


@given(OCTETS | PIECES)
@example(b"v=DKIM1; k=ed25519; p=" + b"A" * 44)
def test_only_syntax_faults_are_raised(octets: bytes) -> None:
    for read in (parse_key_record, parse_record, parse_signature):
        try:
            read(octets)
        except SyntaxFault:
            pass
    parse_policy(octets)
    claims_to_be(octets, "mail.example.com")
    claims_to_be(b"Authentication-Results:" + octets, "mail.example.com")


NAMES = st.sampled_from([b"From", b"To", b"Subject", b"X-Odd", b"subject", b"LIST-ID", b"Received", b"Date"])
VALUES = st.lists(st.sampled_from([b"a", b" ", b"\t", b"\r\n ", b"\r\n\t", b"=?utf-8?q?x?=", b"\xc3\xbc"]), max_size=8)
FIELDS = st.lists(st.tuples(NAMES, VALUES.map(b"".join)), max_size=8)
BODIES = st.lists(st.sampled_from([b"text", b" ", b"\t", b"\r\n", b".", b"--x"]), max_size=20).map(b"".join)


@cache
def _files() -> tuple[KeyFiles, TemporaryDirectory[str]]:
    folder = TemporaryDirectory()
    return key_files(Path(folder.name)), folder


@pytest.mark.slow
@given(FIELDS, BODIES)
@settings(max_examples=60, deadline=None)
def test_every_message_is_signed_as_dkimpy_verifies(fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    """RFC 6376 §5."""
    files, _ = _files()
    header = b"".join([name + b":x" + value.rstrip() + b"\r\n" for name, value in fields])
    message = header + b"From: a@example.org\r\n\r\n" + body + b"\r\n"
    assert dkimpy_verdicts(asyncio.run(signed(files, message, DOMAIN)), files) == [True, True]
