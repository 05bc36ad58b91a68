"""The layers of the package, with a diary of the frames that they took for certain."""

import json
from typing import Any

from django.conf import settings

from channels.layers import redis
from tests.support.diary import Diary

_diaries: dict[str, Diary] = {}


def diary(kind: str) -> Diary:
    """Return this process's diary of ``kind``, made at the first call: no process has something for each."""
    if kind not in _diaries:
        _diaries[kind] = Diary(settings.DIARIES / kind)
    return _diaries[kind]


class _Noting:
    """Notes each frame of a client when the layer has said that it took it."""

    async def asend(self, channel: str, message: Any) -> None:
        """Send ``message`` and note it."""
        await super().asend(channel, message)  # type: ignore[misc]
        if channel == "websocket.receive":
            diary("put").note(json.loads(message["text"])["id"])


class RedisLayer(_Noting, redis.RedisChannelLayer):
    """One or several servers."""


class SentinelLayer(_Noting, redis.RedisSentinelChannelLayer):
    """Servers found by Sentinels."""


class ClusterLayer(_Noting, redis.RedisClusterChannelLayer):
    """Redis Cluster."""
