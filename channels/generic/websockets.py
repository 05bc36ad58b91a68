"""The consumers of WebSockets under the names that projects import; they live in the modules beside this one."""

from channels.generic.connections import JsonWebsocketConsumer, WebsocketConsumer
from channels.generic.multiplexing import WebsocketDemultiplexer, WebsocketMultiplexer

__all__ = ["JsonWebsocketConsumer", "WebsocketConsumer", "WebsocketDemultiplexer", "WebsocketMultiplexer"]
