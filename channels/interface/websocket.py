"""The life of one WebSocket, sans-io: what arrives, what that leads to, and nothing about how or when.

States and inputs are enums and the transitions are a table; an input that the table does not hold is
logged and counted and changes nothing. The driver gives inputs and carries out effects (``connections``).

Source: the message-passing ASGI draft, "WebSocket" (docs/reference/messages), and the ASGI-3
specification of the ``websocket`` scope.
"""

import logging
from collections.abc import Callable
from typing import Any

from channels import close_codes, counters, formats
from channels.exceptions import LayerUnavailable, MalformedReply, MessageTooLarge
from channels.interface.effects import Effect, Effects, ToClient, ToLayer
from channels.interface.hearing import Hearing
from channels.interface.lengths import is_longer
from channels.interface.limits import NO_LIMIT, Limits, seconds_or_none
from channels.interface.pages import denial, require_readable_path
from channels.interface.reading import SocketReply, read_websocket
from channels.interface.states import SocketInput as Input
from channels.interface.states import SocketState as State
from channels.types import Content, Event, Scope
from channels.utils import printable

logger = logging.getLogger("django.channels.interface")

ABNORMAL_CLOSURE = 1006
"""Close code of a socket that ended without one: handshakes refused or given up, lost connections."""

NO_STATUS = 1005

CONNECT = "websocket.connect"
RECEIVE = "websocket.receive"
DISCONNECT = "websocket.disconnect"


class WebsocketBridge:
    """One WebSocket between a server and a layer.

    Args:
        scope: ASGI-3 scope of type ``websocket``.
        reply_channel: Where consumers send to this socket.
        limits: Durations, subprotocols and root path; a ``websocket_timeout`` of None is no limit here.
    """

    def __init__(self, scope: Scope, reply_channel: str, limits: Limits) -> None:
        self.state = State.CONNECTING
        self.reply_channel = reply_channel
        self.accepted = False
        self._scope = scope if scope.get("root_path") else {**scope, "root_path": limits.root_path}
        self._path: str = scope["path"]
        self._limits = limits
        self._hearing = Hearing(reply_channel, limits.held_deliveries)
        self._order = 0
        self._in_flight: ToLayer | None = None
        self._close_code = ABNORMAL_CLOSURE
        self._owes_disconnect = False

    @property
    def deadline(self) -> float | None:
        """Seconds from the beginning of the present state until ``expired`` is due; None: never."""
        if self.state is State.CONNECTING:
            return seconds_or_none(self._limits.websocket_connect_timeout)
        if self.state is State.OPEN:
            return seconds_or_none(self._limits.websocket_timeout or NO_LIMIT)
        return None

    @property
    def finished(self) -> bool:
        """Whether no further effects will come, so that the driver may forget this bridge."""
        return self.state is State.CLOSED and self._in_flight is None

    # Inputs

    def opened(self) -> Effects:
        """The client asks for a socket."""
        try:
            require_readable_path(self._scope)
        except ValueError as error:
            self.state = State.CLOSED
            counters.add("websocket.refused.path")
            return denial(self._scope, 400, str(error))
        return self._step(Input.OPENED)

    def client(self, event: Event) -> Effects:
        """The server reports ``event``: a frame, or the end of the connection."""
        if event["type"] == "websocket.receive":
            limit = self._limits.max_frame_bytes
            return self._step(Input.FRAME if limit is None or not is_longer(event, limit) else Input.OVERSIZED, event)
        return self._step(Input.GONE, event)

    def reply(self, content: Content | SocketReply, via_group: bool = False) -> Effects:
        """A consumer sent ``content`` to this socket, or to a group it is a member of (``via_group``)."""
        if isinstance(content, dict):
            try:
                content = read_websocket(content, self.reply_channel)
            except MalformedReply as error:
                return self.malformed(error)
        if content.identity is not None and not via_group:
            self._hearing.identity = content.identity
        if self.state is State.CONNECTING:
            return self._step(Input.GROUP if via_group else content.handshake, content)
        return self._stream(content)

    def _stream(self, read: SocketReply) -> Effects:
        own = self._hearing.own(read)
        return () if own is None else self._step(own.stream, own)

    def malformed(self, error: MalformedReply) -> Effects:
        """A message that is no reply arrived; whoever read it has logged and counted it."""
        return ()

    def sent(self, effect: ToLayer) -> Effects:
        """The layer took the message of ``effect``."""
        self._in_flight = None
        if effect.channel == CONNECT:
            self._owes_disconnect = True
        return self._disconnect() if self.state is State.CLOSED else ()

    def refused(self, effect: ToLayer, error: Exception | None = None) -> Effects:
        """The layer did not take the message of ``effect``."""
        self._in_flight = None
        if isinstance(error, LayerUnavailable) and error.was_asked:  # It may be there all the same.
            self._owes_disconnect = True
        elif effect.channel == RECEIVE:
            # Orders must not skip a number: who waits for the missing one waits in vain. Nor may two have the same.
            self._order = effect.content[formats.ORDER] - 1
        if self.state is State.CLOSED:
            return self._disconnect()
        return self._step(Input.REFUSED, error)

    def expired(self) -> Effects:
        """The ``deadline`` has passed."""
        return self._step(Input.EXPIRED)

    def overrun(self) -> Effects:
        """The client sends more frames than ``frames_per_second``."""
        return self._step(Input.OVERRUN)

    def dismissed(self, reason: str) -> Effects:
        """The client is to come back, now and perhaps elsewhere; ``reason`` is the last part of the counter."""
        return self._step(Input.DISMISSED, reason)

    # Transitions

    def _step(self, what: Input, value: Any = None) -> Effects:
        row = _TABLE.get((self.state, what))
        if row is None:
            return self._unexpected(what)
        action, self.state = row
        return action(self, value)

    def _unexpected(self, what: Input) -> Effects:
        if what not in _ROUTINE:
            counters.add("websocket.dropped.closed" if self.state is State.CLOSED else "websocket.dropped.unexpected")
        logger.debug("%s is %s: nothing to do when %s.", self.reply_channel, self.state.value, what.value)
        return ()

    def _connect(self, _: None) -> Effects:
        return [self._flying(CONNECT, formats.websocket_connect(self._scope, reply_channel=self.reply_channel))]

    def _receive(self, event: Event) -> Effects:
        self._order += 1
        content = formats.websocket_receive(
            reply_channel=self.reply_channel,
            path=self._path,
            order=self._order,
            text=event.get("text"),
            data=event.get("bytes"),
        )
        return [self._flying(RECEIVE, content)]

    def _hold(self, read: SocketReply) -> Effects:
        self._hearing.hold(read)
        return ()

    def _undecided(self, read: SocketReply) -> Effects:
        counters.add("websocket.dropped.undecided")
        logger.debug("%s: a reply with nothing in it does not decide the handshake.", self.reply_channel)
        return ()

    def _accept(self, read: SocketReply) -> Effects:
        self.accepted = True
        subprotocol = self._choose_subprotocol(read.reply.subprotocol)
        effects: list[Effect] = [ToClient({"type": "websocket.accept", "subprotocol": subprotocol, "headers": []})]
        for each in (*self._hearing.release(), read):
            effects += self._stream(each)
        return effects

    def _choose_subprotocol(self, asked: str | None) -> str | None:
        offered = self._scope.get("subprotocols", ())
        if asked is None:
            return next((name for name in offered if name in self._limits.subprotocols), None)
        if asked in offered:
            return asked
        counters.add("websocket.dropped.subprotocol")
        text = "%s was accepted without the subprotocol %r: its client did not offer it, but %s."
        logger.warning(text, self.reply_channel, asked, list(offered))
        return None

    def _deny(self, read: SocketReply) -> Effects:
        counters.add("websocket.refused.application")
        return self._refusal(read.reply.status, read.reply.reason)

    def _deny_late(self, _: None) -> Effects:
        counters.add("websocket.refused.timeout")
        logger.warning(
            "The handshake of %s for %s was refused: no consumer decided it within %s seconds.",
            self.reply_channel,
            printable(self._path),
            self._limits.websocket_connect_timeout,
        )
        return self._refusal()

    def _deny_busy(self, error: Exception | None) -> Effects:
        counters.add("websocket.refused.layer")
        return self._refusal(503, "The site is too busy to open a connection.")

    def _refusal(self, status: int | None = None, reason: str = "") -> Effects:
        self._hearing.drop()
        return [*denial(self._scope, status, reason), *self._disconnect()]

    def _data(self, read: SocketReply) -> Effects:
        return read.frames

    def _close(self, read: SocketReply) -> Effects:
        return [*read.frames, *self._closing(read.reply.close or formats.NORMAL_CLOSURE)]

    def _close_busy(self, error: Exception | None) -> Effects:
        counters.add("websocket.closed.layer")
        return self._closing(close_codes.TOO_BIG if isinstance(error, MessageTooLarge) else formats.TRY_AGAIN_LATER)

    def _dismiss(self, reason: str) -> Effects:
        counters.add(f"websocket.closed.{reason}")
        return self._closing(close_codes.SERVICE_RESTART)

    def _turn_away(self, reason: str) -> Effects:
        counters.add(f"websocket.refused.{reason}")
        return self._refusal(503, "The site is being restarted.")

    def _leave(self, event: Event) -> Effects:
        if not self.accepted:
            counters.add("websocket.abandoned.client")
        self._hearing.drop()
        self._close_code = int(event.get("code") or (NO_STATUS if self.accepted else ABNORMAL_CLOSURE))
        return self._disconnect()

    def _closing(self, code: int) -> Effects:
        self._close_code = code
        return [ToClient({"type": "websocket.close", "code": code, "reason": ""}), *self._disconnect()]

    def _flying(self, channel: str, content: Content) -> ToLayer:
        self._in_flight = ToLayer(channel, content)
        return self._in_flight

    def _disconnect(self) -> Effects:
        # While a message is on its way it is not known whether there is anything to end, or with which order.
        if self._in_flight is not None or not self._owes_disconnect:
            return ()
        self._owes_disconnect = False
        content = formats.websocket_disconnect(
            reply_channel=self.reply_channel, path=self._path, order=self._order + 1, code=self._close_code
        )
        return [ToLayer(DISCONNECT, content)]


def _closing_for(reason: str, code: int) -> Callable[[WebsocketBridge, Any], Effects]:
    def close(bridge: WebsocketBridge, _: Any) -> Effects:
        counters.add(f"websocket.closed.{reason}")
        return bridge._closing(code)

    return close


_TABLE: dict[tuple[State, Input], tuple[Callable[[WebsocketBridge, Any], Effects], State]] = {
    (State.CONNECTING, Input.OPENED): (WebsocketBridge._connect, State.CONNECTING),
    (State.CONNECTING, Input.ACCEPT): (WebsocketBridge._accept, State.OPEN),
    (State.CONNECTING, Input.REFUSE): (WebsocketBridge._deny, State.CLOSED),
    (State.CONNECTING, Input.UNDECIDED): (WebsocketBridge._undecided, State.CONNECTING),
    (State.CONNECTING, Input.GROUP): (WebsocketBridge._hold, State.CONNECTING),
    (State.CONNECTING, Input.REFUSED): (WebsocketBridge._deny_busy, State.CLOSED),
    (State.CONNECTING, Input.EXPIRED): (WebsocketBridge._deny_late, State.CLOSED),
    (State.CONNECTING, Input.GONE): (WebsocketBridge._leave, State.CLOSED),
    (State.CONNECTING, Input.DISMISSED): (WebsocketBridge._turn_away, State.CLOSED),
    (State.OPEN, Input.FRAME): (WebsocketBridge._receive, State.OPEN),
    (State.OPEN, Input.DATA): (WebsocketBridge._data, State.OPEN),
    (State.OPEN, Input.CLOSE): (WebsocketBridge._close, State.CLOSED),
    (State.OPEN, Input.REFUSED): (WebsocketBridge._close_busy, State.CLOSED),
    (State.OPEN, Input.EXPIRED): (_closing_for("timeout", formats.NORMAL_CLOSURE), State.CLOSED),
    (State.OPEN, Input.GONE): (WebsocketBridge._leave, State.CLOSED),
    (State.OPEN, Input.OVERSIZED): (_closing_for("size", close_codes.TOO_BIG), State.CLOSED),
    (State.OPEN, Input.OVERRUN): (_closing_for("rate", close_codes.POLICY_VIOLATION), State.CLOSED),
    (State.OPEN, Input.DISMISSED): (WebsocketBridge._dismiss, State.CLOSED),
}
"""State and input to action and next state. What is not here is unexpected."""

_ROUTINE = frozenset({Input.GONE, Input.EXPIRED, Input.REFUSED, Input.DISMISSED})
"""What may come after the end without anything being lost."""
