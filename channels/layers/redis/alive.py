"""Signs of life: beside the queue of a process stands a key for as long as somebody reads the queue.

The key holds the capacity of the queue, and goes away by itself. Where it is missing, nobody has read the queue for so
long that its messages have expired: the process is dead, and the next message to a group removes what it left. One that
lives nevertheless, because it stood still or the clock of the server was set, finds a notice of that.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from channels import counters
from channels.layers.redis import scripts
from channels.layers.redis.keys import Keys
from channels.layers.redis.plans import Plan, Step, merged, run_tolerantly
from channels.layers.redis.ring import Ring

logger = logging.getLogger("django.channels.layers")

SHORTEST_LIFE = 30.0
"""Seconds that a sign of life stands at least; by default as long as a message lives."""

BEATS_PER_LIFE = 3


class SignsOfLife:
    """Makes the signs of life of one layer.

    Args:
        keys: How they are named.
        ring: Where they are.
        get_capacity: Returns the capacity of a queue.
        expiry: Seconds that messages live.
    """

    def __init__(self, keys: Keys, ring: Ring, get_capacity: Callable[[str], int], expiry: float) -> None:
        self._keys = keys
        self._ring = ring
        self._get_capacity = get_capacity
        self.seconds = max(expiry, SHORTEST_LIFE)
        self._lock = threading.Lock()
        self.burials = 0
        """How often this process was taken for dead."""

    def give(self, queue: str) -> tuple[int, bytes]:
        """Return where and how to say that ``queue`` is being read."""
        return self._command(queue)

    def read_notice(self, queue: str) -> bytes:
        """Return how to ask, once, in the same place, whether its readers were taken for dead."""
        return scripts.command(b"GETDEL", self._keys.gone(queue))

    def note_burial(self, queue: str) -> None:
        """Count, and log, that this process was taken for dead."""
        counters.add("queue.buried.alive")
        logger.error("This process was taken for dead: the memberships of all channels on %s have ended.", queue)
        with self._lock:
            self.burials += 1

    def presume(self, queue: str) -> tuple[int, bytes]:
        """Return the same for somebody else's queue: it changes nothing where there is a sign."""
        return self._command(queue, b"NX")

    def _command(self, queue: str, *options: bytes) -> tuple[int, bytes]:
        life = round(self.seconds * 1000)
        key, capacity = self._keys.alive(queue), self._get_capacity(queue)
        return self._ring.shard_of(queue), scripts.command(b"SET", key, capacity, b"PX", life, *options)

    def take_back(self, queue: str) -> tuple[int, bytes]:
        """Return where and how to say that ``queue`` will not be read any more."""
        return self._ring.shard_of(queue), scripts.command(b"UNLINK", self._keys.alive(queue))


class Heartbeat:
    """When the threads of a process, or one event loop, said last that they read their queues. Safe for threads.

    Args:
        signs: How to say it.
    """

    def __init__(self, signs: SignsOfLife) -> None:
        self._signs = signs
        self._due: dict[str, float] = {}

    def due(self, queues: Sequence[str]) -> list[str]:
        """Return those among ``queues`` whose readers must say so now."""
        now = time.monotonic()
        return [queue for queue in queues if queue[-1] == "!" and self._due.get(queue, 0.0) <= now]

    def beat(self, queues: Sequence[str], more: Step) -> Plan[None]:
        """Say that ``queues`` are being read, and ``more``; where that fails, it is tried again the next time."""
        step: Step = {}
        notices: list[tuple[str, int, int]] = []
        for queue in queues:
            shard, command = self._signs.give(queue)
            commands = step.setdefault(shard, [])
            commands += (command, self._signs.read_notice(queue))
            notices.append((queue, shard, len(commands) - 1))
        replies, errors = yield from run_tolerantly(merged(step, more))
        for queue, shard, position in notices:
            if shard in replies and replies[shard][position]:
                self._signs.note_burial(queue)
        if queues and not errors:
            now = time.monotonic()
            self._due = {queue: due for queue, due in self._due.items() if due > now}  # Forgets queues of the past.
            self._due.update(dict.fromkeys(queues, now + self._signs.seconds / BEATS_PER_LIFE))

    def end(self) -> Step:
        """Return the step that says that none of the queues will be read any more."""
        queues, self._due = self._due, {}
        step: Step = {}
        for queue in queues:
            shard, command = self._signs.take_back(queue)
            step.setdefault(shard, []).append(command)
        return step
