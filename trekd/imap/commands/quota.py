"""
GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208): one quota for all that an account keeps, in octets.
"""

from __future__ import annotations

from trekd.errors import NotPermitted
from trekd.imap.grammar.commands import GetQuota, GetQuotaRoot, SetQuota
from trekd.imap.grammar.writing import mailbox, string, untagged
from trekd.imap.session import Session

_ROOT = b""
_UNIT = 1024
"""Octets that STORAGE counts in (RFC 9208 §5.1)."""
_NEARLY_FULL = 95
"""Percent of the quota from which on the client is warned."""
_NO_SUCH_ROOT = b"NO [NONEXISTENT] No such quota root"


async def get_quota(session: Session, command: GetQuota) -> bytes:
    """Tell usage and limit."""
    if command.root != _ROOT or not session.store.quota:
        return _NO_SUCH_ROOT
    session.wire.write(await _quota(session))
    return b"OK GETQUOTA completed"


async def get_quota_root(session: Session, command: GetQuotaRoot) -> bytes:
    """Tell what limits a mailbox: the account's quota, if it has one."""
    await session.store.mailbox(command.mailbox)
    roots = [string(_ROOT)] if session.store.quota else []
    session.wire.write(untagged(b"QUOTAROOT", mailbox(command.mailbox), *roots))
    if roots:
        session.wire.write(await _quota(session))
    return b"OK GETQUOTAROOT completed"


def set_quota(session: Session, command: SetQuota) -> bytes:
    """Quotas are the administrator's."""
    raise NotPermitted


async def warn(session: Session) -> None:
    """
    Tell, once in a session, that the account is nearly full (RFC 3501 §7.1, ALERT; untagged NO is a warning, §7.1.2).
    """
    quota = session.store.quota
    if not quota or session.is_warned:
        return
    octets, _ = await session.store.usage()
    percent = octets * 100 // quota
    if percent >= _NEARLY_FULL:
        session.is_warned = True
        session.wire.write(b"* NO [ALERT] Your account is %d %% full; delete something soon\r\n" % min(percent, 100))


async def _quota(session: Session) -> bytes:
    """
    Usage is rounded up, the limit down, so that there is never less room than is told; where the account is over its
    quota, the limit told is the usage (RFC 9208 §7: no less).
    """
    octets, _ = await session.store.usage()
    used = -(-octets // _UNIT)
    limit = max(session.store.quota // _UNIT, used)
    return untagged(b"QUOTA", string(_ROOT), b"(STORAGE %d %d)" % (used, limit))
