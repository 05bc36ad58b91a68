"""The catalogue: each fault, on which servers it happens, in which mode, and what is promised for it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from tests.faults import clients, networks, processes, servers
from tests.faults.backends import SOCKET_TIMEOUT
from tests.faults.crowd import Crowd
from tests.faults.promises import NOTHING, Bound, Mode, Promise, in_hand
from tests.faults.stage import WORKERS, Stage

Inject = Callable[[Stage, Crowd], None]
Around = Callable[[Stage], AbstractContextManager[None]]

SINGLE, SHARDED, SENTINEL, CLUSTER = "one Redis", "two Redis servers", "Sentinel", "Redis Cluster"

BACK_SECONDS = 2.0
"""How soon all processes serve again when a server is back."""

ALL = in_hand(WORKERS)
IN_FLIGHT = Bound("what was on its way on the connection", None)
STORED = Bound("what waited in the server", None)
BEFORE_REPLICA = Bound("what no replica had yet", None)
ANSWERS = Bound("answers to its sockets", None)
AGAIN = Bound("what was not finished is run again", None)

UNREPLICATED = Promise(lost=BEFORE_REPLICA, gaps=True, keeps_rooms=False, unanswered=BEFORE_REPLICA)


def nothing_special(stage: Stage) -> AbstractContextManager[None]:
    """Leave the stage as it is."""
    return nullcontext()


@dataclass(frozen=True)
class Scenario:
    """One fault in one mode.

    Attributes:
        group: Whose fault it is; a heading of the table.
        fault: What happens, in words.
        mode: How messages are delivered.
        where: On which servers.
        inject: Does it, and returns when it is over.
        promise: What holds nevertheless.
        around: What the traffic and the fault happen in.
    """

    group: str
    fault: str
    mode: Mode
    where: str
    inject: Inject
    promise: Promise
    around: Around = nothing_special

    @property
    def key(self) -> str:
        """Name in results and of the test."""
        return f"{self.inject.__module__.rpartition('.')[2]}.{self.inject.__name__}, {self.mode.value}"


def _both(
    group: str,
    fault: str,
    inject: Inject,
    most: Promise,
    least: Promise,
    where: str = SINGLE,
    around: Around = nothing_special,
) -> list[Scenario]:
    return [
        Scenario(group, fault, Mode.MOST, where, inject, most, around),
        Scenario(group, fault, Mode.LEAST, where, inject, least, around),
    ]


_PROCESSES, _SERVERS, _NETWORK, _CLIENTS = "Processes", "The layer's servers", "The network", "Clients"
_OTHERS = "Other layers"

SCENARIOS: list[Scenario] = [
    *_both(
        _PROCESSES,
        "Workers are killed (SIGKILL), one after the other",
        processes.kill_workers,
        Promise(lost=ALL, gaps=True, unanswered=ALL),
        Promise(repeated=ALL, unanswered=ALL),
    ),
    *_both(_PROCESSES, "Workers are told to end (SIGTERM)", processes.end_workers, Promise(), Promise()),
    *_both(
        _PROCESSES, "A worker is stopped for 2 s (SIGSTOP)", processes.freeze_worker, Promise(), Promise(repeated=ALL)
    ),
    *_both(
        _PROCESSES,
        "All workers are stopped for 2 s, and channels are full",
        processes.freeze_all_workers,
        Promise(),
        Promise(repeated=ALL),
    ),
    *_both(
        _PROCESSES,
        "Interfaces are killed (SIGKILL), one after the other",
        processes.kill_interfaces,
        Promise(),
        Promise(repeated=NOTHING),
    ),
    *_both(_PROCESSES, "Interfaces are told to end (SIGTERM)", processes.end_interfaces, Promise(), Promise()),
    *_both(_PROCESSES, "An interface is stopped for 2 s", processes.freeze_interface, Promise(), Promise()),
    *_both(
        _PROCESSES,
        "The clock of a worker jumps an hour forward, and an hour back",
        processes.shift_clock_of_worker,
        Promise(),
        Promise(),
        around=lambda stage: stage.workers[0].with_clock(),
    ),
    *_both(
        _PROCESSES,
        "The clock of an interface jumps an hour forward, and an hour back",
        processes.shift_clock_of_interface,
        Promise(),
        Promise(),
        around=lambda stage: stage.interfaces[0].with_clock(),
    ),
    *_both(
        _PROCESSES,
        "The disk for logs is full, while Redis restarts",
        processes.fill_disk,
        Promise(lost=IN_FLIGHT, gaps=True, unanswered=IN_FLIGHT),
        Promise(repeated=AGAIN, unanswered=IN_FLIGHT),
    ),
    *_both(
        _SERVERS,
        "Redis is killed and restarted with its data after 1 s",
        servers.restart_with_data,
        Promise(lost=IN_FLIGHT, gaps=True, unanswered=IN_FLIGHT, back_within=BACK_SECONDS),
        Promise(repeated=AGAIN, unanswered=IN_FLIGHT, back_within=BACK_SECONDS),
    ),
    *_both(
        _SERVERS,
        "Redis is told to end, and restarted with its data",
        servers.end_and_restart,
        Promise(lost=IN_FLIGHT, gaps=True, unanswered=IN_FLIGHT, back_within=BACK_SECONDS),
        Promise(repeated=AGAIN, unanswered=IN_FLIGHT, back_within=BACK_SECONDS),
    ),
    *_both(
        _SERVERS,
        "Redis is killed and restarted empty after 1 s",
        servers.restart_empty,
        Promise(lost=STORED, gaps=True, keeps_rooms=False, unanswered=STORED, back_within=BACK_SECONDS),
        Promise(
            lost=STORED,
            gaps=True,
            keeps_rooms=False,
            repeated=AGAIN,
            unanswered=STORED,
            back_within=BACK_SECONDS,
        ),
    ),
    *_both(_SERVERS, "Redis is stopped for 2 s (SIGSTOP)", servers.freeze, Promise(), Promise(repeated=AGAIN)),
    *_both(
        _SERVERS,
        "The clock of Redis jumps an hour forward, and an hour back",
        servers.shift_clock,
        Promise(lost=STORED, gaps=True, keeps_rooms=False, unanswered=STORED),
        Promise(keeps_rooms=False, repeated=AGAIN, unanswered=STORED),
        around=lambda stage: stage.backend.with_clock(),
    ),
    *_both(
        _SERVERS,
        "Redis has no memory left for 1 s (noeviction)",
        servers.run_out_of_memory,
        Promise(unanswered=ANSWERS),
        Promise(repeated=AGAIN, unanswered=ANSWERS),
    ),
    *_both(
        _SERVERS,
        "Redis evicts keys for 1 s (allkeys-random)",
        servers.evict,
        Promise(lost=STORED, gaps=True, keeps_rooms=False, unanswered=STORED),
        Promise(lost=STORED, gaps=True, keeps_rooms=False, repeated=AGAIN, unanswered=STORED),
    ),
    *_both(
        _NETWORK,
        "Connections to Redis are reset, four times",
        networks.reset_redis,
        Promise(lost=IN_FLIGHT, gaps=True, unanswered=IN_FLIGHT),
        Promise(repeated=AGAIN, unanswered=IN_FLIGHT),
    ),
    *_both(
        _NETWORK,
        "Connections to Redis are cut between command and answer, four times",
        networks.lose_answers,
        Promise(lost=IN_FLIGHT, gaps=True, unanswered=IN_FLIGHT),
        Promise(repeated=AGAIN, unanswered=IN_FLIGHT),
    ),
    *_both(
        _NETWORK,
        f"Connections to Redis fall silent (half-open); socket_timeout is {SOCKET_TIMEOUT:g} s",
        networks.silence_redis,
        Promise(lost=IN_FLIGHT, gaps=True, unanswered=IN_FLIGHT),
        # The silence lasts longer than ordered messages wait here: what is behind one that it holds may be given up.
        Promise(repeated=AGAIN, gaps=True, unanswered=IN_FLIGHT),
    ),
    *_both(
        _NETWORK,
        "Everything to and from Redis takes 50 ms for 2 s",
        networks.delay_redis,
        Promise(),
        Promise(repeated=AGAIN),
    ),
    *_both(
        _NETWORK,
        "Connections to Redis carry 40 kB/s for 2 s",
        networks.throttle_redis,
        Promise(),
        Promise(repeated=AGAIN),
    ),
    *_both(_NETWORK, "Connections of clients are reset, four times", networks.reset_clients, Promise(), Promise()),
    *_both(_NETWORK, "Connections of clients fall silent (half-open)", networks.silence_clients, Promise(), Promise()),
    *_both(
        _NETWORK, "Everything to and from clients takes 100 ms for 2 s", networks.delay_clients, Promise(), Promise()
    ),
    *_both(_CLIENTS, "Clients ask for megabytes and never read", clients.never_read, Promise(), Promise()),
    *_both(_CLIENTS, "Clients never finish their handshakes", clients.never_finish, Promise(), Promise()),
    *_both(_CLIENTS, f"{clients.VANISHING:,} clients connect at once and vanish", clients.vanish, Promise(), Promise()),
    *_both(
        _OTHERS,
        "One of two Redis servers is killed, and back with its data after 1 s",
        servers.lose_one_of_two,
        Promise(lost=IN_FLIGHT, gaps=True, unanswered=IN_FLIGHT),
        Promise(repeated=AGAIN, unanswered=IN_FLIGHT),
        SHARDED,
    ),
    *_both(
        _OTHERS,
        "The master is killed, and the Sentinels name another",
        servers.fail_over,
        UNREPLICATED,
        replace(UNREPLICATED, repeated=AGAIN),
        SENTINEL,
    ),
    *_both(
        _OTHERS,
        "The master and one of three Sentinels are killed, and the others name another",
        servers.fail_over_without_a_sentinel,
        UNREPLICATED,
        replace(UNREPLICATED, repeated=AGAIN),
        SENTINEL,
    ),
    *_both(
        _OTHERS,
        "The slot of the busiest channel moves, and back",
        servers.move_slots,
        Promise(),
        Promise(),
        CLUSTER,
    ),
    *_both(
        _OTHERS,
        "The master of the busiest channel is killed, and its replica takes over",
        servers.fail_over_in_cluster,
        UNREPLICATED,
        replace(UNREPLICATED, repeated=AGAIN),
        CLUSTER,
    ),
]
