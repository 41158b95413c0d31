"""
Mail on its way: the flow, the queue, what accounts have set about their mail, signatures, and the relay.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trekd.assembly.accounts import Accounts
from trekd.assembly.threads import in_queue_thread_of, in_thread_of
from trekd.config.schema import Config
from trekd.dns.resolver import Resolver
from trekd.errors import ConfigFault, TrekError
from trekd.filters.filter import AccountFilter, Post
from trekd.mailauth.signer import Signer
from trekd.opening import open_demands, open_keys, open_relay, open_rewriting, open_settings
from trekd.portal.plans import Plans
from trekd.queue.control import QueueControl
from trekd.queue.delivery import LocalDelivery
from trekd.queue.dispatcher import make_dispatcher
from trekd.queue.figures import QueueFigures, queue_figures
from trekd.queue.flow import MailFlow, Outward
from trekd.queue.routing import Routing
from trekd.queue.schedule import Schedule
from trekd.queue.spool import Spool
from trekd.queue.spoolfile import SpoolFile
from trekd.queue.suppression import Suppressions
from trekd.queue.usage import UsageLedger
from trekd.queue.usagefile import UsageFile
from trekd.relay.probing import Probe
from trekd.relay.profilefile import ProfileFile
from trekd.relay.profiles import Profiles
from trekd.relay.relay import Surroundings
from trekd.relay.sealing import KeyFile
from trekd.store.sqlite.threads import Threads
from trekd.tls import ClientTLS

QUEUE_THREADS = 4
"""For the queue: one that changes it, one that looks, and two for large messages."""


class MailOut:
    """
    The parts that mail goes through, once a session has taken it.

    @ivar flow: takes messages.
    @ivar settings: what accounts have set about their incoming mail.
    @ivar keys: what mail is signed with.
    @ivar demands: what deliveries to other servers demand of TLS.
    @ivar control: what administrators do with the queue; C{probe}: how they try a profile.
    """

    def __init__(
        self, config: Config, accounts: Accounts, resolver: Resolver, reactor: Any, time_of_day: Any
    ) -> None:
        """
        @param time_of_day: the reactor for those who need dates.
        @raise ConfigFault: a file cannot be used.
        """
        in_thread = in_thread_of(reactor)
        self._time_of_day = time_of_day
        self.demands = open_demands(config, resolver, in_thread, time_of_day)
        self.profiles = _open_profiles(config, reactor)
        self.usage = _open_usage(config, accounts.plans, time_of_day)
        hostname, trusted = config.server.hostname, ClientTLS(config.relay.trusted)
        around = Surroundings(hostname, resolver, self.demands, self.profiles, trusted, reactor)
        self.relay = open_relay(config.relay, around)
        self.probe = Probe(config.relay, around)
        self._threads = Threads(reactor, QUEUE_THREADS, 0)
        self._spool = Spool(_open_spool(config), in_queue_thread_of(self._threads), self.relay.lane)
        routing = Routing(accounts.directory, config.server, accounts.plans, self.profiles, config.relay.own_smtp_help)
        self.keys = open_keys(config, in_thread)
        signer = Signer(self.keys, time_of_day, in_thread)
        suppressions = Suppressions(self._spool, config.queue.suppression, time_of_day)
        outward = Outward(self._spool, signer, suppressions, self.usage)
        self.flow = MailFlow(routing, LocalDelivery(accounts.store, accounts.plans), outward, time_of_day)
        self.settings = open_settings(config, in_thread)
        self._add_filters(config, routing)
        schedule = Schedule(config.queue)
        self.dispatcher = make_dispatcher(self.flow, self.relay, schedule, config.queue, time_of_day, reactor.seconds)
        self.control = QueueControl(self._spool, self.dispatcher, suppressions)
        self.profiles.watch(self.dispatcher.profile_changed)

    def _add_filters(self, config: Config, routing: Routing) -> None:
        """What accounts have set applies to their mail, and bounces of what was forwarded find their way back."""
        rewriting = open_rewriting(config)
        routing.restore = lambda address: rewriting.restore(address, self._time_of_day.seconds())
        post = Post(routing.resolve, routing.is_served, config.server.hostname, self._time_of_day)
        self.flow.judge = AccountFilter(self.settings, rewriting, post)

    def start(self) -> None:
        """Send what waits."""
        self.dispatcher.start()
        self.usage.start()

    async def close(self) -> None:
        """Finish the attempts that run, and close every file."""
        await self.dispatcher.stop()
        self.relay.close()
        await self._spool.close()
        self._threads.stop()
        await self.settings.close()
        await self.demands.close()
        await self.usage.stop()
        await self.profiles.close()

    def lanes(self) -> dict[str, Mapping[str, Any]]:
        """The state of queue lanes that are known."""
        return {
            lane.name: {
                "open": not lane.closed,
                "reply": lane.closed or lane.failure,
                "since": lane.since or None,
            }
            for lane in self.dispatcher.states()
        }

    async def figures(self) -> QueueFigures:
        """
        The queue in figures.

        @raise StoreFull: it cannot be read.
        """
        return await queue_figures(self.flow, self.dispatcher, self._time_of_day)


def _open_spool(config: Config) -> SpoolFile:
    data_dir = config.server.data_dir
    file = SpoolFile(Path(data_dir) / "queue", config.queue.max_messages)
    try:
        file.open()
    except (OSError, TrekError) as error:
        raise ConfigFault(f"[server] data_dir = {data_dir!r}: the queue cannot be opened: {error}") from None
    return file


def _open_profiles(config: Config, reactor: Any) -> Profiles:
    """
    @raise ConfigFault: they cannot be read.
    """
    data_dir = Path(config.server.data_dir)
    file = ProfileFile(data_dir / "own-smtp.sqlite")
    file.open()
    keys = KeyFile(Path(config.relay.secret_key_file or data_dir / "keys" / "own-smtp.key"))
    return Profiles(file, keys, in_thread_of(reactor))


def _open_usage(config: Config, plans: Plans, reactor: Any) -> UsageLedger:
    data_dir = config.server.data_dir
    file = UsageFile(Path(data_dir) / "usage.sqlite")
    try:
        file.open()
    except (OSError, TrekError) as error:
        raise ConfigFault(f"[server] data_dir = {data_dir!r}: what was sent cannot be counted: {error}") from None
    return UsageLedger(file, plans, reactor, in_thread_of(reactor))
