"""Who carries out what the layer plans: transactions and waits, for threads and for event loops.

A plan is a generator that yields steps, is sent what each came to, and returns its result; so both kinds of caller
run the same one.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from channels import counters
from channels.exceptions import LayerUnavailable
from channels.layers.ipc.bells import Bell
from channels.layers.ipc.ledger import Ledger
from channels.layers.ipc.place import LOCK_SECONDS, Busy, Place, pauses

logger = logging.getLogger("django.channels.layers")

T = TypeVar("T")


WAKE_SECONDS = 0.1
"""How long the file is waited for to wake another in the place of one that was killed; an event loop waits with it."""


class Wait(NamedTuple):
    """A step: wait until ``bell`` is rung, or ``seconds`` have passed."""

    bell: Bell
    seconds: float


Change = Callable[[Ledger], Any]
"""A step: what to do in one transaction. May be called again if another process was faster."""

Plan = Generator["Change | Wait", Any, T]


class Runner:
    """Runs plans in the calling process.

    Args:
        make_place: Makes the process's access to the meeting place.
    """

    def __init__(self, make_place: Callable[[], Place]) -> None:
        self._make_place = make_place
        self._places = [make_place()]

    @property
    def place(self) -> Place:
        """The calling process's access to the meeting place."""
        if self._places[-1].pid != os.getpid():
            # A fork must neither use what its parent opened nor close it, so that stays referred to.
            self._places.append(self._make_place())
        return self._places[-1]

    def run(self, plan: Plan[T]) -> T:
        """Carry out ``plan`` in a thread and return its result."""
        try:
            step = next(plan)
            while True:
                try:
                    if isinstance(step, Wait):
                        found = None
                        step.bell.wait(step.seconds)
                    else:
                        found = self.change(step)
                except Exception as error:
                    step = plan.throw(error)
                else:
                    step = plan.send(found)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            plan.close()

    async def arun(self, plan: Plan[T]) -> T:
        """Carry out ``plan`` in an event loop and return its result."""
        try:
            step = next(plan)
            while True:
                try:
                    if isinstance(step, Wait):
                        found = None
                        await step.bell.await_ring(step.seconds)
                    else:
                        found = await self._achange(step)
                except Exception as error:
                    step = plan.throw(error)
                else:
                    step = plan.send(found)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            plan.close()

    def change(self, change: Change, patience: float = LOCK_SECONDS) -> Any:
        """Carry out ``change``, waiting for others for up to ``patience`` seconds."""
        for pause in pauses(patience):
            try:
                return self._finish(*self.place.attempt(change))
            except Busy:
                time.sleep(pause)
        raise self._stuck(patience)

    async def _achange(self, change: Change) -> Any:
        for pause in pauses(LOCK_SECONDS):
            try:
                return self._finish(*self.place.attempt(change))
            except Busy:
                await asyncio.sleep(pause)
        raise self._stuck(LOCK_SECONDS)

    def _stuck(self, patience: float) -> LayerUnavailable:
        return self.place.unavailable(
            f"another process has been holding its file for {patience:g} s; look for one that is stopped"
        )

    def _finish(self, result: T, ledger: Ledger) -> T:
        """Do what a committed transaction leaves to do, and return its result."""
        if ledger.expired:
            counters.add("message.dropped.expired", len(ledger.expired))
            logger.warning("%d messages expired unread, the first on %s.", len(ledger.expired), ledger.expired[0])
        dead = [queue for bell, queue in ledger.woken if not self.place.bells.ring(bell)]
        if dead:
            # What was done is done, whatever comes of this. Who is not woken looks after a second.
            with suppress(LayerUnavailable):
                self.change(lambda ledger: _wake_others(ledger, dead), WAKE_SECONDS)
        return result

    def close(self) -> None:
        """Close what the calling process opened; the next plan opens it again."""
        self.place.close()


def _wake_others(ledger: Ledger, queues: Sequence[str]) -> None:
    for queue in queues:
        ledger.wake(queue)
