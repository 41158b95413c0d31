"""Keywords: as many as clients like (RFC 3501 §2.3.2), and the registered ones (RFC 5788, RFC 8457)."""

from __future__ import annotations

import pytest

from tests.fakes.imapsite import IMAPSite


@pytest.mark.parametrize("keyword", ["$Important", "$Forwarded", "$MDNSent", "$Junk", "NonJunk", "$label1"])
def test_registered_keywords(keyword: str) -> None:
    """RFC 8457 §2: $Important is a keyword like the others; spelled as it was first, found in any letter case."""
    site = IMAPSite()
    client = site.user()
    site.fill(2)
    client.select()
    assert f"* 1 FETCH (FLAGS (\\Recent {keyword}))" in client.ask(f"a STORE 1 +FLAGS ({keyword})")
    assert client.ask(f"b SEARCH KEYWORD {keyword.lower()}")[0] == "* SEARCH 1"
    assert client.ask(f"c SEARCH UNKEYWORD {keyword.upper()}")[0] == "* SEARCH 2"
    assert any(keyword in line for line in client.ask("d SELECT INBOX") if line.startswith("* FLAGS"))
    client.ask(f"e STORE 1 -FLAGS ({keyword})")
    assert not any(keyword in line for line in client.ask("f SELECT INBOX") if line.startswith("* FLAGS"))


def test_thousands_of_keywords_in_one_mailbox() -> None:
    """All are told, kept and found; a client may still make more."""
    site = IMAPSite()
    client = site.user()
    site.fill(6)
    client.select()
    names = [f"k{number:05}" for number in range(5000)]
    for seq in range(1, 6):
        some = " ".join(names[1000 * (seq - 1) : 1000 * seq])
        assert client.ask(f"a STORE {seq} +FLAGS.SILENT ({some})")[-1].startswith("a OK")
    lines = client.ask("b SELECT INBOX")
    (told,) = (line for line in lines if line.startswith("* FLAGS"))
    assert set(names) <= set(told.strip("()").split())
    assert any("PERMANENTFLAGS" in line and line.partition(")]")[0].endswith("\\*") for line in lines)
    assert client.ask("c SEARCH KEYWORD k04321")[0] == "* SEARCH 5"
    assert client.ask("d STORE 6 +FLAGS.SILENT (one-more)")[-1].startswith("d OK")
    assert client.ask("e COPY 1:6 Archive")[-1].startswith("e OK")
    assert site.check() == ()
