"""L{trekd.relay.relay}: one attempt from the message to the verdicts, over sockets of this host."""

from __future__ import annotations

from tests.unit.relay.relaycase import MESSAGE, RelayCase


class Delivery(RelayCase):
    """By MX records."""

    async def test_a_message_arrives(self) -> None:
        remote = self.remote()
        (attempt,) = await self.send(self.relay())
        assert attempt.failure is None
        assert attempt.reply == "250 2.0.0 taken"
        assert attempt.host == "mx.remote.example[127.0.0.1]"
        assert remote.messages[0].octets == MESSAGE
        assert remote.messages[0].mail.startswith(b"MAIL FROM:<a@example.com>")

    async def test_tls_is_used_when_it_is_offered(self) -> None:
        remote = self.tls_remote()
        (attempt,) = await self.send(self.relay())
        assert attempt.failure is None
        assert remote.messages[0].secure
