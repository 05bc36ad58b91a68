"""Layers on Redis."""

from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.local import RedisLocalChannelLayer
from channels.layers.redis.sentinel import RedisSentinelChannelLayer

__all__ = ["RedisChannelLayer", "RedisLocalChannelLayer", "RedisSentinelChannelLayer"]
