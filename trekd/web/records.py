"""
The DNS records that a domain of ours needs, and whether what is published is as good.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from trekd.config.schema import Config
from trekd.dns.interfaces import IResolver, Service
from trekd.dns.labels import a_name
from trekd.web.setup.agents import digest_record
from trekd.web.setup.settings import client_settings, port_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    A record that should be published.

    @ivar name: A-labels, without the dot at the end; so in C{value}, where only whole names have one.
    @ivar value: as in a zone file, but the text of a TXT record as it is.
    @ivar purpose: in a few words.
    @ivar is_optional: few programs look for it, so nothing there is as good; another value is not.
    """

    name: str
    kind: str
    value: str
    purpose: str
    is_optional: bool = False


def wanted(config: Config, domain: str, keys: Sequence[tuple[str, str]], policy: bytes) -> tuple[Wanted, ...]:
    """
    What a domain needs.

    @param domain: A-labels.
    @param keys: name and text of each record of a DKIM key.
    @param policy: our own MTA-STS policy, as it is served.
    """
    return (*_mail(config, domain, keys), *_sts(config, domain, policy), *_clients(config, domain))


def _mail(config: Config, domain: str, keys: Sequence[tuple[str, str]]) -> Iterator[Wanted]:
    exchangers = config.mta_sts.exchangers or (config.server.hostname,)
    for place, host in enumerate(exchangers, 1):
        yield Wanted(domain, "MX", f"{10 * place} {a_name(host)}.", "where its mail goes")
    yield Wanted(domain, "TXT", "v=spf1 mx ~all", "SPF: who may send in its name")
    for name, text in keys:
        yield Wanted(name, "TXT", text, "DKIM: the key of its signatures")
    yield Wanted(
        f"_dmarc.{domain}", "TXT", f"v=DMARC1; p=quarantine; rua=mailto:postmaster@{domain}", "DMARC: what of forgeries"
    )


def _sts(config: Config, domain: str, policy: bytes) -> Iterator[Wanted]:
    host = a_name(config.server.hostname)
    if config.mta_sts.mode != "none":
        identifier = hashlib.sha256(policy).hexdigest()[:20]
        yield Wanted(f"_mta-sts.{domain}", "TXT", f"v=STSv1; id={identifier}", "MTA-STS: there is a policy")
        yield Wanted(f"mta-sts.{domain}", "CNAME", f"{host}.", "MTA-STS: where the policy is")
    rua = f"v=TLSRPTv1; rua=mailto:postmaster@{domain}"
    yield Wanted(f"_smtp._tls.{domain}", "TXT", rua, "TLS-RPT: where reports go")


def _clients(config: Config, domain: str) -> Iterator[Wanted]:
    """RFC 6186 §3, RFC 8314 §5.1, RFC 6764 §3, and what programs guess."""
    listen, host = config.listen, a_name(config.server.hostname)
    web = port_of(listen.https, 443)
    for service, endpoints, usual, priority in (
        ("submissions", listen.submissions, 465, 0),
        ("submission", listen.submission, 587, 5),
        ("imaps", listen.imaps, 993, 0),
        ("imap", listen.imap, 143, 5),
        ("pop3s", (), 995, 0),
        ("pop3", (), 110, 0),
        ("caldavs", listen.https, 443, 0),
        ("caldav", (), 80, 0),
        ("carddavs", listen.https, 443, 0),
        ("carddav", (), 80, 0),
    ):
        value = f"{priority} 1 {port_of(endpoints, usual)} {host}." if endpoints else "0 0 0 ."
        yield Wanted(f"_{service}._tcp.{domain}", "SRV", value, "set-up" if endpoints else "set-up: there is none")
        if endpoints and service.endswith("davs"):
            yield Wanted(f"_{service}._tcp.{domain}", "TXT", "path=/dav/", "set-up")
    if listen.https:
        yield Wanted(f"_autodiscover._tcp.{domain}", "SRV", f"0 1 {web} {host}.", "set-up of Outlook")
        for name in ("autoconfig", "autodiscover"):
            yield Wanted(f"{name}.{domain}", "CNAME", f"{host}.", "set-up of Thunderbird and Outlook")
        purpose = "set-up as a draft has it"
        yield Wanted(f"ua-auto-config.{domain}", "CNAME", f"{host}.", purpose, True)
        digest = digest_record(client_settings(config))
        yield Wanted(f"_ua-auto-config.{domain}", "TXT", digest, purpose, True)


# --- What is published ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """
    What was found in place of a wanted record.

    @ivar values: all there is of that name and type, as in L{Wanted}.
    """

    is_good: bool
    values: tuple[str, ...]


async def compare(resolver: IResolver, record: Wanted) -> Found:
    """
    Look up what is published.

    @raise NameServiceDown: nobody can tell now.
    """
    return await _COMPARE[record.kind](resolver, record)


async def _exchangers(resolver: IResolver, record: Wanted) -> Found:
    """Preferences are the site's own affair."""
    found = (await resolver.exchangers(record.name)).records
    host = record.value.split()[1].removesuffix(".")
    return Found(any(each.host == host for each in found), tuple(f"{each.preference} {each.host}." for each in found))


async def _texts(resolver: IResolver, record: Wanted) -> Found:
    found = (await resolver.texts(record.name)).records
    texts = tuple(text.decode("utf-8", "replace") for text in found)
    version = record.value.partition(";")[0].split()[0]
    if version in ("v=spf1", "v=DMARC1"):
        # A policy is the site's own choice; there must be one, and SPF must let somebody send.
        ours = tuple(text for text in texts if re.split(r"[ ;]", text.lower())[0] == version.lower())
        is_good = len(ours) == 1 and (version != "v=spf1" or _lets_somebody_send(ours[0]))
        return Found(is_good, ours)
    if version.startswith("v="):
        texts = tuple(text for text in texts if text.startswith(version))
    return Found(tuple(map(_squeezed, texts)) == (_squeezed(record.value),), texts)


def _lets_somebody_send(text: str) -> bool:
    """Whether an SPF record has other terms than C{all}; whether they mean this host is not judged."""
    return any(term.lstrip("+-~?") != "all" for term in text.lower().split()[1:])


def _squeezed(text: str) -> str:
    """Spaces beside semicolons say nothing."""
    return re.sub(r"\s*;\s*", ";", text).strip("; ")


async def _services(resolver: IResolver, record: Wanted) -> Found:
    """Where there is no service, no record says so as well."""
    found = (await resolver.services(record.name)).records
    priority, weight, port, host = record.value.split()
    one = Service(int(priority), int(weight), int(port), host.removesuffix("."))
    values = tuple(f"{each.priority} {each.weight} {each.port} {each.host}." for each in found)
    if not one.host:
        return Found(all(not each.host for each in found), values)
    return Found(any((each.host, each.port) == (one.host, one.port) for each in found), values)


async def _aliases(resolver: IResolver, record: Wanted) -> Found:
    """Addresses in place of an alias do as well, when they are the same."""
    host = record.value.removesuffix(".")
    found = (await resolver.canonical(record.name)).records
    if found:
        return Found(found == (host,), tuple(f"{each}." for each in found))
    own = (await resolver.addresses(record.name)).records
    return Found(bool(own) and set(own) == set((await resolver.addresses(host)).records), own)


_COMPARE: dict[str, Callable[[IResolver, Wanted], Awaitable[Found]]] = {
    "MX": _exchangers,
    "TXT": _texts,
    "SRV": _services,
    "CNAME": _aliases,
}


def facts(record: Wanted) -> dict[str, Any]:
    """A record as JSON."""
    return {
        "name": record.name,
        "type": record.kind,
        "value": record.value,
        "purpose": record.purpose,
        "optional": record.is_optional,
    }
