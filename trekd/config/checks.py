"""
What no single key can say: checks of keys against each other.

A check leaves alone what is already complained of, so that one mistake gives one complaint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from trekd.config.complaints import Complaints
from trekd.config.directory import LDAPConfig
from trekd.config.fields import declarations
from trekd.config.schema import Config, ListenConfig

_NEEDS_TLS = ("imaps", "imap", "submissions", "submission", "https")
"""Listeners that are of no use without a certificate: TLS from the start, or logins only after STARTTLS."""


def check(config: Config, complaints: Complaints) -> None:
    """
    Run every check.
    """
    for one in (_listeners, _certificates, _sni, _plans, _plan_names, _ldap, _ldap_transport, _smarthost, _durations):
        one(config, complaints)


def _endpoints(listen: ListenConfig) -> Iterator[tuple[str, str]]:
    for name in declarations(ListenConfig):
        for endpoint in getattr(listen, name):
            yield name, endpoint


def _listeners(config: Config, complaints: Complaints) -> None:
    seen: dict[str, str] = {}
    for name, endpoint in _endpoints(config.listen):
        other = seen.setdefault(_address_of(endpoint), name)
        if other != name:
            if not complaints.is_written(("listen", name)):
                name, other = other, name
            complaints.add(("listen", name), f"{endpoint} is also listed for {other}")
    if config.listen.http and not config.listen.https:
        complaints.add(("listen", "http"), "redirects to https, which is off")
    if not seen:
        complaints.add(("listen",), "every service is off")


def _address_of(endpoint: str) -> str:
    """What of an endpoint can be taken only once; port 0 is a new port each time."""
    if re.fullmatch(r"tcp6?:(port=)?0(:.*)?", endpoint):
        return f"{id(endpoint)}"
    address = re.sub(r":(mode|backlog|lockfile)=[^:]*", "", endpoint)
    return re.sub(r"(?<=:)(port|address)=", "", address)


def _certificates(config: Config, complaints: Complaints) -> None:
    tls = config.tls
    if tls.certificate and not tls.key:
        complaints.add(("tls", "key"), "is missing, certificate is set")
    if tls.key and not tls.certificate:
        complaints.add(("tls", "certificate"), "is missing, key is set")
    users = [name for name in _NEEDS_TLS if getattr(config.listen, name)]
    if users and not tls.certificate and not tls.key:
        complaints.add(
            ("tls", "certificate"), f"is missing, [listen] {', '.join(users)} cannot do without TLS"
        )


def _sni(config: Config, complaints: Complaints) -> None:
    seen: set[str] = set()
    for place, row in enumerate(config.tls.sni):
        path = ("tls", "sni", place, "names")
        if not row.names:
            complaints.add(path, "names no host")
        for name in row.names:
            if name in seen:
                complaints.add(path, f"{name} has another certificate already")
        seen.update(row.names)
    if config.tls.sni and not config.tls.certificate:
        complaints.add(("tls", "certificate"), "is missing, clients that send no host name need one")


def _plans(config: Config, complaints: Complaints) -> None:
    for name, plan in config.plans.items():
        path = ("plans", name, "connections_per_ip")
        if path not in complaints.found and 0 < plan.connections_total < plan.connections_per_ip:
            complaints.add(path, f"more than connections_total = {plan.connections_total}")


def _plan_names(config: Config, complaints: Complaints) -> None:
    directory = config.directory
    named = [
        (("directory", "local", "default_plan"), directory.local.default_plan),
        (("directory", "ldap", "default_plan"), directory.ldap.default_plan),
    ]
    rows = enumerate(directory.ldap.plans)
    named += [(("directory", "ldap", "plans", place, "plan"), row.plan) for place, row in rows]  # type: ignore[misc]
    for path, plan in named:
        if plan not in config.plans:
            complaints.add(path, f"no such plan; there are {', '.join(config.plans)}")


_FILTERS = {
    "filter": ("{user}", "{addr}", "{local}", "%u", "%n"),
    "recipient_filter": ("{addr}", "{user}", "{local}", "%u", "%n"),
    "group_filter": ("{addr}", "{user}", "{local}", "%u", "%n"),
}
"""Filters of [directory.ldap], each with the placeholders of which it needs one."""


def _ldap(config: Config, complaints: Complaints) -> None:
    if config.directory.backend != "ldap":
        return
    ldap = config.directory.ldap
    for name, needed in _ldap_needs(ldap).items():
        if needed and not getattr(ldap, name):
            complaints.add(("directory", "ldap", name), needed)
    for name, placeholders in _FILTERS.items():
        path = ("directory", "ldap", name)
        text = getattr(ldap, name)
        if not text and name == "group_filter":
            continue
        if not any(each in text for each in placeholders):
            complaints.add(path, f"does not contain {placeholders[0]}")
        elif not _is_balanced(text):
            complaints.add(path, "must be one filter in balanced parentheses (RFC 4515 §3)")


def _ldap_needs(ldap: LDAPConfig) -> dict[str, str]:
    """Keys that LDAP needs, each with the complaint when it is empty."""
    by_template = ldap.auth == "template"
    return {
        "uris": 'is missing, backend = "ldap" needs it',
        "base": 'is missing, backend = "ldap" needs it',
        "attr_mail": "must not be empty",
        "bind_password_file": "is missing, bind_dn is set" if ldap.bind_dn else "",
        "bind_dn": "is missing, bind_password_file is set" if ldap.bind_password_file else "",
        "user_dn_template": 'is missing, auth = "template" needs it' if by_template else "",
    }


def _is_balanced(text: str) -> bool:
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth <= 0 and place < len(text) - 1:
            return False
    return depth == 0


def _ldap_transport(config: Config, complaints: Complaints) -> None:
    if config.directory.backend != "ldap":
        return
    ldap = config.directory.ldap
    clear = [uri for uri in ldap.uris if uri.startswith("ldap://")]
    if ldap.starttls and len(clear) < len(ldap.uris):
        complaints.add(
            ("directory", "ldap", "starttls"), "is for ldap:// URIs, ldaps:// has TLS from the start"
        )
    exposed = [uri for uri in clear if not _is_loopback(uri)]
    if exposed and not ldap.starttls and not ldap.allow_cleartext:
        reason = f"{exposed[0]} would send passwords in clear; use ldaps://, starttls or allow_cleartext"
        complaints.add(("directory", "ldap", "uris"), reason)


def _is_loopback(uri: str) -> bool:
    host = uri.removeprefix("ldap://").rstrip("/")
    host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]@/]+):([0-9]{1,5})")


def _smarthost(config: Config, complaints: Complaints) -> None:
    relay = config.relay
    found = _HOST_AND_PORT.fullmatch(relay.smarthost)
    if relay.smarthost and (found is None or not 0 < int(found[2]) < 65536):
        complaints.add(("relay", "smarthost"), "must be a host and a port, such as smtp.example.net:587")
    if relay.smarthost_user and not relay.smarthost_password_file:
        complaints.add(("relay", "smarthost_password_file"), "is missing, smarthost_user is set")
    if relay.smarthost_user and relay.smarthost_tls == "none":
        complaints.add(("relay", "smarthost_tls"), "a password is never sent without TLS")


def _durations(config: Config, complaints: Complaints) -> None:
    queue, limits = config.queue, config.limits
    ordered = (
        ("queue", "retry_first", queue.retry_first, "retry_max", queue.retry_max),
        ("queue", "retry_max", queue.retry_max, "max_age", queue.max_age),
        ("queue", "delay_notice", queue.delay_notice, "max_age", queue.max_age),
        ("limits", "failure_delay", limits.failure_delay, "failure_delay_max", limits.failure_delay_max),
    )
    for section, low, lower, high, higher in ordered:
        bad = {(section, low), (section, high)} & complaints.found
        if lower > higher and not bad:
            complaints.add((section, low), f"more than {high} ({higher} seconds)")
