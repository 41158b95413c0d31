"""
What is asked of a server and what it answers, without the library that carries it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """
    An entry of the directory.

    @ivar dn: as the server spells it.
    @ivar attributes: names in lower case to values, in the server's order.
    """

    dn: str
    attributes: Mapping[str, tuple[bytes, ...]]

    def texts(self, name: str) -> tuple[str, ...]:
        """All values of an attribute as text; what is no UTF-8 is left out.  Options of the name don't count."""
        found: list[str] = []
        for value in self.attributes.get(name.lower(), ()) if name else ():
            try:
                found.append(value.decode())
            except UnicodeDecodeError:
                continue
        return tuple(found)

    def text(self, name: str) -> str:
        """The first value of an attribute, empty when there is none."""
        return next(iter(self.texts(name)), "")


@dataclass(frozen=True, slots=True)
class Query:
    """
    A search (RFC 4511 §4.5.1).

    @ivar scope: C{base}, C{onelevel} or C{subtree}.
    @ivar attributes: what is wanted of each entry.
    @ivar limit: entries wanted at most.
    @ivar page: entries asked for at a time (RFC 2696); 0 is all at once.
    """

    base: str
    scope: str
    filter: str
    attributes: tuple[str, ...]
    limit: int
    page: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """
    What a search found.

    @ivar entries: referrals are not among them.
    @ivar was_cut: there are more: C{limit}, or a limit of the server's, cut the rest off.
    """

    entries: tuple[Entry, ...]
    was_cut: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    Why a server did not take a password.

    @ivar reason: for the log and for administrators, never for the user.
    @ivar is_strange: more than a wrong password: the log should tell.
    """

    reason: str
    is_strange: bool = False


class ISession(Protocol):
    """
    Connections to one server, used by one thread at a time; all methods block.

    All raise L{ServerFailed} when the server does not answer, and
    L{DirectoryDown<trekd.errors.DirectoryDown>} when it answers that it cannot.
    """

    uri: str

    def search(self, query: Query) -> Found:
        """Search with the service account; a base that does not exist is an error unless the scope is C{base}."""

    def search_as_user(self, query: Query) -> Found:
        """Search as who was last verified."""

    def verify(self, dn: str, password: bytes) -> Refusal | None:
        """Bind as an entry; C{None} when the password is right."""

    def close(self) -> None:
        """End the connections."""


class ServerFailed(Exception):
    """
    A server cannot be used now; another may.

    @ivar was_timeout: it took our connection and kept silent.
    """

    def __init__(self, reason: str, was_timeout: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.was_timeout = was_timeout
