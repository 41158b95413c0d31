"""Who has vanished, by what the kernel says."""

from __future__ import annotations

import socket
import struct

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.fakes.connections import FakeConnection
from tests.fakes.kernel import KernelConnection
from trekd.portal.interfaces import IProbe
from trekd.portal.kernel import TCPState, look
from trekd.portal.liveness import LivenessProbe, Sweep


class LivenessCase(SynchronousTestCase):
    """A probe and connections that have been silent for a minute."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.probe = LivenessProbe(self.clock)

    def connections(self, count: int, round_trip: float = 0.02) -> list[KernelConnection]:
        made = [KernelConnection(self.clock, round_trip) for _ in range(count)]
        self.clock.advance(60)
        return made

    def reclaim(self, connections: list[KernelConnection], wanted: int = 1) -> Deferred[list[KernelConnection]]:
        return ensureDeferred(self.probe.reclaim(connections, wanted))

    def pass_time(self, seconds: float) -> None:
        self.clock.pump([0.05] * round(seconds / 0.05))


class ReclaimTests(LivenessCase):
    """Before a login is refused."""

    def test_it_is_a_probe(self) -> None:
        verifyObject(IProbe, self.probe)

    def test_living_peers_are_known_by_their_acknowledgement_and_at_once(self) -> None:
        connections = self.connections(3)
        attempt = self.reclaim(connections)
        self.pass_time(0.15)
        self.assertEqual(self.successResultOf(attempt), [])
        self.assertEqual([(each.beats, each.aborted) for each in connections], [(1, 0)] * 3)

    def test_vanished_peer_is_aborted_after_a_second(self) -> None:
        alive, ghost = connections = self.connections(2)
        ghost.socket.vanish()
        attempt = self.reclaim(connections)
        self.pass_time(1)
        self.assertNoResult(attempt)
        self.pass_time(0.2)
        self.assertEqual(self.successResultOf(attempt), [ghost])
        self.assertEqual((alive.aborted, ghost.aborted), (0, 1))

    def test_no_more_than_wanted_and_the_longest_silent_first(self) -> None:
        connections = self.connections(4)
        for each in connections:
            each.socket.vanish()
        for each in (connections[0], connections[1], connections[3]):
            each.socket.hear()
        self.clock.advance(5)
        connections[0].socket.hear()
        self.clock.advance(5)
        attempt = self.reclaim(connections, 2)
        self.pass_time(1.2)
        self.assertEqual(self.successResultOf(attempt)[0], connections[2])
        self.assertEqual(sum(each.aborted for each in connections), 2)
        self.assertEqual(connections[0].aborted, 0)

    def test_far_peer_gets_eight_round_trips_and_three_seconds_at_most(self) -> None:
        for round_trip, least, most in ((0.25, 2.0, 2.3), (1.0, 3.0, 3.3)):
            (ghost,) = self.connections(1, round_trip)
            ghost.socket.vanish()
            attempt = self.reclaim([ghost])
            self.pass_time(least)
            self.assertNoResult(attempt)
            self.pass_time(most - least)
            self.assertEqual(self.successResultOf(attempt), [ghost])

    def test_slow_acknowledgement_saves_a_peer(self) -> None:
        (slow,) = self.connections(1, 0.9)
        attempt = self.reclaim([slow])
        self.pass_time(3.3)
        self.assertEqual(self.successResultOf(attempt), [])

    def test_where_the_protocol_allows_no_heartbeat_the_kernel_asks(self) -> None:
        alive, ghost = connections = self.connections(2)
        alive.can_beat = ghost.can_beat = False
        ghost.socket.vanish()
        attempt = self.reclaim(connections)
        self.assertEqual(ghost.socket.options[socket.TCP_KEEPIDLE], 1)
        self.pass_time(3.2)
        self.assertEqual(self.successResultOf(attempt), [ghost])
        usual = {socket.TCP_KEEPIDLE: 120, socket.TCP_KEEPINTVL: 30, socket.TCP_KEEPCNT: 4}
        self.assertEqual((alive.socket.options, ghost.socket.options), (usual, usual))

    def test_output_in_flight_is_question_enough(self) -> None:
        (ghost,) = self.connections(1)
        ghost.socket.vanish()
        ghost.socket.send()
        self.clock.advance(30)
        attempt = self.reclaim([ghost])
        self.pass_time(1.2)
        self.assertEqual(self.successResultOf(attempt), [ghost])
        self.assertEqual(ghost.beats, 0)

    def test_shut_window_is_no_sign_of_death_until_probes_stay_unanswered(self) -> None:
        alive, ghost = connections = self.connections(2)
        alive.socket.is_shut = ghost.socket.is_shut = True
        ghost.socket.vanish()
        attempt = self.reclaim(connections, 2)
        self.pass_time(1.2)
        self.assertEqual(self.successResultOf(attempt), [ghost])
        self.assertEqual((alive.beats, alive.aborted), (0, 0))

    def test_busy_reactor_makes_nobody_look_dead(self) -> None:
        """The heartbeat has not left this process when the wait is over."""
        (alive,) = self.connections(1)
        alive.is_stuck = True
        attempt = self.reclaim([alive])
        self.clock.advance(20)
        alive.socket.send()
        self.clock.advance(0)
        self.clock.advance(20)
        self.assertEqual(self.successResultOf(attempt), [])

    def test_two_logins_ask_a_peer_once_and_take_two_ghosts(self) -> None:
        connections = self.connections(3)
        for each in connections:
            each.socket.vanish()
        attempts = [self.reclaim(connections), self.reclaim(connections)]
        for each in connections:
            each.on_abort = lambda each=each: setattr(each, "kernel_socket", lambda: None)
        self.pass_time(1.3)
        first, second = (self.successResultOf(attempt) for attempt in attempts)
        self.assertEqual(len({*first, *second}), 2)
        self.assertEqual([each.beats for each in connections], [1, 1, 1])

    def test_peer_heard_within_a_second_is_not_asked(self) -> None:
        (alive,) = self.connections(1)
        alive.socket.hear()
        self.assertEqual(self.successResultOf(self.reclaim([alive])), [])
        self.assertEqual(alive.beats, 0)

    def test_connection_without_tcp_is_left_alone(self) -> None:
        self.assertEqual(self.successResultOf(self.reclaim([FakeConnection()])), [])

    def test_kernel_that_tells_too_little_aborts_nobody(self) -> None:
        (ghost,) = self.connections(1)
        ghost.socket.vanish()
        ghost.socket.size = 104
        self.assertEqual(self.successResultOf(self.reclaim([ghost])), [])


class SweepTests(LivenessCase):
    """Without any login."""

    def setUp(self) -> None:
        super().setUp()
        self.there: list[KernelConnection] = []
        self.sweep = Sweep(self.probe, lambda: self.there, lambda: 120, self.clock)

    def test_ghosts_are_found_and_nothing_is_written(self) -> None:
        self.there = self.connections(500)
        for each in self.there[:3]:
            each.socket.vanish()
        self.sweep.start()
        self.pass_time(160)
        self.assertEqual([each.aborted for each in self.there], [1] * 3 + [0] * 497)
        self.assertEqual({each.beats for each in self.there}, {0})

    def test_it_goes_on_until_it_is_stopped(self) -> None:
        self.sweep.start()
        self.clock.advance(1000)
        self.there = self.connections(1)
        (ghost,) = self.there
        ghost.on_abort = self.there.clear
        ghost.socket.vanish()
        self.pass_time(300)
        self.assertEqual(ghost.aborted, 1)
        self.sweep.stop()
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_outage_shorter_than_its_patience_ends_nobody(self) -> None:
        self.there = self.connections(1)
        self.there[0].socket.vanish()
        self.sweep.start()
        self.pass_time(130)
        self.there[0].socket.hear()
        self.there[0].socket.vanished = None
        self.pass_time(60)
        self.assertEqual(self.there[0].aborted, 0)

    def test_login_during_a_sweep_does_not_wait_for_it(self) -> None:
        self.there = self.connections(1)
        self.there[0].can_beat = False
        self.there[0].socket.vanish()
        self.sweep.start()
        self.pass_time(121)
        attempt = self.reclaim(self.there)
        self.pass_time(3.2)
        self.assertEqual(self.successResultOf(attempt), self.there)


class KernelTests(SynchronousTestCase):
    """C{struct tcp_info} itself."""

    def test_short_or_no_structure_is_refused(self) -> None:
        for size in range(148):
            self.assertRaises(ValueError, TCPState.parse, bytes(size))
        self.assertEqual(TCPState.parse(bytes(148)), TCPState())

    def test_fields_are_where_linux_has_them(self) -> None:
        octets = bytearray(280)
        octets[3] = 2
        for offset, value in ((24, 3), (44, 4), (56, 5), (68, 6_000_000), (144, 7)):
            struct.pack_into("=I", octets, offset, value)
        struct.pack_into("=Q", octets, 120, 8)
        self.assertEqual(TCPState.parse(bytes(octets)), TCPState(2, 3, 7, 4, 5, 8, 6.0))

    def test_look_at_a_real_socket_and_at_a_closed_one(self) -> None:
        server = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        accepted.sendall(b"x" * 1000)
        state = look(accepted)
        assert state is not None
        self.assertGreater(state.round_trip, 0)
        for each in (server, client, accepted):
            each.close()
        self.assertIsNone(look(accepted))
        left, right = socket.socketpair()
        self.assertIsNone(look(left))
        left.close()
        right.close()
