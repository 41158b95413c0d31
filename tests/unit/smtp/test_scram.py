"""AUTH with SCRAM-SHA-256 in submission (RFC 4954 §4, RFC 5802 §5)."""

from __future__ import annotations

import base64

import pytest

from tests.fakes.scramclient import first_message, respond
from tests.unit.smtp.support import Client
from trekd.smtp.session import SUBMISSION, SUBMISSIONS, Service

SCRAM, PLUS = "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"
BARE = first_message("alice@example.com")


def greeted(mechanisms: tuple[str, ...] = (SCRAM,), service: Service = SUBMISSIONS) -> tuple[Client, bytes]:
    """A client that said EHLO, and what it was told."""
    client = Client(service, login="", mechanisms=mechanisms)
    client.wire.transport.getHandle = lambda: None  # type: ignore[attr-defined]
    return client, client.ask(b"EHLO client")


def line(message: bytes) -> bytes:
    """A message as it is sent."""
    return base64.b64encode(message)


def challenged(answer: bytes) -> bytes:
    """The message in a 334."""
    assert answer.startswith(b"334 "), answer
    return base64.b64decode(answer[4:])


def test_mechanisms_are_offered_inside_tls() -> None:
    """As the configuration has them."""
    assert b"AUTH PLAIN LOGIN SCRAM-SHA-256\r\n" in greeted()[1]
    assert b"AUTH PLAIN LOGIN\r\n" in greeted(())[1]
    assert b"AUTH PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS\r\n" in greeted((SCRAM, PLUS))[1]


@pytest.mark.parametrize("initial", [True, False])
def test_login(initial: bool) -> None:
    """With and without initial response; the client sees our proof and agrees with an empty line."""
    client, _ = greeted()
    if initial:
        answer = client.ask(b"AUTH SCRAM-SHA-256 " + line(b"n,," + BARE))
    else:
        assert client.ask(b"AUTH SCRAM-SHA-256") == b"334 \r\n"
        answer = client.ask(line(b"n,," + BARE))
    final, expected = respond(challenged(answer), BARE, b"n,,")
    assert challenged(client.ask(line(final))) == expected
    assert client.ask(b"").startswith(b"235 2.7.0")
    assert client.ask(b"MAIL FROM:<alice@example.com>").startswith(b"250")


def test_login_bound_to_the_channel() -> None:
    """-PLUS; with another channel's data it is a wrong login."""
    binding = b"p=tls-exporter,,"
    for data, code in ((b"channel", b"334"), (b"another", b"535")):
        client, _ = greeted((SCRAM, PLUS))
        answer = client.ask(b"AUTH SCRAM-SHA-256-PLUS " + line(binding + BARE))
        final, _ = respond(challenged(answer), BARE, binding + data)
        assert client.ask(line(final)).startswith(code)


def test_wrong_password_and_unknown_name_take_the_same_steps() -> None:
    for name, password in (("alice@example.com", "wrong"), ("nobody@example.com", "pencil")):
        client, _ = greeted()
        bare = first_message(name)
        final, _ = respond(challenged(client.ask(b"AUTH SCRAM-SHA-256 " + line(b"n,," + bare))), bare, b"n,,", password)
        assert client.ask(line(final)).startswith(b"535 5.7.8")
        assert client.ask(b"MAIL FROM:<alice@example.com>").startswith(b"530")


@pytest.mark.parametrize("step", [0, 1, 2])
def test_cancel(step: int) -> None:
    """RFC 4954 §4: C{*} at any step; whoever cancels after the proof is not logged in."""
    client, _ = greeted()
    answer = client.ask(b"AUTH SCRAM-SHA-256")
    if step > 0:
        answer = client.ask(line(b"n,," + BARE))
    if step > 1:
        final, _ = respond(challenged(answer), BARE, b"n,,")
        client.ask(line(final))
    assert client.ask(b"*").startswith(b"501")
    assert client.ask(b"MAIL FROM:<alice@example.com>").startswith(b"530")
    assert client.site.realm.logouts == (step > 1)
    assert client.ask(b"AUTH PLAIN " + line(b"\0alice@example.com\0secret")).startswith(b"235")


@pytest.mark.parametrize(
    "first", [b"", b"n,,", b"y,,n=alice@example.com", b"n,a=bob@example.com," + BARE, b"p=tls-unique,," + BARE]
)
def test_malformed_first_message(first: bytes) -> None:
    """Also one that asks to act for somebody else, or to bind where nothing is bound."""
    client, _ = greeted()
    assert client.ask(b"AUTH SCRAM-SHA-256 " + (line(first) or b"=")).startswith(b"501")


def test_malformed_final_message_and_foreign_nonce() -> None:
    client, _ = greeted()
    client.ask(b"AUTH SCRAM-SHA-256 " + line(b"n,," + BARE))
    assert client.ask(line(b"c=biws,p=AAAA")).startswith(b"501")
    answer = client.ask(b"AUTH SCRAM-SHA-256 " + line(b"n,," + BARE))
    final, _ = respond(challenged(answer).replace(b"r=abc", b"r=xyz"), BARE, b"n,,")
    assert client.ask(line(final)).startswith(b"535")


def test_something_behind_our_proof_is_no_login() -> None:
    """RFC 5802 §5: the client's last message is empty."""
    client, _ = greeted()
    final, _ = respond(challenged(client.ask(b"AUTH SCRAM-SHA-256 " + line(b"n,," + BARE))), BARE, b"n,,")
    client.ask(line(final))
    assert client.ask(line(b"more")).startswith(b"501")
    assert client.ask(b"MAIL FROM:<alice@example.com>").startswith(b"530")
    assert client.site.realm.logouts == 1


def test_what_is_not_offered_is_not_there() -> None:
    client, _ = greeted(())
    assert client.ask(b"AUTH SCRAM-SHA-256 " + line(b"n,," + BARE)).startswith(b"504")
    plain, _ = greeted(service=SUBMISSION)
    assert plain.ask(b"AUTH SCRAM-SHA-256 " + line(b"n,," + BARE))[:3] in (b"530", b"538", b"503")
