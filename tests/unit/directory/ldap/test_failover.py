"""Which server is asked, and when a fallen one is tried again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from trekd.directory.interfaces import DirectoryServer
from trekd.directory.ldap.entries import Found, ISession, Query, Refusal, ServerFailed
from trekd.directory.ldap.failover import Failover
from trekd.errors import BadCredentials, DirectoryDown


class Network:
    """Servers that a test lets fall; it is the clock, too."""

    def __init__(self) -> None:
        self.now = 0.0
        self.fallen: set[str] = set()
        self.hung: set[str] = set()
        self.sessions: list[FakeSession] = []

    def connect(self, uri: str) -> FakeSession:
        self.sessions.append(FakeSession(self, uri))
        return self.sessions[-1]


class FakeSession:
    """A session that breaks when its server falls, and stays broken."""

    def __init__(self, network: Network, uri: str) -> None:
        self.network = network
        self.uri = uri
        self.is_open = False
        self.is_broken = False

    def check(self) -> None:
        if self.uri in self.network.hung:
            raise ServerFailed("no answer in time", True)
        if self.uri in self.network.fallen or self.is_broken:
            self.is_broken = True
            raise ServerFailed("connection refused")
        self.is_open = True

    def close(self) -> None:
        self.is_open = False

    def search(self, query: Query) -> Found:
        raise NotImplementedError

    def search_as_user(self, query: Query) -> Found:
        raise NotImplementedError

    def verify(self, dn: str, password: bytes) -> Refusal | None:
        raise NotImplementedError


def question(session: ISession) -> str:
    session.check()  # type: ignore[attr-defined]
    return session.uri


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def servers(network: Network) -> Failover:
    return Failover(("a", "b"), network.connect, 30, lambda: network.now)


def test_the_first_that_is_up_is_asked(servers: Failover, network: Network) -> None:
    assert servers.call(question) == "a"
    network.fallen = {"a"}
    assert servers.call(question) == "b"


def test_a_fallen_one_is_passed_over_while_held(servers: Failover, network: Network) -> None:
    network.fallen = {"a"}
    servers.call(question)
    made = len(network.sessions)
    network.now = 29
    assert (servers.call(question), servers.is_try_due()) == ("b", False)
    assert len(network.sessions) == made


def test_then_it_is_tried_beside_the_questions(servers: Failover, network: Network) -> None:
    network.fallen = {"a"}
    servers.call(question)
    network.now, network.fallen = 30, set()
    assert servers.call(question) == "b"  # a question never pays for the try
    assert servers.is_try_due()
    servers.try_fallen()
    assert (servers.call(question), servers.is_try_due()) == ("a", False)


def test_one_that_is_still_down_is_held_again(servers: Failover, network: Network) -> None:
    network.fallen = {"a"}
    servers.call(question)
    network.now = 30
    servers.try_fallen()
    assert not servers.is_try_due()
    assert servers.servers() == (DirectoryServer("a", "connection refused", 1), DirectoryServer("b"))


def test_only_one_thread_tries(servers: Failover, network: Network) -> None:
    network.fallen = {"a"}
    servers.call(question)
    network.now = 30
    seen: list[bool] = []
    servers._connect = lambda uri: _Watched(network, uri, lambda: seen.append(servers.is_try_due()))
    servers.try_fallen()
    assert seen == [False]


class _Watched(FakeSession):
    def __init__(self, network: Network, uri: str, look: Callable[[], None]) -> None:
        super().__init__(network, uri)
        self.look = look

    def check(self) -> None:
        self.look()


def test_none_up_is_told_at_once_and_tried_each_second(servers: Failover, network: Network) -> None:
    network.fallen = {"a", "b"}
    with pytest.raises(DirectoryDown):
        servers.call(question)
    made = len(network.sessions)
    network.fallen = set()
    with pytest.raises(DirectoryDown, match="connection refused"):
        servers.call(question)
    assert len(network.sessions) == made
    network.now = 1
    assert servers.call(question) == "a"


def test_a_connection_that_the_server_closed_is_made_anew(servers: Failover, network: Network) -> None:
    servers.call(question)
    network.sessions[0].is_broken = True
    assert servers.call(question) == "a"
    assert [session.uri for session in network.sessions] == ["a", "a"]
    assert not network.sessions[0].is_open


def test_a_hung_server_costs_one_wait(servers: Failover, network: Network) -> None:
    servers.call(question)
    network.hung = {"a"}
    assert servers.call(question) == "b"
    assert [session.uri for session in network.sessions] == ["a", "b"]


def test_with_all_silent_one_question_waits_for_one_server(servers: Failover, network: Network) -> None:
    """What a login waits while no server is up is C{receive_timeout}, however many there are."""
    network.hung |= {"a", "b"}
    asked: list[str] = []

    def ask(session: ISession) -> str:
        asked.append(session.uri)
        return question(session)

    for expected in (["a", "b"], [], ["a"], ["b"]):
        network.now += 1 if expected else 0
        with pytest.raises(DirectoryDown):
            servers.call(ask)
        assert asked == expected
        asked.clear()
        network.now += 0.5 if expected == ["a"] else 0
    network.now += 1
    network.hung.clear()
    assert servers.call(ask) == "a"


def test_a_refusal_is_an_answer(servers: Failover, network: Network) -> None:
    def refuse(session: ISession) -> None:
        raise BadCredentials()

    for _ in range(3):
        with pytest.raises(BadCredentials):
            servers.call(refuse)
    assert [session.uri for session in network.sessions] == ["a"]
    assert servers.servers() == (DirectoryServer("a"), DirectoryServer("b"))


def test_close_ends_idle_sessions(servers: Failover, network: Network) -> None:
    servers.call(question)
    servers.close()
    assert not network.sessions[0].is_open
