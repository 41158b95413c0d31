"""
DMARC: what the author's domain asks for, and whether the message is its own (RFC 7489, RFC 9989).

Organisational domains are found in DNS, by the walk up the tree of RFC 9989 §4.10, and not by a list of public
suffixes: a list is only as good as its last update, and a host's packages update it seldom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from trekd.dns.interfaces import IResolver
from trekd.errors import NameServiceDown, SyntaxFault
from trekd.mailauth.interfaces import Disposition
from trekd.mailauth.names import is_within
from trekd.mailauth.tags import compact, parse_tags

MOST_LABELS = 8
"""Of a name where the walk up begins (RFC 9989 §4.10)."""

MAX_RECORD = 4096

_WEAKER = {
    Disposition.REJECT: Disposition.QUARANTINE,
    Disposition.QUARANTINE: Disposition.NONE,
    Disposition.NONE: Disposition.NONE,
}
_STRENGTH = tuple(Disposition)
_BADNESS = ("pass", "none", "temperror", "permerror", "fail")


@dataclass(frozen=True, slots=True)
class Policy:
    """
    A policy record (RFC 7489 §6.3, RFC 9989 §4.7).

    @ivar own: for the domain itself.
    @ivar below: for its subdomains; C{missing} for those that do not exist.
    @ivar percent: messages out of a hundred it is applied to; the others get what is next weaker.
    @ivar is_testing: C{t=y}: likewise for all.
    @ivar suffix: C{psd=}: C{y}, C{n} or C{u}.
    """

    own: Disposition
    below: Disposition
    missing: Disposition
    strict_dkim: bool = False
    strict_spf: bool = False
    percent: int = 100
    is_testing: bool = False
    suffix: str = "u"


def parse_policy(octets: bytes) -> Policy | None:
    """
    Read a record.

    @return: C{None} when it is none, or must be ignored.
    """
    try:
        text = octets[:MAX_RECORD].decode("utf-8", "replace")
        tags = {name.lower(): compact(value) for name, value in parse_tags(text).items()}
    except SyntaxFault:
        return None
    if next(iter(tags), "") != "v" or tags["v"] != "DMARC1":
        return None
    own = _disposition(tags.get("p"))
    if own is None:
        # RFC 7489 §6.6.3: who asks for reports has a policy.
        if "mailto:" not in tags.get("rua", "").lower():
            return None
        own = Disposition.NONE
    below = _disposition(tags.get("sp")) or own
    percent = tags.get("pct", "")
    return Policy(
        own=own,
        below=below,
        missing=_disposition(tags.get("np")) or below,
        strict_dkim=tags.get("adkim", "").lower() == "s",
        strict_spf=tags.get("aspf", "").lower() == "s",
        percent=min(100, int(percent)) if percent.isascii() and percent.isdigit() and len(percent) < 4 else 100,
        is_testing=tags.get("t", "").lower() == "y",
        suffix=tags.get("psd", "u").lower(),
    )


def _disposition(value: str | None) -> Disposition | None:
    try:
        return Disposition((value or "").lower())
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Evidence:
    """
    What SPF and DKIM found: domains by result.

    @ivar spf: domain that SPF passed for, C{""} for none.
    @ivar dkim: domains of good signatures.
    @ivar pending_spf: domain that SPF gave no verdict on, for want of a name server; likewise the next.
    """

    spf: str = ""
    dkim: tuple[str, ...] = ()
    pending_spf: str = ""
    pending_dkim: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DMARCResult:
    """
    @ivar result: of RFC 7489 §11.2.
    @ivar policy: what the domain asks for, whatever the result; C{None} when it has no policy.
    @ivar disposition: what is to be done with this message.
    """

    domain: str
    result: str
    policy: Disposition | None = None
    disposition: Disposition = Disposition.NONE


def strictest(results: Sequence[DMARCResult]) -> DMARCResult:
    """The one that decides: it lets the least through, and says the worst (RFC 7489 §6.6.1)."""
    return max(results, key=lambda each: (_STRENGTH.index(each.disposition), _BADNESS.index(each.result)))


class DMARCCheck:
    """
    Evaluates the domains of one message's authors; each name is asked for once.

    @param chance: gives a number from 0 up to 1, for C{pct}.
    """

    def __init__(self, resolver: IResolver, chance: Callable[[], float]) -> None:
        self._resolver = resolver
        self._chance = chance
        self._known: dict[str, Policy | None] = {}

    async def evaluate(self, domain: str, evidence: Evidence) -> DMARCResult:
        """
        The result for one domain (RFC 7489 §6.6.2); never raises but for a fault of ours.

        No answer from a name server is never a reason to refuse: neither for the policy, nor for SPF or a key that
        might have spoken for the domain.
        """
        asked: Disposition | None = None
        try:
            policy, asked = await self._found(domain)
            if policy is None or asked is None:
                return DMARCResult(domain, "none")
            if await self._is_vouched(domain, policy, evidence.spf, evidence.dkim):
                return DMARCResult(domain, "pass", asked)
            if await self._is_vouched(domain, policy, evidence.pending_spf, evidence.pending_dkim):
                return DMARCResult(domain, "temperror", asked)
        except NameServiceDown:
            return DMARCResult(domain, "temperror", asked)
        return DMARCResult(domain, "fail", asked, self._applied(policy, asked))

    def _applied(self, policy: Policy, asked: Disposition) -> Disposition:
        is_spared = policy.is_testing or self._chance() * 100 >= policy.percent
        return _WEAKER[asked] if is_spared else asked

    async def _found(self, domain: str) -> tuple[Policy | None, Disposition | None]:
        """The policy for a domain, and what it asks for (RFC 9989 §4.10.1)."""
        own = await self._policy(domain)
        if own is not None:
            return own, own.own
        organisation, walked = await self._walk(domain)
        higher = await self._policy(organisation)
        if higher is None:
            # RFC 9989 §4.10.1: of the public suffix above the organisation.
            higher = next((policy for policy in reversed(walked.values()) if policy is not None), None)
        if higher is None:
            return None, None
        return higher, higher.below if await self._exists(domain) else higher.missing

    async def _exists(self, domain: str) -> bool:
        """Whether a domain has any record (RFC 9989 §3.2.13)."""
        return (await self._resolver.texts(domain)).exists

    async def _is_vouched(self, domain: str, policy: Policy, spf: str, dkim: Iterable[str]) -> bool:
        """Whether one of the identifiers is aligned with the author's domain (RFC 7489 §3.1)."""
        if spf and await self._is_aligned(domain, spf, policy.strict_spf):
            return True
        for each in dict.fromkeys(dkim):
            if await self._is_aligned(domain, each, policy.strict_dkim):
                return True
        return False

    async def _is_aligned(self, domain: str, other: str, is_strict: bool) -> bool:
        if domain == other or is_strict or not _share_a_parent(domain, other):
            return domain == other
        return (await self._walk(domain))[0] == (await self._walk(other))[0]

    async def _walk(self, domain: str) -> tuple[str, dict[str, Policy | None]]:
        """
        Walk up the tree (RFC 9989 §4.10).

        Deviates from RFC 9989 §4.10.2: a top-level domain is nobody's organisation, even if its record does not say so.

        @return: the organisational domain, and the policies on the way to it, lowest first.
        """
        walked: dict[str, Policy | None] = {}
        below = organisation = domain
        for name in _steps(domain):
            policy = walked[name] = await self._policy(name)
            if policy is not None:
                if policy.suffix == "n":
                    return name, walked
                if name != domain and (policy.suffix == "y" or "." not in name):
                    return below, walked
                organisation = name
            below = name
        return organisation, walked

    async def _policy(self, domain: str) -> Policy | None:
        """
        The one record of a name (RFC 7489 §6.6.3).

        @raise NameServiceDown: no name server says.
        """
        if domain not in self._known:
            answer = await self._resolver.texts(f"_dmarc.{domain}")
            found = [policy for text in answer.records[:20] if (policy := parse_policy(text)) is not None]
            self._known[domain] = found[0] if len(found) == 1 else None
        return self._known[domain]


def _steps(domain: str) -> Iterable[str]:
    """The names on the way up (RFC 9989 §4.10): eight at most."""
    labels = domain.split(".")
    yield domain
    above = min(len(labels), MOST_LABELS) - 1
    for count in range(above, 0, -1):
        yield ".".join(labels[-count:])


def _share_a_parent(one: str, other: str) -> bool:
    """Whether two domains end alike in two labels, which those of one organisation do."""
    return is_within(other, ".".join(one.split(".")[-2:]))
