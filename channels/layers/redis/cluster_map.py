"""Where the hash slots of a Redis Cluster are, and how commands follow them when they move.

A plan for a cluster names slots; ``ClusterRoutes.route`` turns it into one that names nodes, asks the nodes where the
slots are, and repeats what was refused because a slot had moved, is moving, or is nobody's. Such a command was not
carried out, so nothing is sent twice. Nothing here talks to a server.
"""

import itertools
import logging
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError, TryAgainError

from channels import counters
from channels.exceptions import LayerUnavailable
from channels.layers.redis import scripts
from channels.layers.redis.apart import Apart
from channels.layers.redis.keys import Keys
from channels.layers.redis.plans import Plan, Replies, Step, advance, run_tolerantly
from channels.layers.redis.ring import Ring
from channels.layers.redis.routes import Routes
from channels.layers.redis.shards import Shard

logger = logging.getLogger("django.channels.layers")

T = TypeVar("T")
Address = tuple[str, int]

SLOTS = 16_384
TURN_TAGS = 64
"""Over how many slots the turns of connections are spread; what is waited for in one is looked through together."""

MOST_MOVES = 16
"""How often a command is sent after its slot before we give up."""

MOST_PAUSES = 200
PAUSE_MS = 25
"""Keys that one script needs may be on two nodes while their slot moves; one that cannot be done apart is repeated for
five seconds."""

REDIRECTIONS = (AskError, TryAgainError, ClusterDownError)
"""What a node answers that did not carry out a command: the first one is also the kind of MOVED."""

ASKING = scripts.command(b"ASKING")
PAUSE = scripts.command(b"WAIT", 1000, PAUSE_MS)
"""Makes the node wait, not us: for more replicas than there are, until the time is over."""


class SlotRing(Ring):
    """Names in the slots of a cluster: the shards are the slots.

    Args:
        keys: How names are written into keys; what a key has between braces chooses its slot.
    """

    group_is_one_place = True

    def __init__(self, keys: Keys, durable: Sequence[re.Pattern[str]] = ()) -> None:
        super().__init__(SLOTS, durable)
        self._keys = keys

    def shard_of(self, name: str) -> int:
        slot: int = key_slot(self._keys.hidden(name).encode("ascii"))
        return slot

    def is_anywhere(self, queue: str) -> bool:
        return False

    def member_shard(self, group: str, channel: str) -> int:
        return self.shard_of(group)

    def group_shards(self, group: str) -> Sequence[int]:
        return (self.shard_of(group),)

    def turn_place(self, connection: str) -> tuple[int, str]:
        return self._tagged(crc32(connection.encode("ascii")) % TURN_TAGS)

    def turn_places(self) -> Sequence[tuple[int, str]]:
        return [self._tagged(number) for number in range(TURN_TAGS)]

    def _tagged(self, number: int) -> tuple[int, str]:
        tag = f"{{t{number}}}"
        return key_slot(tag.encode()), tag

    def total_shard(self, shard: int) -> int:
        slot: int = key_slot(self._keys.total.encode())
        return slot

    def total_shards(self) -> Sequence[int]:
        return (self.total_shard(0),)


class _Job(NamedTuple):
    """One command of a step: its slot, its place among the commands for that slot, and how it is to be sent."""

    slot: int
    position: int
    command: bytes
    asks: bool = False
    pauses: bool = False
    was_lost: bool = False
    server: int | None = None


class ClusterRoutes(Routes):
    """Where the slots of one cluster are. Safe for threads.

    Args:
        make_node: Returns a node that can be connected to.
        servers: The nodes found so far; only ever grows, so that numbers keep their meaning.
        seeds: The nodes to ask first.
    """

    def __init__(self, make_node: Callable[[Address], Shard], servers: list[Shard], seeds: Sequence[Address]) -> None:
        self._make_node = make_node
        self._servers = servers
        self._numbers: dict[Address, int] = {}
        self._lock = threading.Lock()
        self._slots: list[int] = []
        self._turn = itertools.count()
        self.is_known = False
        for seed in seeds:
            self._number(seed)

    def _number(self, address: Address) -> int:
        with self._lock:
            if address not in self._numbers:
                self._servers.append(self._make_node(address))
                self._numbers[address] = len(self._servers) - 1
            return self._numbers[address]

    def holders(self) -> list[int]:
        """Return the numbers of the nodes that have slots."""
        return sorted(set(self._slots))

    def server_of(self, shard: int) -> int:
        return self._slots[shard]

    def refused(self, reply: object) -> None:
        """A command that waits was refused: the map is old, unless the slot is only about to move."""
        if isinstance(reply, MovedError):
            self._move(reply)
        elif not isinstance(reply, AskError):
            self.is_known = False

    def lost(self) -> None:
        """A node was lost: its slots may be another's soon."""
        self.is_known = False

    # Finding out

    def find_out(self) -> Plan[None]:
        """Plan: ask one node after another where the slots are.

        Raises:
            LayerUnavailable: None of them knows.
        """
        first = next(self._turn)
        numbers = [number for number, server in enumerate(self._servers) if not server.health.is_resting]
        numbers = numbers or list(range(len(self._servers)))
        problem: Exception | None = None
        for server in numbers[first % len(numbers) :] + numbers[: first % len(numbers)]:
            replies, errors = yield from run_tolerantly({server: [scripts.command(b"CLUSTER", b"SLOTS")]})
            if errors:
                problem = problem or errors[server]
            elif self._learn(replies[server][0], server):
                return
            else:
                problem = LayerUnavailable(
                    f"Redis at {self._servers[server].label} knows of a cluster that does not serve all slots."
                )
        assert problem is not None
        raise problem from problem.__cause__

    def _learn(self, answer: Sequence[Any], asked: int) -> bool:
        """Remember what a node said; return whether every slot has a master."""
        slots = [-1] * SLOTS
        for first, last, master, *_ in answer:
            host = (master[0] or b"").decode()
            if host in ("", "?"):  # A node that does not know its own address.
                host = self._address(asked)[0]
            slots[first : last + 1] = [self._number((host, int(master[1])))] * (last + 1 - first)
        if -1 in slots:
            return False
        self._slots = slots
        self.is_known = True
        return True

    def _address(self, server: int) -> Address:
        return next(address for address, number in self._numbers.items() if number == server)

    def _move(self, error: MovedError) -> None:
        self._slots[error.slot_id] = self._target(error)
        counters.add("cluster.followed.moved")

    def _target(self, error: AskError) -> int:
        return self._number((error.host, error.port))

    # Following

    def route(self, plan: Plan[T]) -> Plan[T]:
        try:
            step = next(plan)
            while True:
                replies, errors = yield from self._carry_out(step)
                step = advance(plan, replies, errors)
        except StopIteration as end:
            result: T = end.value
            return result

    def _carry_out(self, step: Step) -> Plan[tuple[Replies, dict[int, LayerUnavailable]]]:
        replies: Replies = {slot: [None] * len(commands) for slot, commands in step.items()}
        errors: dict[int, LayerUnavailable] = {}
        jobs = [_Job(slot, at, command) for slot, commands in step.items() for at, command in enumerate(commands)]
        moves = pauses = 0
        while jobs:
            if not self.is_known:
                try:
                    yield from self.find_out()
                except LayerUnavailable as error:
                    return {}, dict.fromkeys(step, error)
            again, is_pausing = yield from self._ask(jobs, replies, errors)
            again = yield from self._take_apart(again, replies, errors)
            jobs = [job for job in again if job.slot not in errors]
            moves, pauses = (moves, pauses + 1) if is_pausing else (moves + 1, pauses)
            if jobs and (moves > MOST_MOVES or pauses > MOST_PAUSES):
                for job in jobs:
                    errors[job.slot] = LayerUnavailable(f"Slot {job.slot} of the Redis Cluster does not settle.")
                break
        return {slot: answers for slot, answers in replies.items() if slot not in errors}, errors

    def _take_apart(
        self, jobs: Sequence[_Job], replies: Replies, errors: dict[int, LayerUnavailable]
    ) -> Plan[list[_Job]]:
        """Do those of ``jobs`` in pieces that need keys on two nodes at once, if they can be; return the others."""
        others = []
        for job in jobs:
            if job.pauses and isinstance(job.command, Apart):
                try:
                    replies[job.slot][job.position] = yield from self.route(job.command.pieces())
                except LayerUnavailable as error:
                    errors[job.slot] = error
            else:
                others.append(job)
        return others

    def _ask(
        self, jobs: Sequence[_Job], replies: Replies, errors: dict[int, LayerUnavailable]
    ) -> Plan[tuple[list[_Job], bool]]:
        """Send ``jobs`` to their nodes; return those that are to be sent again, and whether after a pause."""
        step: Step = {}
        places: list[tuple[_Job, int, int]] = []
        for job in jobs:
            server = self.server_of(job.slot) if job.server is None else job.server
            commands = step.setdefault(server, [])
            if job.pauses and PAUSE not in commands:
                commands.append(PAUSE)
            if job.asks:
                commands.append(ASKING)
            places.append((job, server, len(commands)))
            commands.append(job.command)
        answers, failures = yield from run_tolerantly(step)
        if failures:
            self.lost()
        again: list[_Job] = []
        for job, server, at in places:
            if server in failures:
                self._fail(job, failures[server], errors, again)
            else:
                self._read(job, answers[server][at], replies, errors, again)
        return again, any(job.pauses for job in again)

    def _fail(self, job: _Job, error: LayerUnavailable, errors: dict[int, LayerUnavailable], again: list[_Job]) -> None:
        # Once more after a new look at the map, if it is certain that the command was not carried out.
        if not error.was_asked and not job.was_lost:
            again.append(_Job(job.slot, job.position, job.command, was_lost=True))
        else:
            errors[job.slot] = error

    def _read(
        self, job: _Job, answer: Any, replies: Replies, errors: dict[int, LayerUnavailable], again: list[_Job]
    ) -> None:
        fresh = _Job(job.slot, job.position, job.command)
        if isinstance(answer, MovedError):
            self._move(answer)
            again.append(fresh)
        elif isinstance(answer, AskError):
            again.append(fresh._replace(asks=True, server=self._target(answer)))
        elif isinstance(answer, TryAgainError):
            again.append(job._replace(pauses=True))
        elif isinstance(answer, ClusterDownError):
            self.lost()
            errors[job.slot] = self._servers[self.server_of(job.slot)].unavailable(answer)
        else:
            replies[job.slot][job.position] = answer
