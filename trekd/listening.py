"""
Listeners: endpoint strings of the configuration become open ports.

All ports are bound before anything else starts, so that a busy one ends the start with one clear line and nothing
half done.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Awaitable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.python.failure import Failure

from trekd.config.endpoints import socket_path
from trekd.errors import ConfigFault
from trekd.occupants import occupant

BACKLOG = 1024
"""
Connections that the kernel holds until they are accepted: Twisted's 50 are gone in no time when all clients come back
at once, and each further one then waits a second or more (Linux: at most C{net.core.somaxconn}, 4096).
"""

SOCKET_MODE = 0o660
"""Of UNIX sockets whose endpoint does not say it: mail that comes by one needs no login."""

_HINTS = {
    errno.EACCES: "no permission; ports below 1024 need root or CAP_NET_BIND_SERVICE",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.ENOENT: "the directory does not exist",
}


_BUSY = {
    "port": "port {port} is taken, another program listens there{holder}; stop it or choose another port",
    "path": "another program listens there; stop it or choose another path",
}


def listen(reactor: Any, service: str, endpoint: str, factory: IProtocolFactory, base: str) -> IListeningPort:
    """
    Open one port now.

    @param service: key of C{[listen]}, for the complaint.
    @param endpoint: Twisted endpoint string.
    @param base: directory from which a relative path of a UNIX socket starts.
    @raise ConfigFault: it cannot be opened; one line says why and what to do.
    """
    endpoint = _from_base(endpoint, base)
    path = socket_path(endpoint)
    mode = f":mode={SOCKET_MODE:o}" if path is not None and ":mode=" not in endpoint else ""
    try:
        if path is not None:
            _clear_the_way(path)
        port = _now(serverFromString(reactor, endpoint + mode).listen(factory))
        _set_socket_options(port)
        if "backlog=" not in endpoint:
            _lengthen_queue(port)
        return port
    except CannotListenError as error:
        number = getattr(error.socketError, "errno", None) or 0
        reason = _busy(error.port) if number == errno.EADDRINUSE else _HINTS.get(number) or str(error.socketError)
    except (OSError, OverflowError, ValueError, TypeError, LookupError) as error:
        number = getattr(error, "errno", None) or 0
        reason = _HINTS.get(number) or str(error)
    raise ConfigFault(f"[listen] {service} = {endpoint!r}: {reason}")


def _busy(port: object) -> str:
    """What to do about a port, or the path of a socket, that is taken."""
    if not isinstance(port, int):
        return _BUSY["path"]
    holder = occupant(port)
    who = f": {holder}" if holder else ""
    advice = "" if holder and "process" in holder else f" (as root: ss -ltnp sport = :{port})"
    return _BUSY["port"].format(port=port, holder=who + advice)


def _from_base(endpoint: str, base: str) -> str:
    path = socket_path(endpoint)
    if path is None or os.path.isabs(path):
        return endpoint
    return endpoint.replace(path, os.path.normpath(os.path.join(base, path)), 1)


def _clear_the_way(path: str) -> None:
    """Make the socket's directory, and remove a socket that a dead process left."""
    os.makedirs(os.path.dirname(path) or ".", 0o755, exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except OSError:
            pass


def _now(opening: Deferred[IListeningPort]) -> IListeningPort:
    """The result of a Deferred that every server endpoint of Twisted has fired already."""
    results: list[Any] = []
    opening.addBoth(results.append)
    if not results:
        raise ValueError("this kind of endpoint cannot be opened at once")
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]  # type: ignore[no-any-return]


def _set_socket_options(port: IListeningPort) -> None:
    """Answers leave at once and vanished peers are noticed; Linux hands both on to accepted connections."""
    listener = getattr(port, "socket", None)
    if listener is None or listener.family not in (socket.AF_INET, socket.AF_INET6):
        return
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds_or_count in ((socket.TCP_KEEPIDLE, 120), (socket.TCP_KEEPINTVL, 30), (socket.TCP_KEEPCNT, 4)):
        listener.setsockopt(socket.IPPROTO_TCP, option, seconds_or_count)


def _lengthen_queue(port: IListeningPort) -> None:
    listener = getattr(port, "socket", None)
    if listener is not None and listener.type == socket.SOCK_STREAM:
        listener.listen(BACKLOG)


async def close(ports: Sequence[IListeningPort]) -> None:
    """Stop listening on all of them."""
    for port in ports:
        stopping = port.stopListening()
        if isinstance(stopping, Awaitable):
            await stopping


