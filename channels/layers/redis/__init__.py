"""Layers on Redis."""

from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.local import RedisLocalChannelLayer

__all__ = ["RedisChannelLayer", "RedisLocalChannelLayer"]
