"""
DATA and BDAT: the message itself (RFC 5321 §4.1.1.4, RFC 3030 §2, RFC 2033 §4.2).

Whatever is wrong with the message or the state, its octets are read to their end before the reply: none of
them is ever taken for a command.
"""

from __future__ import annotations

from twisted.logger import Logger

from trekd.errors import Broken, TrekError
from trekd.mime.addresses import from_addresses
from trekd.queue.interfaces import MailTransaction, Outcome
from trekd.smtp import replies
from trekd.smtp.grammar.commands import Chunk, Data
from trekd.smtp.grammar.data import ChunkReader, DataReader
from trekd.smtp.grammar.paths import write_path
from trekd.smtp.grammar.reply import Reply, reply
from trekd.smtp.headers import HeaderFilter, Rewrite, Trace, reception, refuses_tls_policy, submission
from trekd.smtp.intake import Intake
from trekd.smtp.interfaces import Arrival
from trekd.smtp.reception import Examined
from trekd.smtp.session import Draft, Session, Stage

log = Logger()


async def data(session: Session, request: Data) -> None:
    """Take a message up to CRLF.CRLF."""
    draft = _draft(session)
    intake = draft.intake = _intake(session, draft)
    reader = DataReader(session.limits)
    session.send(replies.GO_AHEAD)
    session.data_begins()
    while not reader.done:
        await intake.take(reader.feed(await session.octets()))
    session.stream.unread(reader.rest)
    await intake.finish(reader.fault)
    await _deliver(session, draft, intake)


async def bdat(session: Session, request: Chunk) -> None:
    """Take a chunk of a message, and the message when it is the last one."""
    session.data_begins()
    if session.stage not in (Stage.RECIPIENTS, Stage.CHUNKS):
        return await _refuse_chunk(session, request)
    draft = _draft(session)
    if draft.intake is None or draft.chunks is None:
        try:
            draft.intake, draft.chunks = _intake(session, draft), ChunkReader(session.limits)
        except Exception:
            await _read_chunk(session, ChunkReader(session.limits), request, None)
            raise
        session.stage = Stage.CHUNKS
    await _read_chunk(session, draft.chunks, request, draft.intake)
    if request.last:
        await draft.intake.take(draft.chunks.finish())
    if request.last or draft.chunks.fault is not None:
        await draft.intake.finish(draft.chunks.fault)
    if request.last:
        return await _deliver(session, draft, draft.intake)
    if draft.intake.fault is not None:
        session.reset()
        raise draft.intake.fault
    return session.send(reply(250, "2.0.0", f"{request.size} octets received"))


async def _refuse_chunk(session: Session, request: Chunk) -> None:
    """There is no transaction for this chunk: read it all the same (RFC 3030 §2)."""
    await _read_chunk(session, ChunkReader(session.limits), request, None)
    session.reset()
    if session.user is None and session.service.is_submission:
        session.send(replies.NEED_LOGIN if session.secure else replies.NEED_TLS)
    else:
        session.send(replies.NEED_RECIPIENT)


async def _read_chunk(session: Session, chunks: ChunkReader, request: Chunk, intake: Intake | None) -> None:
    chunks.expect(request.size)
    while not chunks.done:
        pieces = chunks.feed(await session.octets())
        if intake is not None:
            await intake.take(pieces)
    session.stream.unread(chunks.rest)


def _draft(session: Session) -> Draft:
    draft = session.draft
    assert draft is not None  # the stage says so
    return draft


def _intake(session: Session, draft: Draft) -> Intake:
    return Intake(session.site.flow.receive(), HeaderFilter(_rewrite(session, draft)))


def _rewrite(session: Session, draft: Draft) -> Rewrite:
    """What this message's header is to go through."""
    config, service, user = session.site.config, session.service, session.user
    hidden = config.hide_client_address and service.is_submission
    trace = Trace(
        hostname=session.site.hostname,
        client="" if hidden else _client(session),
        protocol=_protocol(session, draft.mail.utf8),
        id=draft.id,
        only=draft.recipients[0].address if len(draft.recipients) == 1 else None,
        now=session.now(),
    )
    if user is None:
        return reception(trace, config.max_received)
    return submission(trace, user.account, config.require_own_sender, config.max_received)


def _protocol(session: Session, utf8: bool) -> str:
    """How the message came: C{ESMTPSA}, C{LMTP} and so on (RFC 3848, RFC 6531 §4.3)."""
    if session.service.lmtp:
        return "UTF8LMTP" if utf8 else "LMTP"
    if not session.is_extended:
        return "SMTP"
    kind = "UTF8SMTP" if utf8 else "ESMTP"
    return kind + ("S" if session.secure else "") + ("A" if session.user is not None else "")


def _client(session: Session) -> str:
    """C{Extended-Domain} (RFC 5321 §4.4); a client on a local socket has no address."""
    peer = session.connection.peer
    return f"{session.hello} ([{'IPv6:' if ':' in peer else ''}{peer}])" if peer else session.hello


async def _deliver(session: Session, draft: Draft, intake: Intake) -> None:
    """Hand a complete message to the mail flow; the reply leaves when it is durable."""
    try:
        if intake.fault is not None:
            raise intake.fault
        examined = await _examine(session, draft, intake)
        outcomes = await session.site.flow.accept(_transaction(session, draft, examined), examined.message)
    except Exception as error:
        session.log_our_fault(error)
        failure = error if isinstance(error, TrekError) else Broken()
        outcomes = tuple(Outcome(recipient, failure) for recipient in draft.recipients)
    _log(session, draft, intake, outcomes)
    session.reset()
    if any(outcome.failure is None for outcome in outcomes):
        session.message_accepted()
    for answer in _replies(session, draft, outcomes):
        session.send(answer)


async def _examine(session: Session, draft: Draft, intake: Intake) -> Examined:
    """
    Look at mail of other servers before it is taken.

    @raise TrekError: it is not.
    """
    origin, reception = session.origin, session.site.reception
    if not session.service.exchange and not (session.service.lmtp and reception.config.verify_lmtp):
        is_true = session.service.lmtp and reception.config.lmtp_verified
        return Examined(intake.sink, author=_author_domain(intake.header) if is_true else "")
    recipients = tuple(one.address for one in draft.recipients)
    arrival = Arrival(draft.id, origin.client, origin.hello, draft.mail.reverse_path, recipients)
    return await reception.examine(arrival, intake.header, intake.sink)


def _transaction(session: Session, draft: Draft, examined: Examined) -> MailTransaction:
    mail, header = draft.mail, draft.intake.header if draft.intake is not None else b""
    return MailTransaction(
        reverse_path=mail.reverse_path,
        recipients=tuple(draft.recipients),
        principal=session.user.account.principal if session.user is not None else None,
        smtputf8=mail.utf8,
        eight_bit=mail.eight_bit,
        envelope_id=mail.envid or "",
        ret=mail.ret or "",
        require_tls=mail.require_tls,
        tls_optional=not mail.require_tls and refuses_tls_policy(header),
        hold_until=draft.hold_until,
        junk=examined.junk,
        one_reply=not session.service.lmtp,
        author=examined.author,
    )


def _author_domain(header: bytes) -> str:
    """The one domain of the author; '' when there is none, or more."""
    domains = {address.rpartition("@")[2].lower() for address in from_addresses(header)}
    return domains.pop() if len(domains) == 1 else ""


def _replies(session: Session, draft: Draft, outcomes: tuple[Outcome, ...]) -> tuple[Reply, ...]:
    """
    One reply for all, or on LMTP one for each recipient (RFC 2033 §4.2).

    A message that is durable for one recipient was accepted (RFC 5321 §6.1): the client must not send it
    again.
    """
    accepted = reply(250, "2.0.0", f"OK, queued as {draft.id}")
    each = tuple(accepted if one.failure is None else replies.answer(one.failure) for one in outcomes)
    if session.service.lmtp:
        return each
    return (next((one for one in each if not one.is_error), each[0]),)


def _log(session: Session, draft: Draft, intake: Intake, outcomes: tuple[Outcome, ...]) -> None:
    """One line for each recipient."""
    for outcome in outcomes:
        refused = f"refused, {type(outcome.failure).__name__}"
        log.info(
            "message {id} from {sender} to {recipient}, {octets} octets: {outcome}",
            id=draft.id,
            sender=write_path(draft.mail.reverse_path),
            recipient=write_path(outcome.recipient.address),
            octets=intake.sink.size,
            outcome=refused if outcome.failure is not None else f"accepted, {outcome.recipient.route.kind.value}",
            principal=session.user.account.principal if session.user is not None else None,
            peer=session.connection.peer,
            session=session.connection.session,
        )
