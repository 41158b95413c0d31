"""
COMPRESS (RFC 4978).
"""

from __future__ import annotations

from trekd.imap.grammar.commands import Compress
from trekd.imap.session import Session


def compress(session: Session, command: Compress) -> bytes | None:
    """Answer in clear; what follows is compressed in both directions (RFC 4978 §3)."""
    if command.mechanism != "DEFLATE":
        return b"BAD Unknown compression mechanism"
    if session.wire.is_compressed:
        return b"NO [COMPRESSIONACTIVE] DEFLATE is active already"
    session.complete(command.tag, b"OK DEFLATE active")
    session.wire.start_compression()
    return None
