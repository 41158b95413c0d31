"""
Mail to other servers.
"""

from __future__ import annotations

from dataclasses import dataclass

from trekd.config.fields import setting
from trekd.config.kinds import NETWORKS, PATH, TEXT


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """Mail to other servers: by this host, or by users' own SMTP providers (trekctl smtp)."""

    allowed_networks: tuple[str, ...] = setting(
        NETWORKS,
        (),
        "Networks that hosts named by others, such as users' own SMTP providers, may be in although they are "
        "private, loopback, link-local or this host's own; without it such addresses are never connected to.",
        example='["192.0.2.0/28"]',
    )
    secret_key_file: str = setting(
        PATH,
        "",
        'Key that seals the passwords of own-SMTP profiles; made at first use, mode 0600; "" = '
        "keys/own-smtp.key in data_dir.  Keep a copy apart from the copies of data_dir.",
        example='"/etc/trekmail/own-smtp.key"',
    )
    own_smtp_help: str = setting(
        TEXT,
        "",
        "Where users read how to set up their own SMTP provider: an address of a page, told to those whose plan "
        "needs one and who have none.",
        example='"https://help.example.com/own-smtp"',
    )
