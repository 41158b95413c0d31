"""
What C{twistd trekmail} starts: options, the one service, its start, reload and end.

The parts are made and joined in L{trekd.wiring}; here is only their life.  Order of the start: configuration and
certificates are read (a fault ends twistd with status 1 and one line each), all ports are bound, then threads start
and systemd is told.  Order of the end: ports close, sessions say goodbye and finish the command that runs, the queue
and the store finish their commits.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Coroutine
from typing import Any, NoReturn

from sdnotify import SystemdNotifier
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import ILogObserver, Logger
from twisted.python import usage
from twisted.python.components import Componentized

from trekd import __version__, listening
from trekd.assembly.clocks import run_evenly
from trekd.assembly.host import Host
from trekd.config.schema import Config
from trekd.configfile import DEFAULT_CONFIG, read_config
from trekd.errors import ConfigFault
from trekd.logs import line_observer
from trekd.watchdog import Watchdog
from trekd.wiring import compose

CERTIFICATE_CHECK = 60.0
"""Seconds between looks at the certificate files."""
GOODBYE_TIME = 10.0
"""Seconds that sessions get to finish when the daemon ends."""

_log = Logger()


def _end_the_start(fault: ConfigFault) -> NoReturn:
    """
    Say what is wrong, one line each, and end with status 1.

    In the foreground the lines go to standard error itself, which twistd may have turned into log events by now; a
    daemon has none any more, so there the log has them.
    """
    for complaint in fault.complaints:
        if sys.__stderr__ is not None and os.fstat(2).st_rdev != os.stat(os.devnull).st_rdev:
            print(f"trekmail: {complaint}", file=sys.__stderr__, flush=True)
        else:
            _log.critical("{complaint}", complaint=complaint)
    raise SystemExit(1)


class Options(usage.Options):
    """Command line of C{twistd trekmail}."""

    synopsis = "[--config FILE] [--log-json]"
    longdesc = "TrekMail: IMAP, submission, reception, calendars and contacts in one daemon."
    optParameters = [["config", "c", DEFAULT_CONFIG, "Configuration file."]]
    optFlags = [["log-json", None, "Write the log as JSON objects, one a line."]]

    def postOptions(self) -> None:
        """Read the configuration before anything else happens."""
        self["config"] = os.path.abspath(self["config"])
        try:
            self.loaded = read_config(self["config"])
        except ConfigFault as fault:
            _end_the_start(fault)

    @property
    def observer(self) -> ILogObserver | None:
        """Where the log goes; C{None} leaves it to twistd (its C{--logger} and C{--syslog} come first)."""
        twistd: Any = self.parent or {}
        if twistd.get("logger") or twistd.get("syslog"):
            return None
        path = twistd.get("logfile")
        if path is None and not twistd.get("nodaemon"):
            path = "twistd.log"
        form = "json" if self["log-json"] else self.loaded.log.format
        return line_observer(form, self.loaded.log.level, path)


class MailHost(MultiService):
    """The whole daemon as one service."""

    def __init__(
        self, config: Config, path: str, reactor: Any, observer: ILogObserver | None = None, time_of_day: Any = None
    ) -> None:
        """
        @param path: absolute, of the configuration file.
        @param observer: where twistd is to send the log.
        @param time_of_day: the reactor for those who need dates; C{None} for the reactor itself.
        """
        MultiService.__init__(self)
        self._observer = observer
        self.name = "trekmail"
        self._path = path
        self._config = config
        self._reactor = reactor
        self._time_of_day = time_of_day
        self._ports: list[IListeningPort] = []
        self._host: Host | None = None
        self._notifier = SystemdNotifier()
        self._watchdog = Watchdog(self._notifier.notify, os.environ, reactor)
        self._certificate_watch = LoopingCall(self._look_at_certificates)

    @property
    def ports(self) -> tuple[IListeningPort, ...]:
        """The open ports, in the order of C{[listen]}."""
        return tuple(self._ports)

    def setServiceParent(self, parent: Any) -> None:
        """Join twistd's application, and take its log over."""
        if self._observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._observer)
        MultiService.setServiceParent(self, parent)

    def privilegedStartService(self) -> None:
        """Make the parts and bind every port; a fault ends the process with status 1."""
        os.umask(0o077)
        try:
            self._host = compose(self._config, self._reactor, self.reload, self._time_of_day)
            base = os.path.dirname(self._path)
            for service, endpoint, factory in self._host.listeners:
                self._ports.append(listening.listen(self._reactor, service, endpoint, factory, base))
        except ConfigFault as fault:
            _end_the_start(fault)
        MultiService.privilegedStartService(self)

    def startService(self) -> None:
        """Start what runs by itself; readiness is told once the reactor runs."""
        assert self._host is not None
        MultiService.startService(self)
        self._host.start()
        self._certificate_watch.clock = self._reactor
        self._certificate_watch.start(CERTIFICATE_CHECK, now=False)
        signal.signal(signal.SIGHUP, self._hang_up)
        self._reactor.callWhenRunning(self._tell_ready)

    def stopService(self) -> Deferred[None]:
        """End in good order; what was acknowledged is durable, what runs is finished."""
        self._notifier.notify("STOPPING=1")
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        if self._certificate_watch.running:
            self._certificate_watch.stop()
        await listening.close(self._ports)
        self._ports.clear()
        self._watchdog.stop()
        if self._host is not None:
            _log.info("stopping: {sessions} sessions", sessions=len(self._host.accounts.ledger.connections()))
            await self._dismiss_sessions(self._host)
            await self._host.close()
        await MultiService.stopService(self)

    async def _dismiss_sessions(self, host: Host) -> None:
        """Let every session finish its command and say goodbye; abort those that take too long."""
        goodbyes = [connection.say_goodbye() for connection in host.accounts.ledger.connections()]
        waiting = DeferredList([_as_deferred(one) for one in goodbyes if one is not None], consumeErrors=True)
        patience = deferLater(self._reactor, GOODBYE_TIME, waiting.cancel)
        patience.addErrback(lambda _: None)
        try:
            await waiting
        finally:
            patience.cancel()
        for connection in host.accounts.ledger.connections():
            connection.abort()

    def _tell_ready(self) -> None:
        for port in self._ports:
            _log.info("listening on {address}", address=_address_text(port))
        _log.info("TrekMail {version} is ready", version=__version__)
        self._notifier.notify("READY=1")
        self._watchdog.start()

    def _hang_up(self, *_: object) -> None:
        """SIGHUP."""
        self._reactor.callFromThread(self._reload_and_log)

    def _reload_and_log(self) -> None:
        try:
            self.reload()
        except ConfigFault as fault:
            for complaint in fault.complaints:
                _log.error("reload refused, nothing changed: {complaint}", complaint=complaint)

    def reload(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """
        Read configuration and certificates again.

        @return: sections now in force, and sections whose change needs a restart.
        @raise ConfigFault: nothing was changed.
        """
        assert self._host is not None
        self._notifier.notify("RELOADING=1")
        try:
            config = read_config(self._path)
            taken, left = self._host.reconfigure(config)
        finally:
            self._notifier.notify("READY=1")
        _log.info("reloaded: {taken}", taken=", ".join(taken))
        if left:
            _log.warn("these changes need a restart: {left}", left=", ".join(left))
        return taken, left

    def _look_at_certificates(self) -> None:
        assert self._host is not None
        try:
            if self._host.tls is not None and self._host.tls.reload_if_changed():
                _log.info("certificates changed and were read again")
        except ConfigFault as fault:
            for complaint in fault.complaints:
                _log.error("certificates changed, the old ones stay in use: {complaint}", complaint=complaint)


def _address_text(port: IListeningPort) -> str:
    address: Any = port.getHost()
    name = getattr(address, "name", None)
    return os.fsdecode(name) if name else f"{address.host}:{address.port}"


def _as_deferred(goodbye: Awaitable[None]) -> Deferred[None]:
    if isinstance(goodbye, Deferred):
        return goodbye
    assert isinstance(goodbye, Coroutine)
    return ensureDeferred(goodbye)


def makeService(options: Options) -> MailHost:
    """Make the service (called by twistd)."""
    from twisted.internet import reactor

    return MailHost(options.loaded, options["config"], reactor, options.observer, run_evenly(reactor))


