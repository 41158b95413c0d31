"""
Connections to one server, through ldap3.

Two of them, opened when they are needed: one bound as the service account, for searches, and one on which users are
verified.  Binding users on the searching one would need a bind back after each.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ldap3
from ldap3.core.exceptions import (
    LDAPCertificateError,
    LDAPCommunicationError,
    LDAPExceptionError,
    LDAPInvalidServerError,
    LDAPSSLConfigurationError,
    LDAPStartTLSError,
)

from trekd.config.schema import LDAPConfig
from trekd.directory.ldap.entries import Entry, Found, Query, Refusal, ServerFailed
from trekd.directory.ldap.notices import Notices
from trekd.directory.ldap.tally import Tally
from trekd.errors import DirectoryDown

SUCCESS, SIZE_LIMIT, NO_SUCH_OBJECT = 0, 4, 32
"""Result codes of RFC 4511 §4.1.9 that searches look at."""

_BUSY_SERVER = frozenset({51, 52})
"""busy, unavailable: another server may do."""

_WRONG_PASSWORD = frozenset({32, 49})
"""noSuchObject, invalidCredentials: the everyday refusals of a bind."""

_STRANGE_REFUSAL = frozenset({19, 34, 48, 50, 53})
"""constraintViolation, invalidDNSyntax, inappropriateAuthentication, insufficientAccessRights, unwillingToPerform:
refusals of this bind that the log should tell."""

_PASSWORD_POLICY = "1.3.6.1.4.1.42.2.27.8.5.1"
"""Password policy control (draft-behera-ldap-password-policy §6): says why a bind was refused."""

_PAGED_RESULTS = "1.2.840.113556.1.4.319"
"""RFC 2696."""

_POLICY_REASONS = {0: "password expired", 1: "account locked", 2: "password must be changed"}

_WINDOWS_REASONS = {
    "530": "not at this time of day",
    "531": "not from this host",
    "532": "password expired",
    "533": "account disabled",
    "701": "account expired",
    "773": "password must be changed",
    "775": "account locked",
}
"""C{data NNN} in the text of Active Directory's code 49."""

_TRANSPORT = (
    LDAPCommunicationError,
    LDAPStartTLSError,
    LDAPCertificateError,
    LDAPSSLConfigurationError,
    LDAPInvalidServerError,
    OSError,
)
"""Faults of the network and of TLS, where another server may do."""

_SCOPES = {"base": ldap3.BASE, "onelevel": ldap3.LEVEL, "subtree": ldap3.SUBTREE}


@dataclass(frozen=True, slots=True)
class Access:
    """
    How servers are reached.

    @ivar notices: where the log lines go.
    @ivar tally: counts the answers.
    """

    config: LDAPConfig
    notices: Notices
    tally: Tally = field(default_factory=Tally)

    def open(self, uri: str) -> ServerSession:
        """A session with one server; nothing is connected yet."""
        return ServerSession(uri, self)

    def connect(self, uri: str) -> Any:
        """
        Connect; TLS is up and verified when this returns.

        @return: an C{ldap3.Connection}, anonymous.
        """
        config = self.config
        # A server object of ldap3 remembers the address that worked, so that sharing one hides failures.
        server = ldap3.Server(
            uri, get_info=ldap3.NONE, connect_timeout=config.connect_timeout, tls=_tls(config, uri)
        )
        connection = ldap3.Connection(
            server,
            authentication=ldap3.ANONYMOUS,
            client_strategy=ldap3.SAFE_SYNC,
            check_names=False,
            auto_referrals=False,
            auto_range=False,
            return_empty_attributes=False,
            receive_timeout=config.receive_timeout,
        )
        try:
            connection.open(read_server_info=False)
            if config.starttls:
                connection.start_tls(read_server_info=False)
        except Exception:
            _close(connection)
            raise
        return connection

    def service_password(self) -> bytes:
        """
        The service account's password, read anew each time it is needed.

        @raise ServerFailed: the file cannot be read.
        """
        return read_secret(self.config.bind_password_file)


def read_secret(path: str) -> bytes:
    """
    Read a password file; a line end after the password is not part of it.

    @raise ServerFailed: it cannot be read, or is empty.
    """
    try:
        secret = Path(path).read_bytes().rstrip(b"\r\n")
    except OSError as fault:
        raise ServerFailed(f"{path}: {fault.strerror}") from None
    if not secret:
        raise ServerFailed(f"{path} is empty")
    return secret


def _tls(config: LDAPConfig, uri: str) -> ldap3.Tls | None:
    """What TLS has to be; ldap3 by itself verifies nothing."""
    if not uri.startswith("ldaps:") and not config.starttls:
        return None
    host = uri.partition("://")[2].rstrip("/").partition(":")[0]
    is_name = re.fullmatch(r"[0-9.]+|\[.*", host) is None
    return ldap3.Tls(
        validate=ssl.CERT_REQUIRED if config.tls_verify else ssl.CERT_NONE,
        version=ssl.PROTOCOL_TLS_CLIENT,
        ca_certs_file=config.tls_ca_file if config.tls_verify else None,
        sni=host if is_name else None,
    )


class ServerSession:
    """See L{ISession<trekd.directory.ldap.entries.ISession>}."""

    def __init__(self, uri: str, access: Access) -> None:
        self.uri = uri
        self._access = access
        self._service: Any = None
        self._user: Any = None

    def search(self, query: Query) -> Found:
        """See L{ISession.search<trekd.directory.ldap.entries.ISession.search>}."""
        with self._faults_told():
            if self._service is None:
                self._service = self._open_service()
            return self._search(self._service, query)

    def search_as_user(self, query: Query) -> Found:
        """See L{ISession.search_as_user<trekd.directory.ldap.entries.ISession.search_as_user>}."""
        with self._faults_told():
            return self._search(self._user, query)

    def verify(self, dn: str, password: bytes) -> Refusal | None:
        """See L{ISession.verify<trekd.directory.ldap.entries.ISession.verify>}."""
        with self._faults_told():
            if self._user is None:
                self._user = self._access.connect(self.uri)
            return self._refusal(self._bind(self._user, dn, password))

    def check(self) -> None:
        """Connect and bind as the service account."""
        with self._faults_told():
            if self._service is None:
                self._service = self._open_service()

    def close(self) -> None:
        """See L{ISession.close<trekd.directory.ldap.entries.ISession.close>}."""
        for connection in (self._service, self._user):
            if connection is not None:
                _close(connection)
        self._service = self._user = None

    def _open_service(self) -> Any:
        """
        Connect and bind as the service account.  No user has a hand in this, so that whatever goes wrong is the
        server's: another may do.
        """
        dn = self._access.config.bind_dn
        connection = None
        try:
            connection = self._access.connect(self.uri)
            if dn:
                result = self._bind(connection, dn, self._access.service_password())
                if result["result"] != SUCCESS:
                    raise ServerFailed(f"refuses the service account {dn}: {_told(result)}")
        except Exception as fault:
            if connection is not None:
                _close(connection)
            if isinstance(fault, (ServerFailed, *_TRANSPORT)):
                raise
            raise ServerFailed(f"{type(fault).__name__}: {fault}") from fault
        return connection

    def _bind(self, connection: Any, dn: str, password: bytes) -> Mapping[str, Any]:
        result = _bind(connection, dn, password)
        self._access.tally.add("bind", result["description"])
        return result

    def _search(self, connection: Any, query: Query) -> Found:
        """Ask for one page after the other."""
        entries: list[Entry] = []
        cookie: bytes | None = None
        while True:
            result, page = self._ask(connection, query, cookie)
            entries += page
            code = result["result"]
            if code == NO_SUCH_OBJECT and query.scope == "base":
                return Found(())
            if code not in (SUCCESS, SIZE_LIMIT):
                self._raise_for(result, f"search below {query.base}")
            cookie = _cookie(result) if query.page else None
            if code == SIZE_LIMIT and len(entries) < query.limit:
                limit = "sizeLimitExceeded; raise the service account's limit"
                self._access.notices.warn(f"{self.uri} gave only {len(entries)} entries ({limit})")
            if code == SIZE_LIMIT or not cookie or len(entries) >= query.limit:
                was_cut = code == SIZE_LIMIT or bool(cookie) or len(entries) > query.limit
                return Found(tuple(entries[: query.limit]), was_cut)

    def _ask(self, connection: Any, query: Query, cookie: bytes | None) -> tuple[Mapping[str, Any], list[Entry]]:
        _, result, response, _ = connection.search(
            query.base,
            query.filter,
            _SCOPES[query.scope],
            dereference_aliases=ldap3.DEREF_NEVER,
            attributes=list(query.attributes),
            size_limit=0 if query.page else query.limit,
            time_limit=self._access.config.receive_timeout,
            paged_size=query.page or None,
            paged_cookie=cookie,
        )
        self._access.tally.add("search", result["description"])
        # Referrals (searchResRef) are not followed: they would take the service password to another server.
        if any(each["type"] == "searchResRef" for each in response or ()):
            self._access.notices.tell(f"{self.uri} refers to other servers for a part of {query.base}: not asked")
        return result, [_entry(each) for each in response or () if each["type"] == "searchResEntry"]

    def _refusal(self, result: Mapping[str, Any]) -> Refusal | None:
        code = result["result"]
        if code == SUCCESS:
            return None
        if code in _WRONG_PASSWORD:
            reason = _hidden_reason(result)
            return Refusal(reason or "wrong password", bool(reason))
        if code in _STRANGE_REFUSAL:
            return Refusal(_told(result), True)
        self._raise_for(result, "a user's bind")
        return None

    def _raise_for(self, result: Mapping[str, Any], what: str) -> None:
        """Turn a result code into the error that says what comes next."""
        text = f"{what}: {_told(result)}"
        if result["result"] in _BUSY_SERVER:
            raise ServerFailed(text)
        self._access.notices.error(f"{self.uri} answers {text}")
        raise DirectoryDown(text)

    @contextmanager
    def _faults_told(self) -> Iterator[None]:
        """
        Turn ldap3's exceptions into ours.

        Only what the network or TLS did marks a server as failed: a question that cannot be asked, or an answer that
        cannot be read, may be of a user's making.

        @raise ServerFailed: the connection or TLS.
        @raise DirectoryDown: anything else.
        """
        started = time.monotonic()
        try:
            yield
        except (ServerFailed, DirectoryDown):
            raise
        except Exception as fault:
            if not isinstance(fault, _TRANSPORT):
                self.close()
                self._access.notices.error(f"{self.uri}: {type(fault).__name__}: {fault}"[:500])
                raise DirectoryDown(type(fault).__name__) from fault
            late = time.monotonic() - started >= self._access.config.receive_timeout * 0.9
            reason = "no answer in time" if late else f"{fault}" or type(fault).__name__
            raise ServerFailed(reason, late) from fault


def _bind(connection: Any, dn: str, password: bytes) -> Mapping[str, Any]:
    """
    Simple bind (RFC 4511 §4.2).  C{Connection.rebind} would turn a lost connection into another error.

    @param password: never empty: that would be an anonymous success (RFC 4513 §5.1.2).
    """
    connection.user, connection.password, connection.authentication = dn, password, ldap3.SIMPLE
    try:
        _, result, _, _ = connection.bind(read_server_info=False, controls=[(_PASSWORD_POLICY, False, None)])
    finally:
        connection.password = None
    return dict(result)


def _close(connection: Any) -> None:
    """End a connection, whatever state it is in."""
    try:
        connection.strategy.close()
    except (LDAPExceptionError, OSError):
        pass


def _entry(found: Mapping[str, Any]) -> Entry:
    raw: Mapping[str, list[bytes]] = found["raw_attributes"]
    return Entry(found["dn"], {name.lower(): tuple(values) for name, values in raw.items()})


def _cookie(result: Mapping[str, Any]) -> bytes | None:
    """Where the next page begins (RFC 2696 §3)."""
    control = (result.get("controls") or {}).get(_PAGED_RESULTS)
    cookie: bytes | None = control["value"]["cookie"] if control else None
    return cookie or None


def _told(result: Mapping[str, Any]) -> str:
    """A result as the log shows it."""
    message = "".join(each if each.isprintable() else " " for each in str(result.get("message") or ""))[:200]
    return f"{result.get('description')} ({result['result']})" + (f": {message}" if message else "")


def _hidden_reason(result: Mapping[str, Any]) -> str:
    """What a server tells beside code 49, empty when it tells nothing."""
    windows = re.search(r"\bdata ([0-9a-f]{3})\b", str(result.get("message") or ""))
    if windows:
        return _WINDOWS_REASONS.get(windows[1], "")
    control = (result.get("controls") or {}).get(_PASSWORD_POLICY)
    value = control.get("value") if control else None
    return _policy_reason(value) if isinstance(value, bytes) else ""


def _policy_reason(value: bytes) -> str:
    """The error in a password policy response: C{SEQUENCE { warning [0], error [1] ENUMERATED }}, both optional."""
    place = 2
    while place + 2 <= len(value):
        tag, length = value[place], value[place + 1]
        if tag == 0x81 and length == 1 and place + 2 < len(value):
            return _POLICY_REASONS.get(value[place + 2], f"password policy error {value[place + 2]}")
        place += 2 + length
    return ""

