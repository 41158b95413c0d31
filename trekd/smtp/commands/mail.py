"""
MAIL, RCPT and RSET: the envelope of a message (RFC 5321 §4.1.1.2, §4.1.1.3, §4.1.1.5).
"""

from __future__ import annotations

from twisted.logger import Logger

from trekd.errors import MessageTooLarge, TrekError, UnknownParameter
from trekd.queue.interfaces import Recipient as Accepted
from trekd.smtp import replies
from trekd.smtp.grammar.commands import Mail, Recipient, Reset
from trekd.smtp.grammar.paths import write_path
from trekd.smtp.grammar.reply import reply
from trekd.smtp.policy import check_reverse_path
from trekd.smtp.session import Draft, Session, Stage
from trekd.values import Address

log = Logger()


async def mail(session: Session, request: Mail) -> None:
    """Begin a transaction when the sender is the account's own and the announced size fits."""
    if not request.utf8 and not _is_ascii(request.reverse_path):
        return session.send(replies.NEED_SMTPUTF8)
    if request.size is not None and request.size > session.limits.octets:
        raise MessageTooLarge(session.limits.octets)
    if (request.wants_dsn or request.hold is not None) and not session.service.is_submission:
        raise UnknownParameter("esmtp-keyword")
    if request.require_tls and not session.secure:
        return session.send(replies.NEED_TLS_TO_REQUIRE_IT)
    if _held_until(session, request) > session.site.time_of_day() + session.site.config.max_hold:
        return session.send(replies.HOLD_TOO_LONG)
    if session.user is not None and session.site.config.require_own_sender:
        check_reverse_path(session.user.account, request.reverse_path)
    session.draft = Draft(request, hold_until=_held_until(session, request))
    session.stage = Stage.MAIL
    return session.send(reply(250, "2.1.0", "Sender OK"))


async def rcpt(session: Session, request: Recipient) -> None:
    """Take a recipient when there is a route to it; the same address twice gets one copy."""
    draft, address = session.draft, request.forward_path
    assert draft is not None  # the stage says so
    if len(draft.recipients) >= session.site.config.max_recipients:
        return session.send(replies.TOO_MANY_RECIPIENTS)
    if not draft.mail.utf8 and not _is_ascii(address):
        return session.send(replies.NEED_SMTPUTF8)
    if request.wants_dsn and not session.service.is_submission:
        raise UnknownParameter("esmtp-keyword")
    account = session.user.account if session.user is not None else None
    try:
        route = await session.site.flow.resolve(account, address, draft.recipients, draft.mail.size or 0)
        if account is None:
            await _admit(session, draft, address)
    except TrekError as error:
        _log_refusal(session, address, error)
        raise
    draft.recipients.append(Accepted(address, route, request.notify, request.orcpt or ""))
    session.stage = Stage.RECIPIENTS
    return session.send(reply(250, "2.1.5", "Recipient OK"))


async def _admit(session: Session, draft: Draft, recipient: Address) -> None:
    """
    What mail of other servers must pass beside having a route.

    @raise TrekError: no room, or greylisted.
    """
    site, mail = session.site, draft.mail
    await site.flow.check_room(recipient, mail.size or 0)
    if session.service.exchange:
        site.reception.check_recipient(session.connection.peer, mail.reverse_path, recipient)


def _held_until(session: Session, request: Mail) -> float:
    """When the message may leave, in Unix seconds; 0 for at once, which a time that is past is too (RFC 4865 §4)."""
    if request.hold is None:
        return 0.0
    now = session.site.time_of_day()
    if request.hold.until is None:
        return now + (request.hold.seconds or 0)
    until = request.hold.until.timestamp()
    return until if until > now else 0.0


async def rset(session: Session, request: Reset) -> None:
    """End the transaction."""
    session.reset()
    session.send(replies.RESET)


def _is_ascii(address: Address | None) -> bool:
    return address is None or (address.local.isascii() and address.domain.isascii())


def _log_refusal(session: Session, address: Address, error: TrekError) -> None:
    log.info(
        "recipient {recipient} refused: {reason}",
        recipient=write_path(address),
        reason=type(error).__name__,
        principal=session.user.account.principal if session.user is not None else None,
        peer=session.connection.peer,
        session=session.connection.session,
    )
