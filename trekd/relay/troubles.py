"""
What goes wrong with one host, as errors of the tree: whether another host is worth trying is in their class.

C{RemoteDeferred}: this host, now; the next one may do.  L{Unfit}: this host, for good; the next one may do.
C{RemoteRefused} otherwise: a verdict on the mail, no other host is asked.  C{LaneClosed}: a verdict on the route.
"""

from __future__ import annotations

from OpenSSL import SSL

from trekd.errors import RemoteDeferred, RemoteRefused, SyntaxFault
from trekd.relay.replies import RemoteReply
from trekd.relay.wire import Lost, Silence


class Unfit(RemoteRefused):
    """This host will not do, whatever it is asked; another exchanger of the domain may."""


class TLSFailed(RemoteDeferred):
    """
    TLS did not come about, or not with who was expected.

    @ivar offered: the host offered STARTTLS.
    """

    def __init__(self, host: str, reply: str, status: str = "4.7.5", offered: bool = True) -> None:
        super().__init__(host, reply, status)
        self.offered = offered


def refusal(host: str, reply: RemoteReply) -> RemoteRefused | RemoteDeferred:
    """
    The error for a reply that is not what was hoped for: 5yz is final, all else is for now (RFC 5321 §4.2.1).
    """
    if reply.is_permanent:
        return RemoteRefused(host, reply.text, reply.status)
    status = reply.status if reply.reply_code // 100 == 4 else "4.5.0"
    return RemoteDeferred(host, reply.text, status)


def outage(host: str, stage: str, error: Exception) -> RemoteDeferred:
    """
    The error for a connection that broke.

    @param stage: what was being done, such as C{MAIL}.
    @param error: L{Silence}, L{Lost} or L{SyntaxFault}.
    """
    if isinstance(error, Silence):
        return RemoteDeferred(host, f"no answer in time ({stage})", "4.4.2")
    if isinstance(error, SyntaxFault):
        return RemoteDeferred(host, f"an answer that is no SMTP reply ({stage})", "4.5.0")
    return RemoteDeferred(host, f"closed the connection ({stage})", "4.4.2")


def tls_outage(host: str, error: Silence | Lost) -> TLSFailed:
    """The error for a handshake that failed; the reason is OpenSSL's, which holds no secret."""
    reason = "no answer in time" if isinstance(error, Silence) else "the connection was closed"
    cause = error.reason.value if isinstance(error, Lost) and error.reason is not None else None
    if isinstance(cause, SSL.Error) and cause.args:
        reason = ", ".join(str(row[-1]) for row in cause.args[0] if row)[:200] or reason
    return TLSFailed(host, f"TLS failed: {reason}")
