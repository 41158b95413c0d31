"""
How clients may log in.
"""

from __future__ import annotations

from dataclasses import dataclass

from trekd.config.fields import setting
from trekd.config.kinds import choice, list_of


@dataclass(frozen=True, slots=True)
class LoginConfig:
    """How clients of IMAP and submission may log in; inside TLS only, whatever the mechanism."""

    mechanisms: tuple[str, ...] = setting(
        list_of(choice("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS")),
        ("SCRAM-SHA-256",),
        "SASL mechanisms offered beside PLAIN and LOGIN, which always are.  Only the embedded directory can; with LDAP "
        "none of these is offered.  SCRAM-SHA-256-PLUS also binds the login to the TLS connection; some clients fail "
        "when they see it offered, so it waits to be added here.",
    )
