"""
Mail from other servers: what is checked before it is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from trekd.config.fields import setting
from trekd.config.kinds import COUNT, DAY, DURATION, HOUR, MINUTE, NAMES, NETWORKS, SWITCH, TEXT, choice


@dataclass(frozen=True, slots=True)
class ReceptionConfig:
    """Mail from other servers, on the smtp listener and, where it says so, over LMTP."""

    dmarc: str = setting(
        choice("enforce", "quarantine", "off"),
        "enforce",
        "What a failed DMARC check does where the author's domain asks for it: refuse or quarantine as asked, "
        "only quarantine (into Junk), or nothing but a line in the header.",
    )
    spf_fail: str = setting(
        choice("accept", "reject"),
        "accept",
        "Mail that fails SPF: leave it to DMARC, or refuse it.  Refusing breaks forwarded mail.",
    )
    forwarders: tuple[str, ...] = setting(
        NETWORKS,
        (),
        "Servers that forward mail to us, such as a second MX or mailing lists: what they send is not stopped by "
        "SPF, DMARC, greylisting or greet_delay.",
        example='["192.0.2.30/32"]',
    )
    verify_lmtp: bool = setting(
        SWITCH,
        False,
        "Check mail that comes over LMTP too; the MTA in front must tell where it came from "
        "(Postfix: lmtp_send_xforward_command = yes).",
    )
    lmtp_verified: bool = setting(
        SWITCH,
        False,
        "The MTA in front refuses mail whose author is forged (DMARC): what comes over LMTP is from whom it says, so "
        "that answers to invitations count.",
    )
    greet_delay: int = setting(
        DURATION,
        1,
        "Wait before the greeting on the smtp listener; who speaks first is sent away.",
        at_most=MINUTE,
    )
    greylisting: bool = setting(
        SWITCH, False, "Ask unknown senders to come back, which many senders of junk do not."
    )
    greylist_delay: int = setting(
        DURATION, 5 * MINUTE, "The earliest time to come back.", at_least=10, at_most=DAY
    )
    greylist_retry: int = setting(
        DURATION, 2 * DAY, "How long a first attempt is remembered.", at_least=HOUR, at_most=30 * DAY
    )
    greylist_keep: int = setting(
        DURATION, 36 * DAY, "How long a sender that came back stays known after its last mail.", at_least=DAY
    )
    greylist_entries: int = setting(
        COUNT, 100_000, "Senders remembered, in memory; the oldest are forgotten first.", at_least=1000
    )
    filters: tuple[str, ...] = setting(
        NAMES, (), 'Content scanners that see each message, in order: "rspamd" or a plugin\'s name.'
    )
    filters_down: str = setting(
        choice("accept", "defer"),
        "accept",
        "When a scanner gives no verdict: take the message without it, or ask the sender to come back.",
    )
    rspamd_url: str = setting(
        TEXT, "http://127.0.0.1:11333", 'Where rspamd\'s scanner listens, for filters = ["rspamd"].'
    )
    rspamd_timeout: int = setting(
        DURATION, 30, "The longest wait for rspamd.", at_least=1, at_most=5 * MINUTE
    )
