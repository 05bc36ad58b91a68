"""From the shards that plans name to servers. Nothing here talks to a server.

On a list of hosts a shard is a server, and there is nothing to find out. ``cluster_map`` does it for clusters.
"""

from typing import TypeVar

from channels.layers.redis.plans import Plan

T = TypeVar("T")


class Routes:
    """Where the shards of plans are: here the shard's number is the server's."""

    is_known = True
    """Whether it is known where they are."""

    def server_of(self, shard: int) -> int:
        """Return the number of the server that has ``shard`` now."""
        return shard

    def route(self, plan: Plan[T]) -> Plan[T]:
        """Return ``plan`` with servers for shards."""
        return plan

    def find_out(self) -> Plan[None]:
        """Plan: find out where the shards are, if that is not known."""
        yield from ()

    def refused(self, reply: object) -> None:
        """A server answered a command that waits by saying that the shard is not there, or not now."""
