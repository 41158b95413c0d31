"""
The change feed: who wants to hear of commits, and telling them in the reactor's thread.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from trekd.store.interfaces import ChangeListener
from trekd.values import MailboxId, ModSeq, PrincipalId


class ChangeFeed:
    """
    Listeners by account.

    L{publish} may be called in any thread; everything else, and every listener, in the reactor's.
    """

    _log = Logger()

    def __init__(self, call_in_reactor: Callable[..., object]) -> None:
        """
        @param call_in_reactor: C{callFromThread} of the reactor: (function, *arguments), any thread.
        """
        self._call_in_reactor = call_in_reactor
        self._listeners: dict[PrincipalId, dict[object, ChangeListener]] = {}

    def subscribe(self, principal: PrincipalId, listener: ChangeListener) -> Callable[[], None]:
        """
        Call C{listener} for each change of the account from now on.

        @return: call it to end the subscription; a second call does nothing.
        """
        key = object()
        self._listeners.setdefault(principal, {})[key] = listener

        def cancel() -> None:
            listeners = self._listeners.get(principal, {})
            listeners.pop(key, None)
            if not listeners:
                self._listeners.pop(principal, None)

        return cancel

    def publish(self, principal: PrincipalId, mailbox: MailboxId, modseq: ModSeq) -> None:
        """Say that a commit changed a mailbox; the listeners hear of it soon, never within this call."""
        if principal in self._listeners:
            self._call_in_reactor(self.tell, principal, mailbox, modseq)

    def tell(self, principal: PrincipalId, mailbox: MailboxId, modseq: ModSeq) -> None:
        """Say so within this call, which is made in the reactor's thread and with nobody's work under way."""
        for key, listener in tuple(self._listeners.get(principal, {}).items()):
            if key not in self._listeners.get(principal, {}):
                continue  # an earlier listener ended this subscription
            try:
                listener(mailbox, modseq)
            except Exception:
                self._log.failure("a change listener of {principal} failed", principal=principal)
