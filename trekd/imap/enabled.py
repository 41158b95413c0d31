"""
What a client turned on in its session (RFC 5161), and what it says about it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Enabled:
    """
    The session's extensions; all that depends on one asks here.

    @ivar condstore: responses tell modification sequences and UIDs (RFC 7162 §3.1, §3.2.4).
    @ivar qresync: VANISHED stands for EXPUNGE (RFC 7162 §3.2.10).
    """

    condstore: bool = False
    qresync: bool = False

    def enable(self, capability: str) -> bool:
        """Turn on what ENABLE names, in upper case; whether that is known here."""
        if capability == "QRESYNC":
            self.qresync = self.condstore = True
        elif capability == "CONDSTORE":
            self.condstore = True
        else:
            return False
        return True
