"""Own-SMTP profiles in a dictionary, and a test of them that says what it is told to."""

from __future__ import annotations

from zope.interface import implementer

from trekd.directory.interfaces import Account
from trekd.errors import TrekError
from trekd.queue.interfaces import IProfiles
from trekd.relay.interfaces import IProbe, ProbeStep, Profile


@implementer(IProfiles)
class FakeProfiles:
    """Address, domain or C{*} to a profile's name; C{failure} makes every call fail."""

    def __init__(self) -> None:
        self.assignments: dict[str, str] = {}
        self.failure: TrekError | None = None

    async def assigned(self, account: Account) -> str:
        if self.failure is not None:
            raise self.failure
        subjects = (account.principal, account.address.domain, "*")
        return next((self.assignments[each] for each in subjects if each in self.assignments), "")


@implementer(IProbe)
class FakeProbe:
    """Remembers what it was asked to test."""

    def __init__(self, *steps: ProbeStep) -> None:
        self.steps = steps
        self.seen: list[Profile] = []

    async def probe(self, profile: Profile) -> tuple[ProbeStep, ...]:
        self.seen.append(profile)
        return self.steps
