"""What is done every few seconds for all connections of an event loop, so that none of it is done per message.

Clients that take nothing are given up; memberships of live connections are renewed, so that a socket or a stream of
events may outlive ``group_expiry``; and if the layer has lost what it held, both are ended: they look alive, but their
memberships are gone, and only a client that comes back gets new ones.
"""

import asyncio
import logging

from channels import counters
from channels.exceptions import LayerUnavailable
from channels.interface.connections import Services
from channels.interface.drain import dismiss_all
from channels.layers.upkeep import upkeep_of

logger = logging.getLogger("django.channels.interface")

LOOK_SECONDS = 5.0
"""How often."""

RENEWALS_PER_LIFE = 3
"""How often memberships are renewed before they would end: one that fails must not end them."""

COME_BACK_SECONDS = 5.0
"""Over how long connections are ended after a loss, so that their clients do not come back all at once."""


class Upkeep:
    """Looks after the connections of one event loop.

    Args:
        services: Shared by the connections.
        pause: Seconds from one look to the next.
    """

    def __init__(self, services: Services, pause: float = LOOK_SECONDS) -> None:
        self._services = services
        self._pause = pause
        self._layer = upkeep_of(services.layer)
        self._epoch: str | None = None
        self._loop = asyncio.get_running_loop()
        self._interval = services.layer.group_expiry / RENEWALS_PER_LIFE
        self._renew_at = self._loop.time() + self._interval
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = self._loop.create_task(self._run(), name="channels-upkeep")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except LayerUnavailable:
                logger.debug("The channel layer cannot be looked at now.")  # Whoever receives says so already.
            except Exception:
                counters.add("interface.failed.upkeep")
                logger.exception("Looking after connections failed; it is tried again.")
            await asyncio.sleep(min(self._pause, self._interval))

    async def look(self) -> None:
        """Do once what is to be done every few seconds."""
        for connection in self._services.router.connections():
            connection.look()
        if self._layer is not None:
            await self._look_for_a_loss()
            await self._renew()

    async def _look_for_a_loss(self) -> None:
        assert self._layer is not None
        epoch = await asyncio.to_thread(self._layer.epoch)
        before, self._epoch = self._epoch, epoch
        if before in (None, epoch):
            return
        router = self._services.router
        logger.error(
            "The channel layer has lost what it held: %d sockets are closed, and responses that have begun are broken "
            "off, so that their clients come back.",
            len(router.sockets()),
        )
        # Those of now: a response that begins later has lost nothing.
        await dismiss_all([each for each in router.connections() if each.stays], COME_BACK_SECONDS, "loss")

    async def _renew(self) -> None:
        assert self._layer is not None
        if self._loop.time() < self._renew_at:
            return
        await asyncio.to_thread(self._layer.renew, frozenset(self._services.router.channels()))
        self._renew_at = self._loop.time() + self._interval
