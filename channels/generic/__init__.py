"""Consumers as classes. The WebSocket ones are in ``channels.generic.websockets``."""

from channels.generic.base import BaseConsumer

__all__ = ["BaseConsumer"]
