"""Layers on Redis: on servers that are listed, that Sentinels watch, or that form a cluster; and with local workers."""

from channels.layers.redis.cluster import RedisClusterChannelLayer
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.local import RedisLocalChannelLayer
from channels.layers.redis.sentinel import RedisSentinelChannelLayer

__all__ = ["RedisChannelLayer", "RedisClusterChannelLayer", "RedisLocalChannelLayer", "RedisSentinelChannelLayer"]
