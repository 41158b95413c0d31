"""
Logins in which the client proves that it has the password, and never says it: SCRAM-SHA-256 and SCRAM-SHA-256-PLUS
(RFC 5802, RFC 7677).

An exchange asks the directory for a salt and puts the client's proof together; whether the proof is good is judged by
L{trekd.portal.checkers} alone, with the keys as they are then, so that a password changed meanwhile counts.  Until then
an exchange runs alike for every name, known or not.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from zope.interface import implementer

from trekd.directory.interfaces import IScramDirectory, ScramKeys
from trekd.errors import BadCredentials, ChannelBindingImpossible, ChannelMismatch, SyntaxFault
from trekd.portal import scram
from trekd.portal.checkers import login_name
from trekd.portal.interfaces import Caller, IMechanisms, IPeerProof, IProofExchange

SCRAM = "SCRAM-SHA-256"
SCRAM_PLUS = "SCRAM-SHA-256-PLUS"

Bindings = Callable[[Any, str], bytes | None]
"""From a connection's TLS state and a type's name to the channel's data; C{None} when the channel has no such data."""


@implementer(IMechanisms)
class Mechanisms:
    """
    The mechanisms of the configuration, as far as the directory has keys.

    @ivar names: in the order in which they are offered.
    """

    def __init__(self, names: Sequence[str], directory: IScramDirectory | None, bindings: Bindings) -> None:
        """
        @param directory: C{None} for one that keeps no keys: nothing is offered.
        """
        self.names = tuple(names) if directory is not None else ()
        self._directory = directory
        self._bindings = bindings

    def begin(self, mechanism: str, caller: Caller) -> IProofExchange | None:
        """See L{IMechanisms.begin}."""
        if self._directory is None or mechanism not in self.names:
            return None
        binds = mechanism == SCRAM_PLUS
        return ScramExchange(caller, self._directory, self._bindings if binds else None, SCRAM_PLUS in self.names)


@implementer(IProofExchange)
class ScramExchange:
    """One exchange of SCRAM-SHA-256 or SCRAM-SHA-256-PLUS."""

    def __init__(
        self, caller: Caller, directory: IScramDirectory, bindings: Bindings | None, offers_binding: bool
    ) -> None:
        """
        @param bindings: for the mechanism that binds to the channel.
        @param offers_binding: whether that one was offered to the client.
        """
        self._caller = caller
        self._directory = directory
        self._bindings = bindings
        self._offers_binding = offers_binding
        self._first: scram.ClientFirst | None = None
        self._challenge = b""
        self._nonce = b""
        self._channel = b""

    async def challenge(self, message: bytes) -> bytes:
        """See L{IProofExchange.challenge}."""
        first = scram.client_first(message)
        if (first.flag == "p") != (self._bindings is not None):
            raise SyntaxFault("channel binding with the -PLUS mechanism, and only with it")
        if first.authzid not in ("", first.name):
            raise SyntaxFault("no other user to act for")
        if self._bindings is not None:
            found = self._bindings(self._caller.tls(), first.binding)
            if found is None:
                raise ChannelBindingImpossible(first.binding)
            self._channel = found
        _, keys = await self._directory.scram_keys(login_name(first.name))
        self._first = first
        self._nonce = first.nonce + secrets.token_urlsafe(18).encode()
        self._challenge = scram.server_first(self._nonce, keys)
        return self._challenge

    def proof(self, message: bytes) -> IPeerProof:
        """See L{IProofExchange.proof}."""
        first, final = self._first, scram.client_final(message)
        assert first is not None, "no challenge yet"
        # RFC 5802 §6: the client would have bound itself to the channel, had it seen our list of mechanisms.
        is_downgraded = first.flag == "y" and self._offers_binding
        is_bound = hmac.compare_digest(final.binding, first.header + self._channel)
        return PeerProof(
            self._caller,
            first.name,
            final.proof if hmac.compare_digest(final.nonce, self._nonce) else b"",
            b",".join((first.bare, self._challenge, final.unproved)),
            is_bound and not is_downgraded,
        )


@implementer(IPeerProof)
class PeerProof:
    """A client's proof; its C{repr} shows nothing of it."""

    def __init__(self, caller: Caller, username: str, proof: bytes, auth_message: bytes, is_bound: bool) -> None:
        """
        @param auth_message: what is proved; unlike that of any other exchange.
        @param is_bound: the channel is the one that the client sees.
        """
        self.username = username
        self.peer, self.service, self.session = caller.peer, caller.service, caller.session
        self._proof = proof
        self._auth_message = auth_message
        self._is_bound = is_bound
        self.answer = b""

    @property
    def guess(self) -> str:
        """See L{IPeerProof}."""
        return self._auth_message.decode("latin-1")

    def verify(self, keys: ScramKeys) -> None:
        """See L{IPeerProof.verify}."""
        if not scram.is_proved(keys, self._auth_message, self._proof):
            raise BadCredentials()
        if not self._is_bound:
            raise ChannelMismatch()
        self.answer = scram.server_final(keys, self._auth_message)

    def __repr__(self) -> str:
        return f"<PeerProof from {self.peer}>"
