"""Upkeep of a Redis layer.

Key beside those of ``lua``: ``<prefix>:epoch``, a string on every server, which goes with everything else; in a cluster
one for each of a number of tags, which are spread over the nodes.
"""

import itertools
import secrets
from collections.abc import Callable, Collection, Sequence
from typing import Any

from channels.exceptions import LayerUnavailable
from channels.layers.redis import scripts
from channels.layers.redis.alive import SignsOfLife
from channels.layers.redis.keys import Keys
from channels.layers.redis.plans import Plan, Step, run_tolerantly
from channels.layers.redis.ring import Ring
from channels.layers.redis.shards import FOREIGN_ERRORS, Shard

SHORTEST_LIFE = 3600.0
"""Seconds that an epoch stands at least when nobody looks at it."""

GROUPS_PER_STEP = 200
"""Groups looked at in one round trip."""


class RedisUpkeep:
    """See ``channels.layers.upkeep.Upkeep``. A server that is lost is passed over, unless all are.

    Args:
        run: Carries out a plan.
        holders: Returns the servers that keys may be on.
        keys: How things are named.
        ring: Where they are.
        group_expiry: Seconds that memberships live.
        signs: Knows whether this process was taken for dead, and lost its memberships by that.
    """

    def __init__(
        self,
        run: Callable[[Plan[Any]], Any],
        holders: Callable[[], Sequence[Shard]],
        keys: Keys,
        ring: Ring,
        group_expiry: float,
        signs: SignsOfLife,
    ) -> None:
        self._run = run
        self._holders = holders
        self._keys = keys
        self._ring = ring
        self._life_ms = round(group_expiry * 1000)
        self._epoch_ms = round(max(group_expiry, SHORTEST_LIFE) * 1000)
        self._signs = signs
        self._last: dict[tuple[int, str], str] = {}

    def epoch(self) -> str:
        """Return what changes when a server has lost its keys; one out of reach is taken to have them still."""
        epoch: str = self._run(self._epoch())
        return epoch

    def _epoch(self) -> Plan[str]:
        places = [(shard, self._keys.epoch(tag)) for shard, tag in self._ring.turn_places()]
        step: Step = {}
        for shard, key in places:
            fresh = secrets.token_hex(4)
            step.setdefault(shard, []).extend(
                (
                    scripts.command(b"SET", key, fresh, b"NX", b"PX", self._epoch_ms),
                    scripts.command(b"GETEX", key, b"PX", self._epoch_ms),
                )
            )
        replies, errors = yield from run_tolerantly(step)
        if not replies:
            raise next(iter(errors.values()))
        found = {shard: iter(answers[1::2]) for shard, answers in replies.items()}
        for place in places:
            if place[0] in found:
                self._last[place] = (next(found[place[0]]) or b"").decode()
        return ",".join([*(self._last.get(place, "") for place in places), str(self._signs.burials)])

    def renew(self, channels: Collection[str]) -> None:
        """Renew the memberships of ``channels``."""
        if not channels:
            return
        members = {self._keys.hidden(channel).encode() for channel in channels}
        problem: LayerUnavailable | None = None
        is_done = False
        for shard in self._holders():
            try:
                shard.begin_attempt()
                self._renew(shard, members)
                shard.health.recovered()
                is_done = True
            except FOREIGN_ERRORS as error:
                problem = shard.unavailable(error)
                problem.__cause__ = error
            except LayerUnavailable as error:
                problem = error
        if problem is not None and not is_done:
            raise problem

    def _renew(self, shard: Shard, channels: Collection[bytes]) -> None:
        client = shard.client()
        groups = shard.keys_from(self._keys.group_prefix, "zset")
        while part := list(itertools.islice(groups, GROUPS_PER_STEP)):
            seconds, microseconds = client.time()
            now = seconds * 1000 + microseconds // 1000
            questions = client.pipeline(transaction=False)
            for group in part:
                questions.zrangebyscore(group, now - self._life_ms + 1, now - self._life_ms // 4)
            renewals = client.pipeline(transaction=False)
            # In a cluster a group may be about to move, which is no error; it is renewed the next time.
            shard.check(answers := questions.execute(raise_on_error=False))
            for group, members in zip(part, answers, strict=True):
                if isinstance(members, list) and (own := [member for member in members if member in channels]):
                    renewals.zadd(group, dict.fromkeys(own, now), xx=True)
                    renewals.pexpire(group, self._life_ms)
            shard.check(renewals.execute(raise_on_error=False))
