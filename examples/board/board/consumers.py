"""One socket per open page; its one stream is a binding."""

from typing import Any

from channels.exceptions import DenyConnection
from channels.generic.websockets import WebsocketDemultiplexer
from channels.security.websockets import allowed_hosts_only

from .bindings import CardBinding
from .groups import board_group
from .models import Board


class BoardSocket(WebsocketDemultiplexer):
    """The socket of a board's page."""

    http_user = True
    login_required = True
    # What one person does is done in the order in which it was done on the page.
    strict_ordering = True
    consumers = {"cards": CardBinding.consumer}  # noqa: RUF012

    def get_handler(self, message: Any, **kwargs: Any) -> Any:
        """Let only our own pages in: browsers send cookies along with the sockets of any page."""
        return allowed_hosts_only(super().get_handler(message, **kwargs))

    def connection_groups(self, slug: str, **kwargs: Any) -> list[str]:
        """Hear of the cards of this board."""
        return [board_group(board.pk) for board in Board.objects.filter(slug=slug)]

    def connect(self, message: Any, slug: str, **kwargs: Any) -> None:
        """Let users on to boards that exist."""
        if not Board.objects.filter(slug=slug).exists():
            raise DenyConnection(status=404, reason="There is no such board.")
        super().connect(message, slug=slug, **kwargs)
