"""The driver of a ``WebsocketBridge``."""

from typing import ClassVar

from channels import counters
from channels.interface.connections import Connection, Services, client_name
from channels.interface.effects import ToLayer
from channels.interface.states import SocketState
from channels.interface.websocket import ABNORMAL_CLOSURE, DISCONNECT, RECEIVE, WebsocketBridge
from channels.types import Event, Receive, Scope, Send

_COUNTED = {
    "connecting": "websocket.began.handshake",
    "connected": "websocket.accepted.application",
    "disconnected": "websocket.ended.open",
}
"""What is counted of the actions of a socket; refused handshakes are counted where the reason is known."""


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

    async def run(self, receive: Receive) -> None:
        """Serve until the socket is closed."""
        if (await receive())["type"] != "websocket.connect":
            return
        self._log("connecting")
        await super().run(receive)

    def _changed(self) -> None:
        if self.bridge.accepted and self._state is SocketState.CONNECTING:
            self._log("connected")
        super()._changed()

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
