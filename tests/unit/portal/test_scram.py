"""The messages of SCRAM-SHA-256 and whole exchanges (RFC 5802, RFC 7677)."""

from __future__ import annotations

import base64

import pytest

from tests.fakes.imapsite import ALICE, Client, IMAPSite, now
from tests.fakes.scramclient import KEYS, FakeScramDirectory, respond
from trekd.errors import BadCredentials, ChannelBindingImpossible, SyntaxFault
from trekd.portal import scram
from trekd.portal.exchanges import Mechanisms, ScramExchange
from trekd.portal.interfaces import Caller

CALLER = Caller("203.0.113.7", "imap", "s1", object)
PROOF = b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
NONCE = b"rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"


def exchange(names: tuple[str, ...], name: str, channel: bytes | None = None) -> ScramExchange:
    begun = Mechanisms(names, FakeScramDirectory(ALICE), lambda tls, kind: channel).begin(name, CALLER)  # type: ignore[arg-type]
    assert isinstance(begun, ScramExchange)
    return begun


PLAIN, PLUS = "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"


def test_example_of_the_rfc() -> None:
    """RFC 7677 §3, to the octet."""
    first = scram.client_first(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
    challenge = scram.server_first(NONCE, KEYS)
    assert challenge == b"r=" + NONCE + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    final = scram.client_final(b"c=biws,r=" + NONCE + b",p=" + PROOF)
    message = b",".join((first.bare, challenge, final.unproved))
    assert scram.is_proved(KEYS, message, final.proof)
    assert not scram.is_proved(KEYS, message + b"x", final.proof)
    assert scram.server_final(KEYS, message) == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@pytest.mark.parametrize("message", [b"", b"n,,", b"n,,m=1,n=a,r=b", b"n,,n=a=,r=b", b"n,,n=a,r=", b"p=,,n=a,r=b"])
def test_bad_first_message(message: bytes) -> None:
    with pytest.raises(SyntaxFault):
        scram.client_first(message)


def test_right_proof_is_bound_to_the_channel() -> None:
    """RFC 5802 §6: another channel, and another flag, are refused."""
    bare = b"n=alice@example.com,r=abc"
    for binding, good in ((b"p=tls-exporter,,channel", True), (b"p=tls-exporter,,other", False), (b"n,,", False)):
        begun = exchange((PLAIN, PLUS), PLUS, b"channel")
        challenge = now(begun.challenge(b"p=tls-exporter,," + bare))
        final, answer = respond(challenge, bare, binding)
        proof = begun.proof(final)
        if good:
            proof.verify(KEYS)
            assert proof.answer == answer
        else:
            with pytest.raises(BadCredentials):
                proof.verify(KEYS)
            assert proof.answer == b""


def test_stripped_offer_is_noticed() -> None:
    """RFC 5802 §6: "y" although -PLUS was offered."""
    bare = b"n=alice@example.com,r=abc"
    for names, good in (((PLAIN, PLUS), False), ((PLAIN,), True)):
        begun = exchange(names, PLAIN)
        final, _ = respond(now(begun.challenge(b"y,," + bare)), bare, b"y,,")
        if good:
            begun.proof(final).verify(KEYS)
        else:
            with pytest.raises(BadCredentials):
                begun.proof(final).verify(KEYS)


def test_impossible_binding_is_told() -> None:
    with pytest.raises(ChannelBindingImpossible):
        now(exchange((PLAIN, PLUS), PLUS, None).challenge(b"p=tls-unique,,n=a@b.c,r=abc"))


def test_imap_session_logs_in_and_refuses_alike() -> None:
    """Known, wrong and unknown take the same steps; the client must agree before it is in."""
    site = IMAPSite()
    site.checker._keys = FakeScramDirectory(ALICE)  # type: ignore[assignment]
    site.factory.services = type(site.factory.services)(
        site.portal,
        Mechanisms((PLAIN,), FakeScramDirectory(ALICE), lambda tls, kind: None),  # type: ignore[arg-type]
        site.store,
        site.config,
        "h",
    )

    def attempt(name: bytes, password: str) -> tuple[Client, list[str]]:
        client = Client(site)
        assert b"AUTH=SCRAM-SHA-256]" in client.read()
        bare = b"n=" + name + b",r=abc"
        said = client.ask("a AUTHENTICATE SCRAM-SHA-256 " + base64.b64encode(b"n,," + bare).decode())
        final, answer = respond(base64.b64decode(said[0][2:]), bare, b"n,,", password)
        client.send(base64.b64encode(final) + b"\r\n")
        site.reactor.advance(20)
        said = client.read().decode().split("\r\n")[:-1]
        if said[0].startswith("+ "):
            assert base64.b64decode(said[0][2:]) == answer
        return client, said

    client, _ = attempt(b"alice@example.com", "pencil")
    assert client.ask("")[-1].startswith("a OK [CAPABILITY")
    refusals = [attempt(*each)[1] for each in ((b"alice@example.com", "wrong"), (b"nobody@example.com", "pencil"))]
    assert refusals[0] == refusals[1] == ["a NO [AUTHENTICATIONFAILED] Authentication failed"]
    cancelled, _ = attempt(b"alice@example.com", "pencil")
    assert cancelled.ask("*") == ["a BAD AUTHENTICATE cancelled"]
    assert cancelled.ask("b SELECT INBOX") == ["b BAD Log in first"]
