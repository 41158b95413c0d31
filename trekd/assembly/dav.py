"""
Calendars, contacts and files, for the web site.
"""

from __future__ import annotations

from pathlib import Path

from trekd.assembly.host import Host
from trekd.assembly.threads import in_thread_of
from trekd.dav.exchange import Site
from trekd.dav.locks import LockTable
from trekd.dav.resource import DAVResource
from trekd.dav.scheduling.journal import FileJournal
from trekd.dav.scheduling.mailin import MailWitness
from trekd.dav.scheduling.scheduler import Scheduler
from trekd.dav.sharing.administration import Shares
from trekd.dav.tree import tables


def dav_resource(host: Host) -> DAVResource:
    """The resource that every C{https} listener shares; its scheduler starts and ends with the host."""
    config, site = host.config, _site(host)
    journal = FileJournal(Path(config.server.data_dir) / "scheduling", site.off_reactor)
    scheduler = site.parts[Scheduler] = Scheduler(site, host.mail_out.flow, journal)
    host.parts = (*host.parts, scheduler)
    if config.dav.invitations_by_mail:
        host.mail_out.flow.witness = MailWitness(scheduler)
    return DAVResource(site)


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
