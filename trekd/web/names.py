"""
Operations on names: what a domain of ours needs in the DNS, and what TLS another domain asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trekd.dns.interfaces import Exchanger, IResolver
from trekd.dns.labels import a_name
from trekd.errors import NameServiceDown, NotPermitted
from trekd.relay.interfaces import IDemands
from trekd.web.collaborators import Collaborators
from trekd.web.records import compare, facts, wanted

Facts = Mapping[str, Any]


class NameOperations:
    """What is asked of name servers."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators

    async def records(self, domain: str, is_checked: bool) -> Facts:
        """
        The records that a domain needs, and our MTA-STS policy; with what is published of each when that is asked for.
        """
        name, ours = a_name(domain), self._with
        keys = [] if ours.keys is None else await ours.keys.published(name)
        policy = ours.sts_policy()
        records = wanted(ours.config(), name, keys, policy)
        rows = [facts(record) for record in records]
        if is_checked:
            resolver = self._resolver()
            for row, record in zip(rows, records, strict=True):
                try:
                    found = await compare(resolver, record)
                    is_good = found.is_good or (record.is_optional and not found.values)
                    row |= {"good": is_good, "found": found.values}
                except NameServiceDown:
                    row |= {"good": False, "found": None}
        return {"domain": name, "dkim": bool(keys), "records": rows, "mta_sts_policy": policy.decode("ascii")}

    async def tls_policy(self, domain: str) -> Facts:
        """What TLS a delivery to a domain would demand now, and how sessions with it went."""
        ours, resolver, name = self._with, self._resolver(), a_name(domain)
        if ours.demands is None or ours.counts is None:
            raise NotPermitted("no daemon runs")
        answer = await resolver.exchangers(name)
        # RFC 5321 §5.1: without MX records the domain is its own exchanger; RFC 7505 §3: unless it takes no mail.
        exchangers = answer.records or (Exchanger(0, name),)
        rows = [await _demanded(ours.demands, name, each, answer.secure) for each in exchangers if each.host]
        counted = await ours.counts.counts(name)
        sessions = [
            {"day": one.day, "exchanger": one.exchanger, "policy": one.policy, "result": one.result, "sessions": count}
            for one, count in counted
        ]
        return {"domain": name, "secure": answer.secure, "exchangers": rows, "sessions": sessions}

    def _resolver(self) -> IResolver:
        if self._with.resolver is None:
            raise NotPermitted("no names are looked up here")
        return self._with.resolver


async def _demanded(demands: IDemands, domain: str, exchanger: Exchanger, secure: bool) -> Facts:
    row = {"exchanger": exchanger.host, "preference": exchanger.preference}
    try:
        demand = await demands.of(domain, exchanger.host, secure)
    except NameServiceDown:
        return row | {"error": "no name server can tell; nothing is sent there now"}
    return row | {
        "security": demand.security.value,
        "policy": demand.policy.value,
        "names": demand.names,
        "records": [f"{one.usage} {one.selector} {one.matching} {one.association.hex()}" for one in demand.records],
        "testing": demand.testing,
        "excluded": demand.excluded,
    }
