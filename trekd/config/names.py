"""
Names: whom the host asks, and what it tells others of its own domains.
"""

from __future__ import annotations

from dataclasses import dataclass

from trekd.config.fields import setting
from trekd.config.kinds import COUNT, DAY, DURATION, HOSTNAMES, MB, NAME_SERVERS, PATH, SIZE, choice


@dataclass(frozen=True, slots=True)
class DNSConfig:
    """
    Name servers.  DANE needs one on this host that validates, such as unbound: the word of any other is not
    believed.
    """

    servers: tuple[str, ...] = setting(
        NAME_SERVERS,
        (),
        "IP addresses of name servers, in the order in which they are asked; [] = those of /etc/resolv.conf.",
        example='["127.0.0.1", "192.0.2.53", "[::1]:5353"]',
    )
    timeout: int = setting(DURATION, 3, "Wait for one server's answer.", at_least=1, at_most=30)
    attempts: int = setting(COUNT, 2, "How often each server is asked.", at_least=1, at_most=5)
    cache_size: int = setting(
        SIZE, 16 * MB, "Memory for answers that are remembered.", at_least=MB, at_most=1024 * MB
    )
    hosts_file: str = setting(
        PATH, "/etc/hosts", 'Addresses of hosts that no server is asked for; "" = none but localhost.'
    )

@dataclass(frozen=True, slots=True)
class MTASTSConfig:
    """What other servers are told of TLS to our exchangers (RFC 8461), served over https and shown by trekctl dns."""

    mode: str = setting(
        choice("none", "testing", "enforce"),
        "testing",
        "What others do when TLS to us fails: nothing, report it, or not deliver.",
    )
    exchangers: tuple[str, ...] = setting(
        HOSTNAMES,
        (),
        "The hosts that receive mail for our domains, as in their MX records; [] = server.hostname.",
        example='["mx1.example.com", "mx2.example.com"]',
    )
    max_age: int = setting(
        DURATION,
        7 * DAY,
        "How long others remember the policy.",
        at_least=DAY,
        at_most=31557600,
        because="RFC 8461 §3.2",
    )
