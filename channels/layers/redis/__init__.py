"""The layer over Redis."""

from channels.layers.redis.layer import RedisChannelLayer

__all__ = ["RedisChannelLayer"]
