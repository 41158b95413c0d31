"""
What accounts and addresses may use: plans, connections, failed logins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trekd.config.fields import setting
from trekd.config.kinds import COUNT, DAY, DURATION, GB, HOUR, MINUTE, NETWORKS, SHARE, SIZE, choice


@dataclass(frozen=True, slots=True)
class PlanConfig:
    """One plan: what an account may use.  0 = no limit, for every number."""

    connections_per_ip: int = setting(
        COUNT,
        10,
        "Concurrent IMAP connections of one mailbox from one address (see ipv6_prefix).",
        at_most=100_000,
    )
    connections_total: int = setting(
        COUNT, 15, "Concurrent IMAP connections of one mailbox in all.", at_most=100_000
    )
    outbound: str = setting(
        choice("own-smtp-only", "any"),
        "own-smtp-only",
        "Mail to other domains: only through the user's own SMTP provider, or any way.",
    )
    messages_per_day: int = setting(
        COUNT, 1000, "Messages to other domains in any 24 hours; mail to addresses of this server is never counted."
    )
    messages_per_hour: int | None = setting(
        SHARE, None, 'The same in any hour; "auto" = a fifth of messages_per_day.'
    )
    recipients_per_message: int = setting(
        COUNT, 0, "Outside recipients of one message, when fewer than [smtp] max_recipients allows."
    )
    message_size: int = setting(
        SIZE, 0, "Largest message to other domains, when smaller than [smtp] max_message."
    )
    new_recipients_per_day: int = setting(
        COUNT, 200, "Outside recipients in any 24 hours that the account never wrote to before."
    )
    quota: int = setting(
        SIZE,
        5 * GB,
        "Storage of mail, calendars, contacts and files, unless the account has a quota of its own.",
    )

    @property
    def hourly(self) -> int:
        """Messages to other domains in any hour; 0 for no limit."""
        if self.messages_per_hour is not None:
            return self.messages_per_hour
        return -(-self.messages_per_day // 5)


PLANS: Mapping[str, PlanConfig] = {
    "nano": PlanConfig(),
    "starter": PlanConfig(25, 40, "any", quota=10 * GB),
    "pro": PlanConfig(50, 80, "any", messages_per_day=2000, new_recipients_per_day=500, quota=50 * GB),
    "agency": PlanConfig(100, 150, "any", messages_per_day=5000, new_recipients_per_day=1000, quota=100 * GB),
}
"""The plans that exist without being written."""


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """Connections and login failures, over all protocols."""

    scope: str = setting(
        choice("mailbox", "subscription"),
        "mailbox",
        "Whose connections share a plan's slots: those of one mailbox, or of all mailboxes with the same "
        "subscription id.",
    )
    trusted_networks: tuple[str, ...] = setting(
        NETWORKS,
        (),
        "Webmail hosts and the like: not counted per address, their failures not either.",
        example='["192.0.2.10/32"]',
    )
    proxy_networks: tuple[str, ...] = setting(
        NETWORKS,
        (),
        "Load balancers whose connections begin with a PROXY header (version 1 or 2), which tells the client's "
        "address; from these networks every connection to IMAP, SMTP and HTTP ports must have one, from others "
        "none is believed.",
        example='["192.0.2.20/32"]',
    )
    ipv6_prefix: int = setting(
        COUNT, 64, "Leading bits of an IPv6 address that count as one address.", at_least=32, at_most=128
    )
    unauthenticated_per_ip: int = setting(
        COUNT,
        50,
        "Connections of one address that have not logged in, over IMAP, submission, HTTPS and HTTP together.",
        at_least=1,
        at_most=100_000,
    )
    failures_per_ip: int = setting(
        COUNT,
        50,
        "Failed logins of one address within failure_window before it is told to try later.",
        at_least=1,
    )
    failures_per_account: int = setting(
        COUNT,
        100,
        "Failed logins for one account within failure_window before it is told to try later.",
        at_least=1,
    )
    failure_window: int = setting(
        DURATION, 10 * MINUTE, "How long a failed login counts.", at_least=1, at_most=7 * DAY
    )
    failure_delay: int = setting(
        DURATION,
        2,
        "The wait before a failed login is answered; it doubles with each further failure.",
        at_most=MINUTE,
    )
    failure_delay_max: int = setting(DURATION, 15, "The longest such wait.", at_most=5 * MINUTE)
    heartbeat_interval: int = setting(
        DURATION,
        2 * MINUTE,
        "How often connections are looked over for peers that vanished without a word.",
        at_least=5,
        at_most=HOUR,
    )
