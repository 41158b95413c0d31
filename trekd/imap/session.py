"""
A client's session: its state, its user, its mailbox (RFC 3501 §3).

One command runs at a time; L{trekd.imap.dispatch} runs it and answers it, the modules under
L{trekd.imap.commands} do what it asks.  After each C{await} a command finds the session as it left it, for
nothing else changes it, but the store may have changed meanwhile: what the client knows of that is C{selected}.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from twisted.cred.portal import Portal
from twisted.logger import Logger
from twisted.python.failure import Failure

from trekd.config.schema import IMAPConfig
from trekd.errors import NoSuchMailbox, Unavailable
from trekd.imap.capabilities import after_login, before_login
from trekd.imap.enabled import Enabled
from trekd.imap.grammar.fragments import CommandOctets
from trekd.imap.notifications import OVERFLOW, Notifications
from trekd.imap.responses import SERVER_BUG, answer, highest_modseq
from trekd.imap.selected import EVERYTHING, SelectedMailbox
from trekd.imap.wire import Hangup, Wire
from trekd.portal.interfaces import ILease, IMailUser, IMechanisms, Logout
from trekd.store.interfaces import IAccountStore, IStore
from trekd.values import MailboxId, MailboxName, ModSeq

_LOG = Logger()


class State(enum.Enum):
    """RFC 3501 §3."""

    NOT_AUTHENTICATED = "not authenticated"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"
    LOGOUT = "logout"


@dataclass(frozen=True, slots=True)
class Services:
    """What all sessions of a listener share."""

    portal: Portal
    mechanisms: IMechanisms
    store: IStore
    config: IMAPConfig
    hostname: str


class Session:
    """
    One client.

    @ivar lease: its connection in the ledger.
    @ivar user: C{None} before login.
    @ivar selected: C{None} but in the selected state.
    @ivar client: the client's name and version from ID, for the log and trekctl.
    @ivar bad_commands: how many commands in a row were answered C{BAD}.
    @ivar login_failures: wrong passwords on this connection.
    @ivar is_idling: in IDLE.
    @ivar is_warned: the client was told that the account is nearly full.
    @ivar enabled: the extensions that the client turned on.
    @ivar notifications: what the client is told of unasked, C{None} before its first NOTIFY.
    @ivar next_command: a command read where something else was expected, to be run before further input.
    """

    __slots__ = (
        "_logout",
        "_unsubscribe",
        "bad_commands",
        "client",
        "enabled",
        "is_idling",
        "is_warned",
        "lease",
        "login_failures",
        "next_command",
        "notifications",
        "selected",
        "services",
        "state",
        "user",
        "wire",
    )

    MAX_BAD_COMMANDS = 20
    """A client that sends so many bad commands in a row talks another protocol."""

    def __init__(self, services: Services, wire: Wire, lease: ILease) -> None:
        self.services = services
        self.wire = wire
        self.lease = lease
        self.state = State.NOT_AUTHENTICATED
        self.user: IMailUser | None = None
        self.selected: SelectedMailbox | None = None
        self.client = ""
        self.enabled = Enabled()
        self.bad_commands = 0
        self.login_failures = 0
        self.is_idling = False
        self.is_warned = False
        self.next_command: CommandOctets | None = None
        self.notifications: Notifications | None = None
        self._logout: Logout | None = None
        self._unsubscribe: Callable[[], None] | None = None

    # --- What commands ask for ----------------------------------------------------------------------

    @property
    def config(self) -> IMAPConfig:
        """Section C{[imap]}."""
        return self.services.config

    @property
    def store(self) -> IAccountStore:
        """The user's mailboxes; only after login."""
        assert self.user is not None
        return self.user.store

    @property
    def mailbox(self) -> SelectedMailbox:
        """The selected mailbox; only in the selected state."""
        assert self.selected is not None
        return self.selected

    @property
    def capabilities(self) -> bytes:
        """What CAPABILITY lists now."""
        if self.state is State.NOT_AUTHENTICATED:
            names = self.services.mechanisms.names
            return before_login(self.wire.is_secure, self.wire.can_start_tls, names)
        return after_login(self.config.max_message)

    # --- Login and logout ---------------------------------------------------------------------------

    def enter(self, user: IMailUser, logout: Logout) -> None:
        """The client logged in."""
        self.user = user
        self._logout = logout
        self.state = State.AUTHENTICATED
        self.wire.logged_in()

    def forget_user(self) -> None:
        """Be as before login (RFC 8437 §3, §4.1); the connection's slot is free."""
        self.notifications = None
        self.deselect()
        logout, self._logout = self._logout, None
        if logout is not None:
            logout()
        self.user = None
        self.enabled = Enabled()
        self.is_warned = False
        self.state = State.NOT_AUTHENTICATED
        self.wire.logged_out()

    def leave(self) -> None:
        """The connection is gone: give back what the session holds."""
        self.notifications = None
        self.deselect()
        self.state = State.LOGOUT
        logout, self._logout = self._logout, None
        if logout is not None:
            logout()

    def bye(self, text: bytes) -> None:
        """Say why, and close."""
        if self.state is not State.LOGOUT:
            self.wire.write(b"* BYE " + text + b"\r\n")
            self.state = State.LOGOUT
        self.wire.close()

    # --- The selected mailbox -----------------------------------------------------------------------

    def select(self, selected: SelectedMailbox) -> None:
        """Enter the selected state; nothing was selected before."""
        self.selected = selected
        self.state = State.SELECTED

    def watch(self) -> None:
        """Ask for the store's hints, before the mailbox is read, so that none falls in between."""
        if self._unsubscribe is None and self.user is not None:
            self._unsubscribe = self.services.store.subscribe(self.user.account.principal, self._store_changed)

    def deselect(self) -> None:
        """Leave the selected state, if it is that."""
        if self.notifications is None:
            unsubscribe, self._unsubscribe = self._unsubscribe, None
            if unsubscribe is not None:
                unsubscribe()
        if self.selected is not None:
            self.selected = None
            self.state = State.AUTHENTICATED

    def _store_changed(self, mailbox: MailboxId, modseq: ModSeq) -> None:
        selected, notifications = self.selected, self.notifications
        is_news = selected is not None and mailbox == selected.id and selected.hint(modseq)
        if notifications is not None:
            is_news = notifications.hint(mailbox) or is_news
            if is_news and not self.is_idling:
                self.wire.attend()
        if is_news and self.is_idling:
            self.wire.wake()

    def has_news(self, expunge: bool) -> bool:
        """Whether L{announce} may have something to say."""
        notifications = self.notifications
        if notifications is not None and notifications.is_stale and self.state is not State.LOGOUT:
            return True
        selected = self.selected
        if selected is None or self.state is not State.SELECTED:
            return False
        if notifications is not None and notifications.selected is None:
            return selected.owes_answer
        return selected.needs_announcement(expunge, self.wire.now())

    def has_news_between_commands(self) -> bool:
        """Whether a client that asked for notifications is owed some while no command runs (RFC 5465 §3.1)."""
        notifications = self.notifications
        if notifications is None or notifications.is_resting:
            return False
        return self.has_news(expunge=not notifications.delays_expunges)

    async def announce_between_commands(self) -> None:
        """Tell what L{has_news_between_commands} found; a store that cannot be read is asked with the next hint."""
        notifications = self.notifications
        if notifications is not None:
            try:
                await self.announce(expunge=not notifications.delays_expunges, uid=True)
            except Unavailable:
                notifications.rest()

    async def announce(self, expunge: bool, uid: bool) -> None:
        """
        Tell the client what happened in its mailbox, and in others when it asked for that.

        When the mailbox is gone, the session ends with BYE (RFC 2180 §3.3): a client that is told nothing
        would go on with sequence numbers that mean nothing.

        @param expunge: whether EXPUNGE responses are allowed now.
        @param uid: whether FETCH responses must have the UID.
        """
        notifications = self.notifications
        if self.selected is not None:
            # What a client's own command did it is told of, whatever it asked for.
            wanted = notifications.selected if notifications is not None else EVERYTHING
            if wanted is not None or self.selected.owes_answer:
                try:
                    await self.selected.announce(
                        self.wire, expunge, uid or notifications is not None, wanted or EVERYTHING
                    )
                except NoSuchMailbox:
                    self.deselect()
                    self.bye(b"The selected mailbox was deleted")
                    raise Hangup from None
        if notifications is not None and notifications.is_stale:
            await self._announce_others(notifications)

    def caused(self, name: MailboxName, arrived: int = 0, gone: int = 0) -> None:
        """The client's command changed another mailbox's counters so: that is no news to it (RFC 5465 §5)."""
        if self.notifications is not None:
            self.notifications.cause_counters(name, arrived, gone)

    def caused_names(self, *names: MailboxName) -> None:
        """The client's command made, removed, renamed, subscribed or unsubscribed these names."""
        if self.notifications is not None:
            self.notifications.cause_names(*names)

    def caused_entries(self, mailbox: MailboxId, entries: Iterable[str]) -> None:
        """The client's command set or removed these annotations of a mailbox."""
        if self.notifications is not None:
            self.notifications.cause_entries(mailbox, entries)

    async def _announce_others(self, notifications: Notifications) -> None:
        selected = self.selected.id if self.selected is not None else None
        news = await notifications.news(self.store, selected, self.enabled)
        if news is None:
            self.notifications = Notifications(())
            news = OVERFLOW
        self.wire.write(news)

    def enable(self, capability: str) -> bool:
        """
        Turn on an extension, by ENABLE or by its use.

        The selected mailbox's modification sequence is told once they are asked for (RFC 7162 §3.1).

        @param capability: in upper case.
        @return: whether there is such an extension.
        """
        had_condstore = self.enabled.condstore
        is_known = self.enabled.enable(capability)
        if self.selected is not None and self.enabled.condstore and not had_condstore:
            self.wire.write(highest_modseq(self.selected.modseq))
        return is_known

    # --- Answers ------------------------------------------------------------------------------------

    def complete(self, tag: bytes, text: bytes) -> None:
        """End a command with its tagged response."""
        self.wire.write(tag + b" " + text + b"\r\n")
        if not text.startswith(b"BAD"):
            self.bad_commands = 0
            return
        self.bad_commands += 1
        if self.bad_commands >= self.MAX_BAD_COMMANDS:
            self.bye(b"Too many bad commands")

    def refuse(self, tag: bytes, error: BaseException) -> None:
        """End a command with the answer for an error; what is our fault is logged whole."""
        self.complete(tag, self.explain(error))

    def explain(self, error: BaseException) -> bytes:
        """The answer for an error; what is our fault is logged whole."""
        reply = answer(error)
        if reply is SERVER_BUG:
            _LOG.failure(
                "IMAP command failed for {principal} from {peer}",
                failure=Failure(error),
                principal=self.user.account.principal if self.user else None,
                peer=self.wire.peer,
                session=self.wire.session,
                mailbox=str(self.selected.name) if self.selected else None,
            )
        return bytes(reply)
