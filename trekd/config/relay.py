"""
Mail to other servers.
"""

from __future__ import annotations

from dataclasses import dataclass

from trekd.config.fields import setting
from trekd.config.kinds import COUNT, DURATION, HOUR, MINUTE, NETWORKS, PATH, TEXT, choice


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """Mail to other servers: by their MX records, through a smart host, or through users' own SMTP servers."""

    smarthost: str = setting(
        TEXT,
        "",
        'Server that takes all mail to other domains, "host:port"; "" = delivery by MX records.',
        example='"smtp.example.net:587"',
    )
    smarthost_tls: str = setting(
        choice("implicit", "starttls", "none"),
        "starttls",
        'TLS with the smart host, its certificate verified: from the start, by STARTTLS, or none, which is for this '
        "host's own Postfix and the like.",
    )
    smarthost_user: str = setting(TEXT, "", 'Login at the smart host; "" = none.')
    smarthost_password_file: str = setting(
        PATH, "", "File whose first line is the password.", example='"/etc/trekmail/smarthost.secret"'
    )
    tls: str = setting(
        choice("opportunistic", "required"),
        "opportunistic",
        "TLS with other domains' servers: when they offer it, or never without.  MTA-STS and DANE may demand more.",
    )
    trusted: str = setting(
        PATH, "", 'Certificates of the authorities to trust, PEM; "" = those of the system.'
    )
    allowed_networks: tuple[str, ...] = setting(
        NETWORKS,
        (),
        "Networks that other domains' and users' own servers may be in though they are private, loopback or this "
        "host's own.",
        example='["10.0.0.0/8"]',
    )
    mx_port: int = setting(COUNT, 25, "Port of mail exchangers.", at_least=1, at_most=65535)
    max_hosts: int = setting(
        COUNT, 5, "Addresses of a domain's servers tried in one attempt.", at_least=2, at_most=50
    )
    max_recipients: int = setting(
        COUNT,
        100,
        "Recipients in one transaction with another server.",
        at_least=1,
        at_most=10_000,
        because="RFC 5321 §4.5.3.1.8",
    )
    connect_timeout: int = setting(DURATION, 30, "Wait for a connection.", at_least=1, at_most=10 * MINUTE)
    command_timeout: int = setting(
        DURATION,
        5 * MINUTE,
        "Wait for the greeting, for TLS and for replies to commands.",
        at_least=10,
        at_most=HOUR,
        because="RFC 5321 §4.5.3.2",
    )
    data_timeout: int = setting(
        DURATION, 2 * MINUTE, "Wait for the reply to DATA.", at_least=10, at_most=HOUR, because="RFC 5321 §4.5.3.2.4"
    )
    block_timeout: int = setting(
        DURATION,
        3 * MINUTE,
        "Wait for a server to read a piece of a message.",
        at_least=10,
        at_most=HOUR,
        because="RFC 5321 §4.5.3.2.5",
    )
    end_timeout: int = setting(
        DURATION,
        10 * MINUTE,
        "Wait for the reply to a whole message; shorter means duplicates.",
        at_least=MINUTE,
        at_most=HOUR,
        because="RFC 5321 §4.5.3.2.6",
    )
    idle_time: int = setting(
        DURATION, 30, "How long a connection waits for another message; 0 = not at all.", at_most=5 * MINUTE
    )
    max_messages: int = setting(COUNT, 100, "Messages over one connection.", at_least=1, at_most=100_000)
    max_idle: int = setting(COUNT, 200, "Connections that wait for another message.", at_most=10_000)
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
