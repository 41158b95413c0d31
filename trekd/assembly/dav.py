"""
Calendars, contacts and files, for the web site.
"""

from __future__ import annotations

from trekd.assembly.host import Host
from trekd.assembly.threads import in_thread_of
from trekd.dav.exchange import Site
from trekd.dav.locks import LockTable
from trekd.dav.resource import DAVResource
from trekd.dav.sharing.administration import Shares
from trekd.dav.tree import tables


def dav_resource(host: Host) -> DAVResource:
    """The resource that every C{https} listener shares."""
    return DAVResource(_site(host))


def shares(host: Host) -> Shares:
    """What C{trekctl share} changes; it asks for no locks."""
    return Shares(_site(host))


def _site(host: Host) -> Site:
    accounts, config = host.accounts, host.config
    return Site(
        hostname=config.server.hostname,
        config=config.dav,
        portal=accounts.portal,
        directory=accounts.directory,
        store=accounts.store,
        quota=accounts.plans.quota,
        clock=host.reactor,
        time_of_day=host.time_of_day.seconds,
        off_reactor=in_thread_of(host.reactor),
        locks=LockTable(host.reactor, config.dav.max_locks),
        tables=tables(),
    )
