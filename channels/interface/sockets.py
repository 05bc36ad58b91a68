"""The driver of a ``WebsocketBridge``."""

from typing import ClassVar

from channels import counters
from channels.interface.connections import Connection, Services
from channels.interface.door import client_name
from channels.interface.effects import ToLayer
from channels.interface.rates import Bucket
from channels.interface.states import SocketState
from channels.interface.websocket import ABNORMAL_CLOSURE, DISCONNECT, RECEIVE, WebsocketBridge
from channels.types import Event, Receive, Scope, Send

_COUNTED = {
    "connecting": "websocket.began.handshake",
    "connected": "websocket.accepted.application",
    "disconnected": "websocket.ended.open",
}
"""What is counted of the actions of a socket; refused handshakes are counted where the reason is known."""

PRIVATE_CODES = 3000
"""What is added to a close code that the server cannot send: 1012 becomes 4012, which is free for any use."""


def _is_daphne(send: Send) -> bool:
    """Return whether ``send`` is daphne's, which sends only 1000 and codes from 3000 on and breaks at others."""
    return getattr(getattr(send, "func", None), "__module__", "") == "daphne.server"


class WebsocketConnection(Connection):
    """One WebSocket.

    Args:
        scope, send: As the server called the application.
        services: Shared with other connections.
    """

    bridge: WebsocketBridge
    gone: ClassVar[Event] = {"type": "websocket.disconnect", "code": ABNORMAL_CLOSURE}

    def __init__(self, scope: Scope, send: Send, services: Services) -> None:
        bridge = WebsocketBridge(scope, services.router.new_channel("websocket.send"), services.limits)
        super().__init__(bridge, send, services, scope)
        self._send = send
        limit = services.limits.frames_per_second
        self._frames = None if limit is None else Bucket(limit, limit, self._loop.time())
        self._is_decided = False

    async def run(self, receive: Receive) -> None:
        """Serve until the socket is closed."""
        try:
            if (await receive())["type"] == "websocket.connect":
                self._log("connecting")
                await super().run(receive)
        finally:
            self._note_decision()

    def dismiss(self, reason: str) -> None:
        self._apply(self.bridge.dismissed(reason))

    def _to_client(self, event: Event) -> None:
        if event["type"] == "websocket.close" and 1000 < event["code"] < PRIVATE_CODES and _is_daphne(self._send):
            event = {**event, "code": event["code"] + PRIVATE_CODES}
        super()._to_client(event)

    def _changed(self) -> None:
        if self.bridge.accepted and self._state is SocketState.CONNECTING:
            self._log("connected")
        self._note_decision()
        super()._changed()

    def _note_decision(self) -> None:
        if not self._is_decided:
            self._is_decided = True
            self._services.door.decided()
            if self._trace is not None:
                self._trace.settled("accepted" if self.bridge.accepted else "not accepted")

    async def _next_event(self, receive: Receive) -> Event:
        event = await receive()
        is_frame = event["type"] == "websocket.receive"
        if is_frame and self._frames is not None and not self._frames.take(self._loop.time()):
            self._apply(self.bridge.overrun())
        return event

    def _ended(self) -> None:
        self._log("disconnected" if self.bridge.accepted else "rejected")

    def _log(self, action: str) -> None:
        if action in _COUNTED:
            counters.add(_COUNTED[action])
        details = {"path": self._scope["path"], "client": client_name(self._scope)}
        self._services.log_action("websocket", action, details)

    def _is_farewell(self, effect: ToLayer) -> bool:
        return effect.channel == DISCONNECT

    def _say_farewell(self, effect: ToLayer) -> None:
        self._services.farewells.add(effect)

    def _patience(self, effect: ToLayer) -> float:
        return self._services.limits.receive_patience if effect.channel == RECEIVE else 0.0
