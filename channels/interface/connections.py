"""What drives a bridge: it waits, keeps time and retries, and decides nothing that a bridge could decide.

Here is what both protocols have in common; ``requests`` and ``sockets`` hold the rest. A connection lives in the
task in which the server calls the application. A second task reads from the client, so that replies, deadlines
and the client never wait for each other.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, ClassVar

from channels import counters, tracing
from channels.backoff import Backoff
from channels.exceptions import ChannelFull, LayerUnavailable, MalformedReply, MessageTooLarge
from channels.interface.door import Door
from channels.interface.effects import Effect, Effects, ToClient, ToLayer
from channels.interface.farewells import Farewells
from channels.interface.limits import Limits
from channels.interface.outbox import Outbox
from channels.interface.replies import ReplyRouter
from channels.interface.timer import Timer
from channels.layers.base import Outgoing
from channels.types import ActionLogger, Event, Receive, Scope, Send

logger = logging.getLogger("django.channels.interface")

FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.25
"""Seconds between two attempts at a full channel, at least and at most."""

STOPPING_SECONDS = 2.0
"""How long a connection that its server gives up waits until consumers can be told."""

_KINDS: dict[type[Exception], str] = {ChannelFull: "full", LayerUnavailable: "unavailable", MessageTooLarge: "size"}

REPORT_SECONDS = 5.0
"""A layer that fails fails for every connection; one log line in so many seconds says it."""


@dataclass(slots=True)
class Services:
    """What all connections of one event loop share."""

    layer: Any
    limits: Limits
    router: ReplyRouter
    farewells: Farewells
    door: Door
    action_logger: ActionLogger | None = None
    silent_until: float = 0.0

    def report(self, effect: ToLayer, error: Exception) -> None:
        """Log that a message could not be sent, at most once in a while."""
        known = type(error) in _KINDS
        now = asyncio.get_running_loop().time()
        if known and now < self.silent_until:
            return
        self.silent_until = now + REPORT_SECONDS
        logger.error("A message on %s was not sent: %s", effect.channel, error, exc_info=None if known else error)

    def take_last_words(self) -> list[Outgoing]:
        """Return what is still to be said about connections, open ones included; it is not sent by anybody else."""
        effects: list[Effect] = [*self.farewells.take()]
        for connection in self.router.connections():
            effects += connection.last_words()
        return [Outgoing(effect.channel, effect.content) for effect in effects if isinstance(effect, ToLayer)]

    def log_action(self, protocol: str, action: str, details: dict[str, Any]) -> None:
        """Tell the action logger, if there is one; what it raises is logged and goes no further."""
        if self.action_logger is not None:
            try:
                self.action_logger(protocol, action, details)
            except Exception:
                logger.exception("The action logger failed.")


class Connection:
    """What both protocols have in common.

    Args:
        bridge: Decides.
        send: The server's callable.
        services: Shared with other connections.
        scope: Of the connection.
    """

    gone: ClassVar[Event]
    """The event that says that the client went away."""

    def __init__(self, bridge: Any, send: Send, services: Services, scope: Scope) -> None:
        self.bridge = bridge
        self._services = services
        self._scope = scope
        self._loop = asyncio.get_running_loop()
        self._outbox = Outbox(send, services.limits, self._check, self.abandon)
        self._timer = Timer(self._expired)
        self._state = bridge.state
        self._reader: asyncio.Task[None] | None = None
        self._is_receiving = False
        self._is_gone = False
        self._trace = None if tracing.active is None else tracing.active.connected(scope)
        self._done: asyncio.Future[None] = self._loop.create_future()

    async def run(self, receive: Receive) -> None:
        """Serve until the connection has ended."""
        bridge = self.bridge
        self._services.router.open(bridge.reply_channel, self)
        self._set_timer()
        try:
            await self._carry_out(bridge.opened())
            if not bridge.finished:
                await self._begin(receive)
            await self._done
        finally:
            # Cancelled by the server or not: first what must happen, then what may be interrupted again.
            self._timer.cancel()
            self._services.router.close(bridge.reply_channel)
            is_abandoned = not bridge.finished
            if is_abandoned:
                self.abandon()
            self._ended()
            if self._reader is not None and not self._reader.done():
                self._reader.cancel()
                await asyncio.wait({self._reader})
            await self._outbox.close()
            if is_abandoned:
                # The server stops, and the event loop may stop with it once this returns.
                await self._services.farewells.wait(STOPPING_SECONDS)

    # Called by the router

    @property
    def stays(self) -> bool:
        """Whether this connection lasts until somebody ends it."""
        return True

    def deliver(self, reply: Any, via_group: bool) -> None:
        """Take a reply."""
        self._apply(self.bridge.reply(reply, via_group))

    def malformed(self, error: MalformedReply) -> None:
        """Take note of a message that is no reply."""
        self._apply(self.bridge.malformed(error))

    def last_words(self) -> Effects:
        """Return what is to be done if nothing more will happen to this connection."""
        return self.bridge.client(self.gone)  # type: ignore[no-any-return]

    # Called by whoever looks after all connections

    def dismiss(self, reason: str) -> None:
        """Ask the client to come back, if this is a connection that would stay."""

    def abandon(self) -> None:
        """End the connection: its client or its server is gone."""
        self._is_gone = True
        self._apply(self.bridge.client(self.gone))

    def look(self) -> None:
        """End the connection if its client has taken nothing for too long."""
        self._outbox.look()

    def _apply(self, effects: Effects) -> None:
        """Carry out what needs no waiting: everything but messages with an outcome."""
        self._note_state()
        for effect in effects:
            self._hand_over(effect)
        self._check()

    async def _carry_out(self, effects: Effects) -> None:
        """Carry out everything, waiting until the layer has taken each message or will not."""
        self._note_state()
        for effect in effects:
            if type(effect) is not ToLayer or self._is_farewell(effect):
                self._hand_over(effect)
                continue
            error = await self._put(effect)
            self._apply(self.bridge.sent(effect) if error is None else self.bridge.refused(effect, error))
            if self.bridge.finished:
                break
        self._check()

    def _hand_over(self, effect: Effect) -> None:
        if type(effect) is ToClient:
            self._to_client(effect.event)
        elif type(effect) is ToLayer and self._trace is None:
            self._say_farewell(effect)
        elif type(effect) is ToLayer and self._trace is not None:
            with self._trace.sending(*effect):
                self._say_farewell(effect)

    async def _put(self, effect: ToLayer) -> Exception | None:
        """Send the message of ``effect``, trying as often as is right; return why it was not sent, or None."""
        if self._trace is None:
            return await self._offer(effect)
        with self._trace.sending(*effect):
            error = await self._offer(effect)
            if error is not None and tracing.active is not None:
                tracing.active.failed(error)
            return error

    async def _offer(self, effect: ToLayer) -> Exception | None:
        error = await self._try(effect)
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        give_up = self._loop.time() + self._patience(effect)
        while self._is_worth_another(effect, error) and not self.bridge.finished and self._loop.time() < give_up:
            await self._pause(backoff.failed())
            error = await self._try(effect)
        if error is not None:
            self._services.report(effect, error)
        return error

    def _is_worth_another(self, effect: ToLayer, error: Exception | None) -> bool:
        """Return whether to send again what ended in ``error``: not what may arrive twice then, and must not."""
        if isinstance(error, LayerUnavailable):
            return not error.was_asked or bool(self._services.layer.may_repeat(effect.channel))
        return isinstance(error, ChannelFull)

    async def _try(self, effect: ToLayer) -> Exception | None:
        try:
            await self._services.layer.asend(effect.channel, effect.content)
        except asyncio.CancelledError:
            # It may or may not have left; to say goodbye once too often does no harm.
            self._apply(self.bridge.sent(effect))
            raise
        except Exception as error:
            counters.add(f"interface.refused.{_KINDS.get(type(error), 'error')}")
            return error
        return None

    def _to_client(self, event: Event) -> None:
        self._outbox.put(event)

    def _note_state(self) -> None:
        if self.bridge.state is not self._state:
            self._changed()

    def _changed(self) -> None:
        self._state = self.bridge.state
        self._set_timer()
        if self._is_receiving and self._reader is not None and self.bridge.finished:
            # Some servers do not send a close while somebody waits for the client (granian).
            self._reader.cancel()

    def _check(self) -> None:
        # What still waits for a client that is gone waits in vain, and not every server says so to who sends.
        if self.bridge.finished and (self._is_gone or self._outbox.idle) and not self._done.done():
            self._done.set_result(None)

    # The client and the clock

    async def _begin(self, receive: Receive) -> None:
        """Start to read from the client."""
        self._reader = self._loop.create_task(self._read(receive))

    async def _read(self, receive: Receive) -> None:
        while not self.bridge.finished:
            await self._read_one(receive)

    async def _read_one(self, receive: Receive) -> None:
        try:
            self._is_receiving = True
            event = await self._next_event(receive)
            self._is_receiving = False
            self._is_gone = event["type"] == self.gone["type"]
            await self._carry_out(self.bridge.client(event))
        except Exception:
            logger.exception("A connection ends: its events cannot be read.")
            self.abandon()

    async def _next_event(self, receive: Receive) -> Event:
        return await receive()

    def _set_timer(self) -> None:
        self._timer.set(self.bridge.deadline)

    def _expired(self) -> None:
        self._apply(self.bridge.expired())

    # What the protocols differ in

    def _is_farewell(self, effect: ToLayer) -> bool:
        """Return whether the message of ``effect`` comes after the end, so that nobody waits for it."""
        raise NotImplementedError

    def _say_farewell(self, effect: ToLayer) -> None:
        raise NotImplementedError

    def _patience(self, effect: ToLayer) -> float:
        """Return how many seconds the message of ``effect`` may wait for room."""
        raise NotImplementedError

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _ended(self) -> None:
        """The connection has ended."""
        raise NotImplementedError
