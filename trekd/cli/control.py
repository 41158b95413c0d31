"""
How commands reach the operations: what they call, and which of the two ways there are is taken.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote, urlencode

from trekd.cli.failures import NO_DAEMON, CommandFailure, OperationRefused
from trekd.config.endpoints import socket_path
from trekd.config.schema import Config

Path = tuple[str, ...]

CONNECT_TIME = 10.0
"""Seconds for the socket to take a connection; answers may take as long as they need."""


class Control(Protocol):
    """What commands call; each raises L{OperationRefused} when the operation is refused."""

    def ask(self, method: str, path: Path, body: object = None, **query: str) -> Any:
        """Do what gives one JSON value; a body of octets goes as it is, any other as JSON."""

    def follow(self, method: str, path: Path, body: object = None, **query: str) -> Iterator[Any]:
        """Do what gives JSON values one by one."""

    def fetch(self, path: Path, **query: str) -> BinaryIO:
        """Get octets as a stream to read."""

    def close(self) -> None:
        """End."""


def octets_of(body: object) -> bytes:
    """A request's body as it travels."""
    if isinstance(body, bytes):
        return body
    return b"" if body is None else json.dumps(body).encode()


def checked(answer: Any) -> Any:
    """
    Give an answer back that is no error.

    @raise OperationRefused: it is one.
    """
    if isinstance(answer, dict) and "error" in answer:
        raise OperationRefused(answer["error"]["code"], answer["error"]["text"])
    return answer


class _UnixConnection(HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        """See C{HTTPConnection}."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONNECT_TIME)
        self.sock.connect(self._path)
        self.sock.settimeout(None)


class DaemonControl:
    """The operations of the running daemon, through its control socket."""

    def __init__(self, path: str) -> None:
        """
        Connect.

        @raise OSError: nobody answers there, or it may not be opened.
        """
        self._connection = _UnixConnection(path)
        self._connection.connect()

    def ask(self, method: str, path: Path, body: object = None, **query: str) -> Any:
        """See L{Control.ask}."""
        with _unbroken():
            return json.loads(self._request(method, path, body, query).read())

    def follow(self, method: str, path: Path, body: object = None, **query: str) -> Iterator[Any]:
        """See L{Control.follow}."""
        with _unbroken():
            for line in self._request(method, path, body, query):
                yield checked(json.loads(line))

    def fetch(self, path: Path, **query: str) -> BinaryIO:
        """See L{Control.fetch}."""
        with _unbroken():
            return self._request("GET", path, None, query)

    def close(self) -> None:
        """See L{Control.close}."""
        self._connection.close()

    def _request(self, method: str, path: Path, body: object, query: Mapping[str, str]) -> HTTPResponse:
        target = "/" + "/".join(quote(segment, safe="") for segment in path)
        if query:
            target += "?" + urlencode(query)
        self._connection.request(method, target, octets_of(body))
        response = self._connection.getresponse()
        if response.status != 200:
            checked(json.loads(response.read()))
            raise CommandFailure(f"the daemon answered with status {response.status}")
        return response


@contextmanager
def _unbroken() -> Iterator[None]:
    """Tell a connection that breaks from an operation that fails."""
    try:
        yield
    except (HTTPException, OSError, ValueError) as fault:
        text = f"the connection to the daemon broke: {fault or type(fault).__name__}"
        raise CommandFailure(text, status=NO_DAEMON) from fault


def connect(config: Config, needs_daemon: bool, is_debugging: bool = False) -> Control:
    """
    Reach the daemon, or the files when it is down.

    @param needs_daemon: whether files alone are no use.
    @param is_debugging: show on standard error what goes on inside.
    @raise CommandFailure: neither can be reached.
    @raise ConfigFault: the files cannot be used.
    """
    paths = [path for endpoint in config.listen.control if (path := socket_path(endpoint)) is not None]
    if not paths:
        raise CommandFailure("[listen] control has no unix: socket to reach the daemon by", status=NO_DAEMON)
    reason = ""
    for path in paths:
        try:
            return DaemonControl(path)
        except (FileNotFoundError, ConnectionRefusedError) as fault:
            reason = f"the daemon is not running ({path}: {fault.strerror})"
        except PermissionError:
            text = f"{path}: permission denied; run this as root or as the daemon's user"
            raise CommandFailure(text, status=NO_DAEMON) from None
        except OSError as fault:
            raise CommandFailure(f"{path}: {fault.strerror or fault}", status=NO_DAEMON) from None
    if needs_daemon:
        raise CommandFailure(reason, status=NO_DAEMON)
    from trekd.cli.files import FileControl  # loads Twisted and a reactor, so only when it must

    return FileControl(config, is_debugging)
