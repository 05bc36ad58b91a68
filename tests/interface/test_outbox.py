"""The way to one client: what waits there is bounded, what has passed is forgotten."""

import asyncio
from typing import Any

from channels import counters
from channels.interface.limits import Limits
from channels.interface.outbox import Outbox
from tests.support.asgi import eventually, in_loop

HUNDRED = {"type": "websocket.send", "text": "x" * 100}


class Client:
    """A client that takes an event whenever the test lets it."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.failures = 0
        self.turns = asyncio.Semaphore(0)

    async def send(self, event: Any) -> None:
        """Stand for the server's callable."""
        await self.turns.acquire()
        self.taken.append(event)

    def fail(self) -> None:
        """Note that the outbox gave up."""
        self.failures += 1


def outbox(client: Client, limit: int) -> Outbox:
    """Return an outbox to ``client``."""
    return Outbox(client.send, Limits(backlog_bytes=limit), lambda: None, client.fail)


@in_loop
async def test_outbox_does_not_count_what_a_client_took() -> None:
    """One that is always a little behind may be sent any amount."""
    client = Client()
    box = outbox(client, limit=300)
    box.put(HUNDRED)
    for number in range(1, 50):
        box.put(HUNDRED)
        client.turns.release()
        await eventually(lambda expected=number: len(client.taken) == expected)
    assert not box.idle
    assert client.failures == 0
    await box.close()


@in_loop
async def test_outbox_gives_up_when_too_much_waits() -> None:
    """What a client was sent last counts, too, until it is taken."""
    client = Client()
    box = outbox(client, limit=300)
    before = counters.value("interface.dropped.backlog")
    for _ in range(3):
        box.put(HUNDRED)
    assert client.failures == 0
    box.put(HUNDRED)
    assert client.failures == 1
    assert counters.value("interface.dropped.backlog") > before
    await box.close()


@in_loop
async def test_outbox_gives_up_on_a_client_that_takes_nothing() -> None:
    """However little waits for it."""
    client = Client()
    box = Outbox(client.send, Limits(backlog_seconds=0), lambda: None, client.fail)
    before = counters.value("interface.dropped.stalled")
    box.put(HUNDRED)
    box.look()
    client.turns.release()
    await eventually(lambda: box.idle)
    box.put(HUNDRED)
    box.look()
    assert client.failures == 0
    box.look()
    assert client.failures == 1
    assert counters.value("interface.dropped.stalled") > before
    await box.close()
