"""
One row of the table of commands.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from trekd.imap.grammar.commands import Command
from trekd.imap.session import Session, State

Outcome = bytes | None | Awaitable[bytes | None]
"""The text after the tag, now or later; C{None} when the command answered itself."""

ANY_STATE = frozenset({State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED})
BEFORE_LOGIN = frozenset({State.NOT_AUTHENTICATED})
AFTER_LOGIN = frozenset({State.AUTHENTICATED, State.SELECTED})
SELECTED = frozenset({State.SELECTED})


@dataclass(frozen=True, slots=True)
class Row:
    """
    What is known of a command.

    @ivar states: where it is allowed.
    @ivar rfc: where it is specified.
    @ivar by_seq: it names messages by sequence number unless it is the UID form, so no EXPUNGE may be sent
        during it (RFC 3501 §7.4.1).
    """

    states: frozenset[State]
    rfc: str
    function: Callable[[Session, Any], Outcome]
    by_seq: bool = False

    def may_expunge(self, command: Command) -> bool:
        """Whether EXPUNGE responses may be sent at the end of the command."""
        return not self.by_seq or bool(getattr(command, "uid", False))
