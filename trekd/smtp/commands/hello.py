"""
EHLO, HELO and LHLO: greeting and extensions (RFC 5321 §4.1.1.1, RFC 2033 §4.1).
"""

from __future__ import annotations

from datetime import timedelta

from trekd.smtp import replies
from trekd.smtp.commands.xforward import takes_forwarded
from trekd.smtp.grammar.commands import Hello
from trekd.smtp.grammar.reply import reply
from trekd.smtp.session import Session, Stage


async def hello(session: Session, request: Hello) -> None:
    """Greet the client and end its transaction; LMTP knows LHLO only, SMTP the other two only."""
    if (request.verb == "LHLO") != session.service.lmtp:
        return session.send(replies.NOT_HERE)
    session.reset()
    session.hello = request.name
    session.is_extended = request.verb != "HELO"
    session.stage = Stage.GREETED
    lines = (session.site.hostname, *extensions(session)) if session.is_extended else (session.site.hostname,)
    return session.send(reply(250, None, *lines))


def extensions(session: Session) -> tuple[str, ...]:
    """
    The keywords of EHLO, as the session stands: STARTTLS before TLS, AUTH inside it and before the login.

    DSN is for our own users only: nobody else is sent notices from here.  LIMITS is RFC 9422 §3.
    """
    offered = [
        "PIPELINING",
        f"SIZE {session.limits.octets}",
        "8BITMIME",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
        "CHUNKING",
        f"LIMITS RCPTMAX={session.site.config.max_recipients}",
    ]
    service, config = session.service, session.site.config
    if session.secure:
        offered.append("REQUIRETLS")
    if service.is_submission:
        offered.append("DSN")
        if config.max_hold:
            latest = session.now() + timedelta(seconds=config.max_hold)
            offered.append(f"FUTURERELEASE {config.max_hold} {latest:%Y-%m-%dT%H:%M:%SZ}")
    if takes_forwarded(session):
        offered.append("XFORWARD ADDR HELO")
    if not service.lmtp and not session.secure and session.connection.can_start_tls:
        offered.append("STARTTLS")
    if service.is_submission and session.secure and session.user is None:
        offered.append(" ".join(("AUTH", "PLAIN", "LOGIN", *session.site.mechanisms.names)))
    return tuple(offered)
