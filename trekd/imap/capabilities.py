"""
What the server says it can do: one list before login, another after it (RFC 3501 §6.1.1).

Before login only what helps to log in is named, so that nothing is learnt about the server without a password.  None is
told untagged unless it is asked for (quirk C{one-capability}).
"""

from __future__ import annotations

from collections.abc import Sequence

_AFTER_LOGIN = (
    b"IMAP4rev1 LITERAL+ SASL-IR ID IDLE ENABLE NAMESPACE CHILDREN UIDPLUS UNSELECT MOVE MULTIAPPEND ESEARCH "
    b"SEARCHRES CONDSTORE QRESYNC LIST-EXTENDED LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE STATUS=SIZE QUOTA "
    b"QUOTA=RES-STORAGE NOTIFY METADATA LIST-METADATA COMPRESS=DEFLATE "
    b"OBJECTID SAVEDATE UNAUTHENTICATE "
    b"BINARY REPLACE CATENATE PREVIEW SORT SORT=DISPLAY ESORT WITHIN I18NLEVEL=1 "
    b"THREAD=ORDEREDSUBJECT THREAD=REFERENCES"
)
_BEFORE_LOGIN = b"IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE"


def after_login(max_message: int) -> bytes:
    """
    The list for a client that has logged in.

    @param max_message: of APPEND, in octets (RFC 7889 §2).
    """
    return b"%b APPENDLIMIT=%d" % (_AFTER_LOGIN, max_message)


def before_login(secure: bool, can_start_tls: bool, mechanisms: Sequence[str] = ()) -> bytes:
    """
    The list for a client that has not logged in.

    @param secure: whether TLS protects the connection; no mechanism is offered without it, and LOGIN is
        disabled (RFC 3501 §6.2.3).
    @param can_start_tls: whether STARTTLS would be accepted now.
    @param mechanisms: those beside PLAIN and LOGIN.
    """
    if secure:
        return _BEFORE_LOGIN + b"".join(b" AUTH=" + each.encode() for each in ("PLAIN", "LOGIN", *mechanisms))
    return _BEFORE_LOGIN + (b" STARTTLS" if can_start_tls else b"") + b" LOGINDISABLED"
