"""The socket of the page: it asks for a picture, and gets one. Who may not see the page gets none."""

from collections.abc import Mapping
from typing import Any

from channels import counters
from channels.exceptions import DenyConnection, LayerUnavailable
from channels.generic.connections import UNAUTHORIZED, JsonWebsocketConsumer
from channels.message import Message
from channels.monitor.pictures import describe
from channels.observe import overview
from channels.registry import channel_layers
from channels.security.websockets import allowed_hosts_only

PERMISSION = "channels_monitor.view_layer"


class LiveConsumer(JsonWebsocketConsumer):
    """Answers ``{"layer": alias}`` with a picture of that layer, or with ``{"error": text}``.

    Who looks is asked for anew with every frame: a logout, or a permission that is taken away, ends the socket.
    """

    http_user_and_session = True

    @allowed_hosts_only
    def raw_connect(self, message: Message, **kwargs: Any) -> None:
        """Let in pages of this site only."""
        super().raw_connect(message, **kwargs)

    def connect(self, message: Message, **kwargs: Any) -> None:
        """Accept staff that may see the page."""
        if not self._may_look():
            counters.add("connection.denied.permission")
            raise DenyConnection(status=403, reason=f"Only staff with the permission {PERMISSION} may look.")
        super().connect(message, **kwargs)

    def receive(self, content: Any, **kwargs: Any) -> None:
        """Answer with a picture."""
        if not self._may_look():
            counters.add("message.dropped.permission")
            self.close(UNAUTHORIZED)
            return
        alias = content.get("layer") if isinstance(content, Mapping) else None
        if not isinstance(alias, str) or alias not in channel_layers:
            self.send({"error": f"CHANNEL_LAYERS has no layer {alias!r:.100}."})
            return
        try:
            picture = overview.take(channel_layers[alias])
        except LayerUnavailable as error:
            self.send({"layer": alias, "error": str(error)})
        else:
            self.send({"layer": alias, **describe(picture)})

    def _may_look(self) -> bool:
        user = self.message.user
        return bool(user.is_active and user.is_staff and user.has_perm(PERMISSION))
