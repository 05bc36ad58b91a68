"""Deadlines that move."""

import asyncio

from channels.interface.timer import Timer
from tests.support.asgi import in_loop


class Bell:
    """Rings once; says when."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.began = self.loop.time()
        self.rung: asyncio.Future[float] = self.loop.create_future()
        self.timer = Timer(lambda: self.rung.set_result(self.loop.time() - self.began))


@in_loop
async def test_timer_fires_when_it_is_due() -> None:
    """Not before."""
    bell = Bell()
    bell.timer.set(0.05)
    assert await bell.rung >= 0.049


@in_loop
async def test_postponed_timer_fires_once_and_later() -> None:
    """The first deadline is forgotten."""
    bell = Bell()
    bell.timer.set(0.02)
    bell.timer.set(0.1)
    assert await bell.rung >= 0.099


@in_loop
async def test_advanced_timer_fires_earlier() -> None:
    """A nearer deadline does not wait for the farther."""
    bell = Bell()
    bell.timer.set(60)
    bell.timer.set(0.02)
    assert await bell.rung < 30


@in_loop
async def test_timer_without_deadline_stays_silent() -> None:
    """None is never; another deadline may follow."""
    bell = Bell()
    bell.timer.set(0.01)
    bell.timer.set(None)
    await asyncio.sleep(0.05)
    assert not bell.rung.done()
    bell.timer.set(0.01)
    assert await bell.rung >= 0.059


@in_loop
async def test_cancelled_timer_stays_silent() -> None:
    """For good."""
    bell = Bell()
    bell.timer.set(0.01)
    bell.timer.cancel()
    await asyncio.sleep(0.05)
    assert not bell.rung.done()
