"""
EHLO, HELO and LHLO: greeting and extensions (RFC 5321 §4.1.1.1, RFC 2033 §4.1).
"""

from __future__ import annotations

from trekd.smtp import replies
from trekd.smtp.grammar.commands import Hello
from trekd.smtp.grammar.reply import reply
from trekd.smtp.session import Session, Stage


async def hello(session: Session, request: Hello) -> None:
    """Greet the client and end its transaction; LMTP knows LHLO only, SMTP the other two only."""
    if (request.verb == "LHLO") != session.service.lmtp:
        return session.send(replies.NOT_HERE)
    session.reset()
    session.hello = request.name
    session.stage = Stage.GREETED
    extended = request.verb != "HELO"
    lines = (session.site.hostname, *extensions(session)) if extended else (session.site.hostname,)
    return session.send(reply(250, None, *lines))


def extensions(session: Session) -> tuple[str, ...]:
    """
    The keywords of EHLO, as the session stands: STARTTLS before TLS, AUTH inside it and before the login.
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
    if not session.service.lmtp:
        if not session.secure and session.connection.can_start_tls:
            offered.append("STARTTLS")
        if session.secure and session.user is None:
            offered.append("AUTH PLAIN LOGIN")
    return tuple(offered)
