"""
One SMTP session from the client's side: greeting, hello, TLS, login; one command after the other.

Whatever goes wrong is an error of L{trekd.relay.troubles}.  After one, unless it says otherwise, the session is broken
and is to be aborted.  Secrets are written and then forgotten; should a server repeat one, it is blotted out of the
reply before anybody sees it.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping

from trekd.config.relay import RelayConfig
from trekd.errors import LaneClosed, RemoteDeferred, SyntaxFault
from trekd.relay.interfaces import ITLSCheck
from trekd.relay.replies import RemoteReply
from trekd.relay.troubles import TLSFailed, Unfit, outage, refusal, tls_outage
from trekd.relay.wire import Lost, Silence, Wire

_NEEDS_LOGIN = frozenset({530, 534, 535, 538})
"""Replies that say that the login, or the lack of one, is the trouble (RFC 4954 §6)."""

_WORD = re.compile(r"[A-Za-z0-9+/=]{6,}")


class Session:
    """
    See the module.

    @ivar host: the server's name and address, for errors and logs.
    @ivar secure: TLS stands.
    @ivar verified: and the server's certificate is that of who was expected.
    @ivar has_login: a route with a login of its own: refusals for want of one close it.
    @ivar sent: messages taken by the server.
    @ivar is_between: its last message was taken, and no transaction is open: the next MAIL may follow.
    @ivar broken: nothing more can be sent.
    """

    def __init__(self, wire: Wire, host: str, config: RelayConfig) -> None:
        self.wire = wire
        self.host = host
        self.config = config
        self.secure = self.verified = self.has_login = self.is_between = self.broken = False
        self.sent = 0
        self._capabilities: Mapping[str, str] = {}
        self._blots: tuple[str, ...] = ()

    def offers(self, keyword: str) -> bool:
        """Whether the server offered an extension (RFC 5321 §2.2.1)."""
        return keyword in self._capabilities

    def parameter(self, keyword: str) -> str:
        """What the server said behind an extension's keyword."""
        return self._capabilities.get(keyword, "")

    # --- Commands and replies ---------------------------------------------------------------------

    def write(self, *commands: str) -> None:
        """Send command lines in one go."""
        self.wire.write("".join(f"{command}\r\n" for command in commands).encode())

    async def reply(self, stage: str, seconds: float) -> RemoteReply:
        """
        Wait for a reply.

        @raise RemoteDeferred: there is none, or it says that the server leaves (421, RFC 5321 §3.8).
        """
        try:
            reply = self._blotted(await self.wire.reply(seconds))
        except (Silence, Lost, SyntaxFault) as error:
            self.broken = True
            raise outage(self.host, stage, error) from None
        if reply.reply_code == 421:
            self.broken = True
            raise refusal(self.host, reply)
        return reply

    async def command(self, line: str) -> RemoteReply:
        """Send a command and wait for its reply."""
        self.write(line)
        return await self.reply(line.partition(" ")[0], self.config.command_timeout)

    def refusal(self, reply: RemoteReply) -> Exception:
        """The error for a reply; on a route with a login, the lack of one closes the route."""
        if self.has_login and reply.reply_code in _NEEDS_LOGIN:
            return LaneClosed(self.host, reply.text, reply.status)
        return refusal(self.host, reply)

    def _blotted(self, reply: RemoteReply) -> RemoteReply:
        if not self._blots:
            return reply
        return RemoteReply(reply.reply_code, tuple(map(self._blot, reply.lines)))

    def _blot(self, line: str) -> str:
        """A reply's line without the secret, whole or cut off, in clear or in base64."""
        for secret in self._blots:
            line = line.replace(secret, "***")
        return _WORD.sub(lambda word: "***" if any(word[0] in secret for secret in self._blots) else word[0], line)

    # --- Stages -------------------------------------------------------------------------------------

    async def greeting(self) -> RemoteReply:
        """
        Wait for the greeting (RFC 5321 §4.3.1).

        @raise Unfit: this host takes no mail (RFC 5321 §3.1).
        @raise RemoteDeferred: not now.
        """
        reply = await self.reply("greeting", self.config.command_timeout)
        if reply.is_permanent:
            raise Unfit(self.host, reply.text, reply.status)
        if reply.reply_code != 220:
            raise refusal(self.host, reply)
        return reply

    async def hello(self, name: str) -> RemoteReply:
        """
        C{EHLO}, C{HELO} where that is not known (RFC 5321 §3.2); learns what the server offers, and forgets what it
        offered before (RFC 3207 §4.2).

        @raise Unfit: neither is accepted.
        """
        self._capabilities = {}
        reply = await self.command(f"EHLO {name}")
        if reply.reply_code == 250:
            words = (line.partition(" ") for line in reply.lines[1:])
            self._capabilities = {keyword.upper(): rest for keyword, _, rest in words}
            return reply
        if reply.is_permanent:
            reply = await self.command(f"HELO {name}")
        if reply.is_permanent:
            raise Unfit(self.host, reply.text, reply.status)
        if reply.reply_code != 250:
            raise refusal(self.host, reply)
        return reply

    async def start_tls(self, check: ITLSCheck) -> None:
        """
        C{STARTTLS} (RFC 3207 §4).

        @raise TLSFailed: no TLS; the connection is of no use any more.
        """
        self.broken = True
        if not self.offers("STARTTLS"):
            raise TLSFailed(self.host, "does not offer STARTTLS", "4.7.4", offered=False)
        try:
            reply = await self.command("STARTTLS")
        except RemoteDeferred as error:
            raise TLSFailed(self.host, error.reply, "4.7.0") from None
        if reply.reply_code != 220:
            raise TLSFailed(self.host, f"STARTTLS: {reply.text}", "4.7.0")
        self._capabilities = {}
        await self.shake_hands(check)

    async def shake_hands(self, check: ITLSCheck) -> None:
        """
        TLS from here on.

        @raise TLSFailed: it did not come about, or not with who was expected.
        """
        self.broken = True
        try:
            await self.wire.start_tls(check, self.config.command_timeout)
        except (Silence, Lost) as error:
            if check.fault:
                raise TLSFailed(self.host, f"certificate: {check.fault}") from None
            raise tls_outage(self.host, error) from None
        complaint = check.complaint(self.wire.tls_connection())
        if complaint:
            raise TLSFailed(self.host, f"certificate: {complaint}")
        self.secure, self.broken = True, False

    async def log_in(self, user: str, secret: str) -> None:
        """
        C{AUTH PLAIN}, or C{LOGIN} where only that is offered (RFC 4954 §4, RFC 4616 §2); once, and inside TLS only.

        @raise LaneClosed: refused; more attempts would only lock the account.
        @raise RemoteDeferred: not now.
        """
        assert self.secure, "a password in clear"
        self.has_login = True
        plain = _base64(f"\0{user}\0{secret}")
        self._blots = tuple(filter(None, (plain, _base64(secret), secret)))
        mechanisms = self.parameter("AUTH").upper().split()
        if "PLAIN" in mechanisms:
            reply = await self.command(f"AUTH PLAIN {plain}")
        elif "LOGIN" in mechanisms:
            reply = await self._log_in_by_prompts(user, secret)
        else:
            raise LaneClosed(self.host, "offers no login that we know (PLAIN, LOGIN)", "4.7.0")
        if reply.reply_code == 235:
            return
        if reply.is_permanent:
            raise LaneClosed(self.host, reply.text, reply.status)
        raise refusal(self.host, reply)

    async def _log_in_by_prompts(self, user: str, secret: str) -> RemoteReply:
        """C{LOGIN}: two prompts, whose text is of no interest (draft-murchison-sasl-login-00 §2.1)."""
        reply = await self.command("AUTH LOGIN")
        for answer in (user, secret):
            if reply.reply_code != 334:
                return reply
            self.write(_base64(answer))
            reply = await self.reply("AUTH", self.config.command_timeout)
        return reply

    async def reset(self) -> bool:
        """
        C{RSET} on a session that was idle.

        @return: whether the session can be used.
        """
        if self.broken or self.wire.has_spoken:
            return False
        self.write("RSET")
        try:
            return (await self.reply("RSET", self.config.connect_timeout)).is_good
        except RemoteDeferred:
            return False

    def quit(self) -> None:
        """Say goodbye, without waiting for an answer, and close."""
        if self.broken:
            return self.abort()
        self.broken = True
        self.write("QUIT")
        return self.wire.close()

    def abort(self) -> None:
        """Close; the server can mistake what it got of a message for no whole one (RFC 5321 §4.1.1.10)."""
        self.broken = True
        self.wire.abort()


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")
