"""
What is reached from outside: a factory for each listener of the configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.interfaces import IProtocolFactory
from twisted.protocols.tls import TLSMemoryBIOFactory

from trekd.assembly.dav import dav_resource
from trekd.assembly.host import Host
from trekd.assembly.threads import in_thread_of
from trekd.imap.protocol import IMAPFactory
from trekd.imap.session import Services
from trekd.mailauth.verifier import Verifier
from trekd.opening import open_filters
from trekd.proxy.factory import ProxiedFactory
from trekd.smtp.greylist import Greylist
from trekd.smtp.protocol import SubmissionFactory
from trekd.smtp.reception import Reception
from trekd.smtp.session import EXCHANGE, LMTP, SUBMISSION, SUBMISSIONS, Site
from trekd.web.control import control_site
from trekd.web.metrics import metrics_site
from trekd.web.operations import Operations
from trekd.web.setup.routes import publish
from trekd.web.setup.settings import client_settings
from trekd.web.site import HTTPSite, TakingResource, public_site, redirect_site

_PROXIED = ("imaps", "imap", "submissions", "submission", "smtp", "https", "http")
"""Listeners that a load balancer may stand before."""


def listening_posts(host: Host, operations: Operations) -> Iterator[tuple[str, str, IProtocolFactory]]:
    """
    Key of C{[listen]}, endpoint string, factory; in the order in which they are opened.

    @param operations: what C{trekctl} can ask for.
    @raise ConfigFault: a content scanner cannot be used.
    """
    for service, make in _makers(host, operations).items():
        for endpoint in getattr(host.config.listen, service):
            factory = make()
            if service in _PROXIED:
                factory = ProxiedFactory(factory, host.accounts.balancers, host.reactor)
            yield service, endpoint, factory


def _makers(host: Host, operations: Operations) -> dict[str, Callable[[], IProtocolFactory]]:
    """What each listener speaks, by key of C{[listen]}."""
    reactor, tls, ledger = host.reactor, host.tls, host.accounts.ledger
    hostname = host.config.server.hostname
    accounts = host.accounts
    services = Services(accounts.portal, accounts.mechanisms, accounts.store, host.config.imap, hostname)
    site, dav = _mail_site(host), dav_resource(host)
    return {
        "imaps": lambda: _inside_tls(tls, IMAPFactory(services, ledger, reactor)),
        "imap": lambda: IMAPFactory(services, ledger, reactor, tls),
        "submissions": lambda: _inside_tls(tls, SubmissionFactory(site, SUBMISSIONS)),
        "submission": lambda: SubmissionFactory(site, SUBMISSION, tls),
        "smtp": lambda: SubmissionFactory(site, EXCHANGE, tls),
        "lmtp": lambda: SubmissionFactory(site, LMTP),
        "https": lambda: _inside_tls(tls, _web_site(host, dav)),
        "http": lambda: redirect_site(hostname, reactor, ledger),
        "control": lambda: control_site(operations),
        "metrics": lambda: metrics_site(host.metrics.text, reactor),
    }


def _web_site(host: Host, dav: TakingResource) -> HTTPSite:
    """Calendars, contacts and files, and how programs are set up for all that is here."""
    site = public_site(host.config.server.hostname, host.reactor, host.sts_policy, host.accounts.ledger, dav)
    assert host.tls is not None  # there is one wherever https is spoken
    publish(site, lambda: client_settings(host.config), in_thread_of(host.reactor), host.tls.sign)
    return site


def _mail_site(host: Host) -> Site:
    """What mail that comes in by SMTP or LMTP meets."""
    config, accounts = host.config, host.accounts
    return Site(
        config.server.hostname,
        config.smtp,
        host.mail_out.flow,
        accounts.ledger,
        accounts.portal,
        accounts.mechanisms,
        host.reactor,
        host.time_of_day.seconds,
        _reception(host),
    )


def _reception(host: Host) -> Reception:
    """What mail from other servers has to pass."""
    config, reactor = host.config, host.reactor
    greylist = Greylist(config.reception, reactor) if config.reception.greylisting else None
    verifier = Verifier(host.resolver, config.server.hostname, host.time_of_day, in_thread_of(reactor))
    return Reception(config.reception, verifier, open_filters(config, reactor), greylist)


def _inside_tls(tls: Any, factory: IProtocolFactory) -> IProtocolFactory:
    return TLSMemoryBIOFactory(tls, isClient=False, wrappedFactory=factory)
