"""URLs of messages, as CATENATE has them."""

from __future__ import annotations

import pytest

from trekd.errors import SyntaxFault
from trekd.imap.grammar.fetch import Partial, SectionKind
from trekd.imap.grammar.tokens import ParseOptions
from trekd.imap.grammar.urls import parse_url
from trekd.values import MailboxName

OPTIONS = ParseOptions()


@pytest.mark.parametrize(
    ("url", "mailbox", "validity", "uid", "path", "kind", "partial"),
    [
        (b"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER", "Drafts", 385759045, 20, (), "HEADER", None),
        (b"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME", "Drafts", 385759045, 20, (1,), "MIME", None),
        (b"/Drafts/;UID=3002", "Drafts", None, 3002, (), "", None),
        (b"Drafts/sub;UIDVALIDITY=1/;uid=2", "Drafts/sub", 1, 2, (), "", None),
        (b";UID=7", None, None, 7, (), "", None),
        (b"/;UID=7/;SECTION=2/;PARTIAL=5.10", None, None, 7, (2,), "", Partial(5, 10)),
        (b"/x/;UID=7/;PARTIAL=5", "x", None, 7, (), "", Partial(5, (1 << 63) - 1)),
        (b"/%E6%97%A5%20R&D/;UID=1", "\u65e5 R&D", None, 1, (), "", None),
        (b"/x/;UID=1/;SECTION=HEADER.FIELDS%20(TO%20CC)", "x", None, 1, (), "HEADER.FIELDS", None),
    ],
)
def test_urls(
    url: bytes,
    mailbox: str | None,
    validity: int | None,
    uid: int,
    path: tuple[int, ...],
    kind: str,
    partial: Partial | None,
) -> None:
    """RFC 5092 §11; those with a section are of RFC 4469, appendix A."""
    found = parse_url(url, OPTIONS)
    assert found.mailbox == (None if mailbox is None else MailboxName(mailbox))
    assert (found.uid_validity, found.uid, found.section.path) == (validity, uid, path)
    assert (found.section.kind, found.section.partial, found.section.peek) == (
        SectionKind(kind.encode()), partial, True,
    )  # fmt: skip


@pytest.mark.parametrize(
    "url",
    [
        b"",
        b"/Drafts",
        b"/Drafts;UIDVALIDITY=1",
        b"imap://example.com/x/;UID=1",
        b"//example.com/x/;UID=1",
        b"/x/;UID=0",
        b"/x/;UID=1;URLAUTH=anonymous:internal:00",
        b"/x/;UID=1/;SECTION=0",
        b"/x/;UID=1/;SECTION=TEXT]%20BODY[TEXT",
        b"/x/;UID=1/;SECTION=TEXT%5D%0D%0Aa%20LOGOUT",
        b"/x/;UID=1/;PARTIAL=0.0",
        b"/%FF/;UID=1",
        b"/a//b/;UID=1",
        b"/x/;UID=1\r\n",
        b"/x y/;UID=1",
        b"/x/;UID=99999999999",
    ],
)
def test_what_names_no_message_here(url: bytes) -> None:
    """RFC 4469 §3: other servers' URLs, and those of mailboxes, are not taken."""
    with pytest.raises(SyntaxFault):
        parse_url(url, OPTIONS)
