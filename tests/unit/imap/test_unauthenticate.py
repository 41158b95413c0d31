"""UNAUTHENTICATE as clients see it (RFC 8437)."""

from __future__ import annotations

import zlib

from tests.fakes.imapsite import PASSWORD, Client, IMAPSite
from trekd.config.schema import PlanConfig


def refused(site: IMAPSite, client: Client) -> bytes:
    """The answer to a wrong password, which may take its time."""
    client.send(b"b LOGIN alice@example.com wrong\r\n")
    for _ in range(20):
        if client.pending():
            break
        site.reactor.advance(1)
    return client.read()


def small() -> IMAPSite:
    """A site whose accounts have one connection each."""
    return IMAPSite(PlanConfig(connections_per_ip=1, connections_total=1))


def test_the_slot_is_free_and_another_can_log_in() -> None:
    site = small()
    client = site.user()
    assert client.ask("a UNAUTHENTICATE")[-1].startswith("a OK")
    other = Client(site).log_in()
    assert client.ask(f"b LOGIN alice@example.com {PASSWORD}")[-2].startswith("b NO [UNAVAILABLE]")
    assert not other.closed


def test_pipelined_with_the_next_login() -> None:
    """RFC 8437 §3."""
    client = small().user().select()
    client.send(f"a UNAUTHENTICATE\r\nb LOGIN bob@example.com {PASSWORD}\r\nc FETCH 1 UID\r\n".encode())
    lines = client.read().decode().split("\r\n")
    assert [line[:5] for line in lines if line[1:2] == " " and line[0] != "*"] == ["a OK ", "b OK ", "c BAD"]


def test_everything_is_forgotten() -> None:
    """RFC 8437 §4.1: what was enabled, the mailbox, NOTIFY; and no command of the account works."""
    site = small()
    client = site.user()
    client.ask("a ENABLE QRESYNC")
    client.select()
    client.ask("b NOTIFY SET (personal (MessageNew MessageExpunge))")
    client.ask("c UNAUTHENTICATE")
    for command in ("STATUS INBOX (MESSAGES)", "FETCH 1 FLAGS", "UNAUTHENTICATE", "NOOP"):
        answer = client.ask(f"d {command}")
        assert len(answer) == 1 and answer[0].startswith("d OK" if command == "NOOP" else "d BAD")
    assert "AUTH=PLAIN" in client.ask("e CAPABILITY")[0]
    client.log_in()
    site.fill(1)
    assert client.ask("f NOOP") == ["f OK NOOP completed"]
    assert client.ask("g SELECT INBOX (QRESYNC (1 1))")[-1].startswith("g BAD")


def test_it_is_no_way_to_guess_without_end() -> None:
    """Failed logins of the connection go on being counted, and it must log in again in time."""
    site = IMAPSite()
    client = site.user()
    most = site.config.max_auth_failures
    for _ in range(most - 1):
        assert client.ask("a UNAUTHENTICATE")[-1].startswith("a ")
        assert refused(site, client).startswith(b"b NO")
        client.log_in()
    client.ask("c UNAUTHENTICATE")
    assert b"* BYE " in refused(site, client)
    assert client.closed
    late = site.user()
    late.ask("a UNAUTHENTICATE")
    site.reactor.advance(site.config.login_timeout + 1)
    assert late.closed


def test_a_compressed_connection_ends() -> None:
    """RFC 8437 §3: BYE, never NO."""
    client = IMAPSite().user()
    client.ask("z COMPRESS DEFLATE")
    out = zlib.compressobj(wbits=-15)
    client.send(out.compress(b"a UNAUTHENTICATE\r\n") + out.flush(zlib.Z_SYNC_FLUSH))
    assert zlib.decompressobj(-15).decompress(client.read()).startswith(b"* BYE ")
    assert client.closed
