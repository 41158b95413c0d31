"""
How the configuration makes an LDAP directory, and what of it can be wrong before any server is asked.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from typing import Any

from ldap3.core.exceptions import LDAPExceptionError
from ldap3.operation.search import parse_filter
from twisted.logger import Logger
from twisted.plugin import IPlugin
from zope.interface import implementer

from trekd.config.schema import Config, LDAPConfig
from trekd.directory.interfaces import IDirectory, IDirectoryProvider
from trekd.directory.ldap.connection import read_secret
from trekd.directory.ldap.directory import LDAPDirectory
from trekd.directory.ldap.entries import ServerFailed
from trekd.directory.ldap.escaping import fill_dn, fill_filter
from trekd.directory.ldap.names import dn_key
from trekd.errors import ConfigFault
from trekd.values import Address

_SAMPLE = Address("alice", "example.com")
_log = Logger()


@implementer(IPlugin, IDirectoryProvider)
class LDAPDirectoryProvider:
    """C{directory.backend = "ldap"}."""

    name = "ldap"

    def make(self, config: object, reactor: Any) -> IDirectory:
        """See L{IDirectoryProvider.make}."""
        assert isinstance(config, Config)
        settings = config.directory.ldap
        complaints = (*_files(settings), *_filters(settings), *_names(settings))
        if complaints:
            raise ConfigFault(*(f"[directory.ldap] {each}" for each in complaints))
        if not settings.tls_verify:
            _log.warn("LDAP: tls_verify is off: whoever is on the way to the servers can read all passwords")
        return LDAPDirectory(settings, config.plans, reactor, config.directory.max_waiting)


def _files(config: LDAPConfig) -> Iterator[str]:
    if config.tls_verify and (config.starttls or any(uri.startswith("ldaps:") for uri in config.uris)):
        try:
            ssl.create_default_context(cafile=config.tls_ca_file)
        except (OSError, ssl.SSLError) as fault:
            reason = "holds no certificates" if isinstance(fault, ssl.SSLError) else fault.strerror
            yield f"tls_ca_file = {config.tls_ca_file!r}: {reason}"
    if config.bind_dn:
        try:
            read_secret(config.bind_password_file)
        except ServerFailed as fault:
            yield f"bind_password_file: {fault.reason}"
            return
        if os.stat(config.bind_password_file).st_mode & 0o007:
            _log.warn("LDAP: {path} can be read by everybody", path=config.bind_password_file)


def _filters(config: LDAPConfig) -> Iterator[str]:
    for name in ("filter", "recipient_filter", "group_filter"):
        text = fill_filter(getattr(config, name), _SAMPLE)
        if text:
            try:
                parse_filter(text, None, True, True, None, False)  # type: ignore[no-untyped-call]
            except LDAPExceptionError as fault:
                yield f"{name}: {fault} (RFC 4515)"


def _names(config: LDAPConfig) -> Iterator[str]:
    named = [("base", config.base), ("group_base", config.group_base)]
    named += [("bind_dn", config.bind_dn) if "=" in config.bind_dn else ("bind_dn", "")]
    if config.auth == "template":
        named.append(("user_dn_template", fill_dn(config.user_dn_template, _SAMPLE) or ""))
    named += [(f"plans: group {row.group!r}", row.group) for row in config.plans]
    for key, text in named:
        if text and dn_key(text) is None:
            yield f"{key} is no distinguished name such as ou=people,dc=example,dc=com (RFC 4514)"
