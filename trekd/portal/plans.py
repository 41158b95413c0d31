"""
From an account to the figures of its plan.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.logger import Logger

from trekd.config.schema import PlanConfig
from trekd.directory.interfaces import Account

DEFAULT_PLAN = "nano"


class Plans:
    """
    The plans of the configuration.

    An account on a plan that is not among them gets the smallest one, never "no limit"; the log says so once for
    each such plan.
    """

    log = Logger()

    def __init__(self, plans: Mapping[str, PlanConfig]) -> None:
        self._plans = plans
        self._unknown: set[str] = set()

    def replace(self, plans: Mapping[str, PlanConfig]) -> None:
        """Take over other figures; slots that are taken stay taken."""
        self._plans = plans
        self._unknown.clear()

    def name(self, account: Account) -> str:
        """The name of the plan that applies to the account."""
        if account.plan in self._plans:
            return account.plan
        if account.plan not in self._unknown and len(self._unknown) < 1000:
            self._unknown.add(account.plan)
            self.log.warn(
                "unknown plan {plan!r} of {principal}: its accounts get plan {default}",
                plan=account.plan,
                principal=account.principal,
                default=DEFAULT_PLAN,
            )
        return DEFAULT_PLAN

    def figures(self, name: str) -> PlanConfig:
        """A plan by name; the smallest when it is gone meanwhile."""
        return self._plans.get(name, self._plans[DEFAULT_PLAN])

    def of(self, account: Account) -> PlanConfig:
        """The plan that applies to the account."""
        return self._plans[self.name(account)]

    def quota(self, account: Account) -> int:
        """The account's quota in octets, 0 for no limit."""
        return self.of(account).quota if account.quota is None else account.quota
