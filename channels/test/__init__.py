"""Tools for a project's tests. Names are imported when they are used: a contract suite needs no Django.

``ChannelTestCase``, ``TransactionChannelTestCase``, ``Client``, ``WSClient`` and ``apply_routes`` run consumers in the
test; ``WebsocketSession`` puts the project's ASGI application before them, ``ChannelLiveServerTestCase`` a server and
workers. ``channels.test.conformance`` tests layers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from channels.test.base import ChannelTestCase as ChannelTestCase
    from channels.test.base import Client as Client
    from channels.test.base import TransactionChannelTestCase as TransactionChannelTestCase
    from channels.test.base import apply_routes as apply_routes
    from channels.test.http import HttpClient as HttpClient
    from channels.test.liveserver import ChannelLiveServerTestCase as ChannelLiveServerTestCase
    from channels.test.session import SocketClosed as SocketClosed
    from channels.test.session import SocketRefused as SocketRefused
    from channels.test.session import WebsocketSession as WebsocketSession
    from channels.test.websocket import WSClient as WSClient

_HOMES = {
    "ChannelLiveServerTestCase": "liveserver",
    "ChannelTestCase": "base",
    "Client": "base",
    "HttpClient": "http",
    "TransactionChannelTestCase": "base",
    "SocketClosed": "session",
    "SocketRefused": "session",
    "WSClient": "websocket",
    "WebsocketSession": "session",
    "apply_routes": "base",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"channels.test.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
