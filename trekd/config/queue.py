"""
The keys of the queue.
"""

from __future__ import annotations

from dataclasses import dataclass

from trekd.config.fields import setting
from trekd.config.kinds import COUNT, DAY, DURATION, HOUR, MINUTE


@dataclass(frozen=True, slots=True)
class QueueConfig:
    """Outbound mail that waits, in data_dir/queue."""

    retry_first: int = setting(
        DURATION, 450, "Wait after the first failed attempt; it doubles with each further one.", at_least=10
    )
    retry_max: int = setting(DURATION, 8 * HOUR, "The longest wait between attempts.", at_least=MINUTE)
    max_age: int = setting(
        DURATION,
        2 * DAY,
        "When to give up and tell the sender.",
        at_least=HOUR,
        at_most=30 * DAY,
    )
    delay_notice: int = setting(DURATION, 4 * HOUR, "When to tell the sender that delivery is late; 0 = never.")
    max_messages: int = setting(
        COUNT, 100_000, "Messages that may wait before more are told to try later.", at_least=100
    )
    concurrency: int = setting(
        COUNT, 100, "Messages on their way to other servers at the same time.", at_least=1, at_most=10_000
    )
    lane_concurrency: int = setting(
        COUNT,
        20,
        "The most of these to one destination: a domain, the smart host, or one user's own SMTP provider.  It begins "
        "with 2 and grows while deliveries succeed.",
        at_least=1,
        at_most=1000,
    )
    suppression: int = setting(
        DURATION,
        14 * DAY,
        "How long an address that another server does not know is refused to the account that wrote there; 0 = never.",
        at_most=366 * DAY,
    )
