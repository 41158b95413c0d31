"""
One mail transaction: MAIL, RCPT, and the message by DATA or BDAT (RFC 5321 §3.3, RFC 3030 §2).

Each recipient gets a verdict.  Nothing is sent that the server did not say it can take: a message that needs more is
refused here, in words that its sender can use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import idna

from trekd.errors import RemoteDeferred, RemoteRefused, TrekError
from trekd.queue.interfaces import Attempt, MailTransaction, Recipient
from trekd.relay.letters import Letter
from trekd.relay.replies import RemoteReply
from trekd.relay.session import Session
from trekd.relay.stuffing import DotStuffer
from trekd.relay.troubles import Unfit, outage, refusal
from trekd.relay.wire import Lost, Silence
from trekd.smtp.grammar.paths import write_mailbox
from trekd.values import Address

CHUNK = 1024 * 1024
"""Octets of one BDAT command: a server's refusal of a large message is heard after so much."""

_TOO_MANY = frozenset({452, 552})
"""Replies to RCPT that may mean: enough for one transaction (RFC 5321 §4.5.3.1.10)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What became of one recipient in one transaction.

    @ivar again: the server wants fewer recipients at once; to be sent in another transaction.
    @ivar elsewhere: not taken here and now; another host of the domain may be asked.
    """

    attempt: Attempt
    again: bool = False
    elsewhere: bool = False


class Transfer:
    """One transaction, made once and run once."""

    def __init__(self, session: Session, transaction: MailTransaction, letter: Letter) -> None:
        """
        @param session: idle, ready for MAIL.
        @param transaction: its recipients are those of this transaction with the server.
        """
        self._session = session
        self._wire = session.wire
        self._transaction = transaction
        self._letter = letter
        self._bdat = session.offers("CHUNKING")
        self._grouped = session.offers("PIPELINING")
        self._utf8 = False
        self._ended = False

    async def run(self) -> tuple[Verdict, ...]:
        """
        Do it.

        @return: a verdict for each recipient, in order.
        @raise RemoteDeferred: nothing was taken, for now.
        @raise Unfit: this host can never take the message.
        @raise RemoteRefused: nobody will.
        @raise LaneClosed: the route wants a login, or another one.
        """
        mail = self._mail()
        recipients = [(one, self._rcpt(one)) for one in self._transaction.recipients]
        lines = [line for _, line in recipients if isinstance(line, str)]
        replies, data = await self._envelope(mail, lines)
        verdicts: list[Verdict] = []
        good: list[Recipient] = []
        for recipient, line in recipients:
            verdict = self._judge(recipient, replies.pop(0), bool(good)) if isinstance(line, str) else _failed(
                recipient, line
            )
            if verdict.attempt.failure is None:
                good.append(recipient)
            verdicts.append(verdict)
        if not good:
            await self._decline(data)
            return tuple(verdicts)
        try:
            final = await self._message(data)
        except RemoteDeferred as error:
            # The recipients that were refused have their verdicts; the others may get it from the next host, unless
            # this one may have taken it.
            return tuple(
                _failed(verdict.attempt.recipient, error, elsewhere=not self._ended)
                if verdict.attempt.failure is None
                else verdict
                for verdict in verdicts
            )
        return tuple(self._finish(verdict, final) for verdict in verdicts)

    # --- What the server must be able to do -------------------------------------------------------

    def _mail(self) -> str:
        """
        The MAIL command (RFC 5321 §4.1.1.2) with what the server offers.

        @raise Unfit: it does not offer what the message needs.
        """
        session, transaction, letter = self._session, self._transaction, self._letter
        limit = session.parameter("SIZE").strip()
        if limit.isdecimal() and 0 < int(limit[:18]) < letter.size:
            text = f"takes messages of {limit} octets, this one has {letter.size}"
            raise Unfit(session.host, text, "5.3.4")
        if letter.eight_bit and not session.offers("8BITMIME"):
            # RFC 6152 §3: convert or refuse; a conversion breaks signatures.
            raise Unfit(session.host, "takes 7-bit messages only, this one has 8-bit text", "5.6.3")
        if transaction.require_tls and not (session.verified and session.offers("REQUIRETLS")):
            raise Unfit(session.host, "REQUIRETLS support required", "5.7.30")
        self._utf8 = self._needs_utf8()
        sender = transaction.reverse_path
        words = [f"MAIL FROM:<{_mailbox(sender, self._utf8) if sender else ''}>"]
        if session.offers("SIZE"):
            words.append(f"SIZE={letter.size}")
        if letter.eight_bit or (transaction.eight_bit and session.offers("8BITMIME")):
            words.append("BODY=8BITMIME")
        if self._utf8:
            words.append("SMTPUTF8")
        if transaction.require_tls:
            words.append("REQUIRETLS")
        if session.offers("DSN"):
            words += [f"RET={transaction.ret}"] if transaction.ret else []
            words += [f"ENVID={transaction.envelope_id}"] if transaction.envelope_id else []
        return " ".join(words)

    def _needs_utf8(self) -> bool:
        """
        Whether SMTPUTF8 must be asked for (RFC 6531 §3.4): an address whose local part is beyond ASCII, or a header
        that the sender declared to be; a domain alone has its A-labels.

        @raise Unfit: it must, and cannot.
        """
        transaction = self._transaction
        addresses = [one.address for one in transaction.recipients]
        if transaction.reverse_path is not None:
            addresses.append(transaction.reverse_path)
        needed = (transaction.smtputf8 and self._letter.utf8_header) or not all(
            address.local.isascii() for address in addresses
        )
        if needed and not self._session.offers("SMTPUTF8"):
            raise Unfit(self._session.host, "takes no internationalized addresses or headers", "5.6.7")
        return needed

    def _rcpt(self, recipient: Recipient) -> str | TrekError:
        """The RCPT command (RFC 5321 §4.1.1.3) with DSN parameters (RFC 3461 §5.2.1), or why there is none."""
        try:
            words = [f"RCPT TO:<{_mailbox(recipient.address, self._utf8)}>"]
        except RemoteRefused as error:
            return error
        if self._session.offers("DSN"):
            words += [f"NOTIFY={','.join(recipient.notify)}"] if recipient.notify else []
            words += [f"ORCPT={recipient.original}"] if recipient.original else []
        return " ".join(words)

    # --- The transaction ----------------------------------------------------------------------------

    async def _envelope(self, mail: str, lines: Sequence[str]) -> tuple[list[RemoteReply], RemoteReply | None]:
        """
        MAIL, all RCPT, and DATA where it is used, in one group when the server allows (RFC 2920 §3.1).

        @return: the replies to RCPT, and that to DATA if it was sent already.
        """
        session = self._session
        if not lines:
            return [], None
        seconds = session.config.command_timeout
        if not self._grouped:
            self._check_mail(await session.command(mail))
            return [await session.command(line) for line in lines], None
        commands = [mail, *lines] if self._bdat else [mail, *lines, "DATA"]
        session.write(*commands)
        first = await session.reply("MAIL", seconds)
        replies = [await session.reply("RCPT", seconds) for _ in lines]
        data = None if self._bdat else await session.reply("DATA", max(seconds, session.config.data_timeout))
        if not first.is_good:
            await self._decline(data)
        self._check_mail(first)
        return replies, data

    def _check_mail(self, reply: RemoteReply) -> None:
        if not reply.is_good:
            raise self._session.refusal(reply)

    def _judge(self, recipient: Recipient, reply: RemoteReply, has_others: bool) -> Verdict:
        """
        What a reply to RCPT means.

        @raise LaneClosed: the server wants a login.
        """
        if reply.is_good:
            return Verdict(Attempt(recipient))
        too_many = reply.reply_code in _TOO_MANY and reply.status[1:] in (".5.3", ".0.0")
        if has_others and too_many:
            return Verdict(Attempt(recipient, refusal(self._session.host, reply)), again=True)
        error = self._session.refusal(reply)
        if isinstance(error, RemoteRefused):
            if reply.reply_code == 552 and too_many:  # RFC 5321 §4.5.3.1.10: to be taken for 452
                error = RemoteDeferred(self._session.host, reply.text, "4.5.3")
            return _failed(recipient, error)
        assert isinstance(error, RemoteDeferred)
        if type(error) is not RemoteDeferred:
            raise error
        return _failed(recipient, error, elsewhere=True)

    async def _decline(self, data: RemoteReply | None) -> None:
        """
        Send nothing; a server that said 354 although it takes no recipient gets an empty message (RFC 2920 §3.1).
        """
        if data is not None and data.reply_code == 354:
            self._session.write(".")
            await self._session.reply("end of message", self._session.config.end_timeout)

    async def _message(self, data: RemoteReply | None) -> RemoteReply:
        """
        Send the message.

        @return: the reply to it, or the one that stopped it.
        """
        if self._bdat:
            return await self._by_bdat()
        session = self._session
        if data is None:
            session.write("DATA")
            data = await session.reply("DATA", session.config.data_timeout)
        if data.reply_code != 354:
            return data
        return await self._by_data()

    async def _by_data(self) -> RemoteReply:
        stuffer = DotStuffer()
        self._wire.begin_body()
        try:
            async for octets in self._letter.pieces():
                early = await self._piece(stuffer.feed(octets))
                if early is not None:
                    return early
            self._ended = True
            self._wire.write(stuffer.finish())
        except TrekError:
            self._session.abort()
            raise
        finally:
            self._wire.end_body()
        return await self._session.reply("end of message", self._session.config.end_timeout)

    async def _by_bdat(self) -> RemoteReply:
        """Chunks, each answered before the next is sent (RFC 3030 §2)."""
        left = self._letter.size
        pending = b""
        pieces = self._letter.pieces()
        self._wire.begin_body()
        try:
            while True:
                size = min(CHUNK, left)
                left -= size
                self._ended = not left
                self._wire.write(b"BDAT %d%s\r\n" % (size, b"" if left else b" LAST"))
                while size:
                    octets = pending or await anext(pieces)
                    octets, pending = octets[:size], octets[size:]
                    size -= len(octets)
                    early = await self._piece(octets)
                    if early is not None:
                        return early
                reply = await self._session.reply("BDAT", self._session.config.end_timeout)
                if not reply.is_good or not left:
                    return reply
        except StopAsyncIteration:
            self._session.abort()
            raise RemoteDeferred("", "the message became shorter while it was read", "4.3.0") from None
        except TrekError:
            self._session.abort()
            raise
        finally:
            self._wire.end_body()

    async def _piece(self, octets: bytes) -> RemoteReply | None:
        """
        Send a piece of the message.

        @return: what the server says though it was not its turn; the rest need not be sent, and cannot be: no command
            could follow it.
        """
        self._wire.write(octets)
        try:
            await self._wire.drained(self._session.config.block_timeout)
        except (Silence, Lost) as error:
            self._session.broken = True
            raise outage(self._session.host, "message", error) from None
        if not self._wire.has_spoken:
            return None
        reply = await self._session.reply("message", self._session.config.command_timeout)
        self._session.abort()
        if reply.reply_code < 400:
            raise RemoteDeferred(self._session.host, f"answered before the end: {reply.text}", "4.5.0")
        return reply

    def _finish(self, verdict: Verdict, final: RemoteReply) -> Verdict:
        """The verdict of an accepted recipient, once the message has one."""
        recipient = verdict.attempt.recipient
        if verdict.attempt.failure is not None:
            return verdict
        if not final.is_good:
            return _failed(recipient, _as_error(self._session.refusal(final)))
        dsn = self._session.offers("DSN")
        return Verdict(Attempt(recipient, host=self._session.host, reply=final.text, dsn=dsn))


def _as_error(error: Exception) -> TrekError:
    assert isinstance(error, TrekError)
    return error


def _failed(recipient: Recipient, error: TrekError, elsewhere: bool = False) -> Verdict:
    host, reply = getattr(error, "host", ""), getattr(error, "reply", "")
    return Verdict(Attempt(recipient, error, host, reply), elsewhere=elsewhere)


def _mailbox(address: Address, utf8: bool) -> str:
    """
    C{Mailbox} (RFC 5321 §4.1.2), its domain in A-labels unless the transaction is internationalized.

    @raise RemoteRefused: it cannot stand in a command.
    """
    domain = address.domain
    try:
        if not utf8 and not domain.isascii():
            domain = idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise RemoteRefused("", "the domain is no internationalized domain name", "5.1.2") from None
    text = write_mailbox(Address(address.local, domain))
    if not text.isprintable() or (not domain.startswith("[") and set(domain) & set(' <>"@\\')):
        raise RemoteRefused("", "the address has characters that no address may have", "5.1.3")
    return text
