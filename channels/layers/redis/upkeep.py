"""Upkeep of a Redis layer.

Key beside those of ``lua``: ``<prefix>:epoch``, a string on every server, which goes with everything else.
"""

import itertools
import secrets
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from channels.layers.redis.shards import FOREIGN_ERRORS, Shard

if TYPE_CHECKING:
    import redis

SHORTEST_LIFE = 3600.0
"""Seconds that an epoch stands at least when nobody looks at it."""

GROUPS_PER_STEP = 200
"""Groups looked at in one round trip."""


def _as_it_is(name: str) -> str:
    return name


class RedisUpkeep:
    """See ``channels.layers.upkeep.Upkeep``. Talks to the servers through redis-py: nothing here is often needed.

    Args:
        shards: The servers.
        prefix: What every key begins with.
        group_expiry: Seconds that memberships live.
        hide: Returns what stands for a channel in a group.
    """

    def __init__(
        self,
        shards: Sequence[Shard],
        prefix: str,
        group_expiry: float,
        hide: Callable[[str], str] = _as_it_is,
    ) -> None:
        self._shards = shards
        self._prefix = prefix
        self._life_ms = round(group_expiry * 1000)
        self._epoch_ms = round(max(group_expiry, SHORTEST_LIFE) * 1000)
        self._hide = hide

    def epoch(self) -> str:
        """Return what changes when any of the servers has lost its keys."""
        return ",".join(self._each(self._epoch_of))

    def _epoch_of(self, client: "redis.Redis") -> str:
        key = f"{self._prefix}:epoch"
        pipeline = client.pipeline(transaction=False)
        pipeline.set(key, secrets.token_hex(8), nx=True, px=self._epoch_ms)
        pipeline.getex(key, px=self._epoch_ms)
        return str(pipeline.execute()[1])

    def renew(self, channels: Collection[str]) -> None:
        """Renew the memberships of ``channels``."""
        if channels:
            members = {self._hide(channel).encode() for channel in channels}
            self._each(lambda client: self._renew(client, members))

    def _renew(self, client: "redis.Redis", channels: Collection[bytes]) -> None:
        groups = client.scan_iter(match=_literally(f"{self._prefix}:group:") + "*", count=1000)
        while part := list(itertools.islice(groups, GROUPS_PER_STEP)):
            seconds, microseconds = client.time()
            now = seconds * 1000 + microseconds // 1000
            questions = client.pipeline(transaction=False)
            for group in part:
                questions.zrangebyscore(group, now - self._life_ms + 1, now - self._life_ms // 4)
            renewals = client.pipeline(transaction=False)
            for group, members in zip(part, questions.execute(), strict=True):
                if own := [member for member in members if member in channels]:
                    renewals.zadd(group, dict.fromkeys(own, now), xx=True)
                    renewals.pexpire(group, self._life_ms)
            renewals.execute()

    def _each(self, ask: "Callable[[redis.Redis], Any]") -> list[Any]:
        answers = []
        for shard in self._shards:
            try:
                answers.append(ask(shard.client()))
            except FOREIGN_ERRORS as error:
                raise shard.unavailable(error) from error
        return answers


def _literally(text: str) -> str:
    """Return the pattern that matches ``text`` only."""
    return "".join(f"\\{character}" if character in "\\*?[]" else character for character in text)
