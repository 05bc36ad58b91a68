"""Sends of one thread that leave as one script call, although different consumers posted them.

What is posted waits for the thread's next write, and while it waits more may join it: the call is made when it is
written. Nothing here talks to a server.
"""

import threading
from collections.abc import Callable, Sequence

from channels.exceptions import LayerUnavailable
from channels.layers.redis.items import Item, Outcomes
from channels.layers.redis.plans import Plan, Step
from channels.layers.redis.sending import BYTES_PER_CALL, ITEMS_PER_CALL

Settle = Callable[[Outcomes | Exception], None]
MakePlan = Callable[[Sequence[Item]], Plan[Outcomes]]


class MergedSends:
    """Sends that wait to be written, and who is told what they came to.

    Args:
        plan: Makes the plan that sends items; its first step goes to one server and sends them all.
    """

    def __init__(self, plan: MakePlan) -> None:
        self._make_plan = plan
        self._items: list[Item] = []
        self._room = BYTES_PER_CALL
        self._parts: list[tuple[int, Settle]] = []
        self._lock = threading.Lock()  # Another thread may write what its own did not in time.
        self._plan: Plan[Outcomes] | None = None
        self._step: Step = {}

    def add(self, items: Sequence[Item], settle: Settle) -> bool:
        """Take ``items`` in; return whether that was still possible. Nobody is refused by what is empty."""
        with self._lock:
            room = self._room - sum(len(item.rest) for item in items)
            is_full = room < 0 or len(self._items) + len(items) > ITEMS_PER_CALL
            if self._plan is not None or (is_full and self._items):
                return False
            self._room = room
            self._items += items
            self._parts.append((len(items), settle))
            return True

    @property
    def plan(self) -> Plan[Outcomes]:
        """The plan that sends what was taken in; nothing is taken in any more."""
        with self._lock:
            if self._plan is None:
                self._plan = self._make_plan(self._items)
                self._step = next(self._plan)
            return self._plan

    @property
    def errors(self) -> dict[int, LayerUnavailable]:
        """Servers that could not be reached when this was posted: none, or it would not be there."""
        return {}

    @property
    def commands(self) -> list[bytes]:
        """The commands of that step."""
        (commands,) = self.step.values()
        return commands

    @property
    def step(self) -> Step:
        """The first step of the plan."""
        self.plan  # noqa: B018 - makes it
        return self._step

    def settle(self, result: Outcomes | Exception) -> None:
        """Tell everybody what became of theirs."""
        done = 0
        for count, settle in self._parts:
            settle(result if isinstance(result, Exception) else result[done : done + count])
            done += count
