"""
NOOP and CHECK (RFC 3501 §6.1.2, §6.4.1): both only fetch what happened, which every command does in the end.
"""

from __future__ import annotations

from trekd.imap.grammar.commands import Check, Noop
from trekd.imap.session import Session


def noop(session: Session, command: Noop) -> bytes:
    """Do nothing."""
    return b"OK NOOP completed"


def check(session: Session, command: Check) -> bytes:
    """Nothing to do: each change is durable before it is answered."""
    return b"OK CHECK completed"
