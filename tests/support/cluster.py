"""A private Redis Cluster: three masters, with replicas if asked for, stopped by process id."""

from collections.abc import Sequence

import redis
from redis.crc import key_slot

from tests.support.processes import answers, free_port, wait_for
from tests.support.redis import RedisServer

SLOTS = 16_384
NODE_TIMEOUT_MS = 1000
"""How long a node must be silent before the others give it up."""


def cluster_port() -> int:
    """Return a free port whose companion for the nodes' own traffic is free, too."""
    while answers(10_000 + (port := free_port())):
        pass
    return port


class RedisCluster:
    """A cluster of masters that share the slots evenly.

    Args:
        binary: Path of redis-server.
        masters: How many masters.
        replicas: How many replicas, of the first masters.
    """

    def __init__(self, binary: str, masters: int = 3, replicas: int = 0) -> None:
        self.nodes = [
            RedisServer(
                binary,
                *("--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS)),
                *("--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0"),
            )
            for _ in range(masters + replicas)
        ]
        for node in self.nodes:
            node.port = cluster_port()
        self.masters, self.replicas = self.nodes[:masters], self.nodes[masters:]

    @property
    def hosts(self) -> list[tuple[str, int]]:
        """Addresses of all nodes."""
        return [("127.0.0.1", node.port) for node in self.nodes]

    def start(self) -> "RedisCluster":
        """Start all nodes and return once they agree on who has which slots."""
        for node in self.nodes:
            node.start()
        size = -(-SLOTS // len(self.masters))
        for number, node in enumerate(self.masters):
            slots = range(number * size, min((number + 1) * size, SLOTS))
            with node.client() as client:
                client.execute_command("CLUSTER ADDSLOTS", *slots)
        with self.masters[0].client() as client:
            for node in self.nodes[1:]:
                client.execute_command("CLUSTER MEET", "127.0.0.1", node.port)
        wait_for(lambda: all(self._sees_all(node) for node in self.nodes), "the nodes know each other", 30)
        for number, node in enumerate(self.replicas):
            with node.client() as client:
                client.execute_command("CLUSTER REPLICATE", self.id_of(self.masters[number]))
        wait_for(lambda: all(self._is_ok(node) for node in self.nodes), "the cluster is well", 30)
        wait_for(lambda: all(self._follows(node) for node in self.replicas), "the replicas follow", 30)
        return self

    def _sees_all(self, node: RedisServer) -> bool:
        with node.client() as client:
            return client.execute_command("CLUSTER INFO")["cluster_known_nodes"] == str(len(self.nodes))

    def _is_ok(self, node: RedisServer) -> bool:
        with node.client() as client:
            info = client.execute_command("CLUSTER INFO")
            return info["cluster_state"] == "ok" and info["cluster_slots_ok"] == str(SLOTS)

    def _follows(self, node: RedisServer) -> bool:
        with node.client() as client:
            info = client.info("replication")
            return info["role"] == "slave" and info["master_link_status"] == "up"

    def id_of(self, node: RedisServer) -> str:
        """Return the id of ``node`` in the cluster."""
        with node.client() as client:
            return client.execute_command("CLUSTER MYID").decode()

    def holder_of(self, tag: str) -> RedisServer:
        """Return the master that has the slot of ``tag``."""
        slot = key_slot(tag.encode())
        for node in self.nodes:
            if node.is_running:
                with node.client() as client:
                    for first, last, master, *_ in _slots(client):
                        if first <= slot <= last:
                            return next(other for other in self.nodes if other.port == int(master[1]))
        raise AssertionError(f"no node has slot {slot}")

    def fail_over(self, tag: str) -> None:
        """SIGKILL the master that has the slot of ``tag``; return once its replica has taken over everywhere."""
        lost = self.holder_of(tag)
        lost.stop()
        heirs = {node.port for node in self.replicas}
        wait_for(lambda: self.holder_of(tag).port in heirs, "a replica takes over", 30)
        heir = self.holder_of(tag)
        self.masters[self.masters.index(lost)] = heir
        self.replicas[self.replicas.index(heir)] = lost
        wait_for(lambda: all(self._is_ok(node) for node in self.masters), "the cluster is well", 30)

    def bring_back(self) -> None:
        """Start the nodes that were lost: they follow who has taken over."""
        for node in self.replicas:
            if not node.is_running:
                node.start()
        wait_for(lambda: all(self._follows(node) for node in self.replicas), "the replicas follow", 30)

    def begin_move(self, tag: str, target: RedisServer) -> None:
        """Let the slot of ``tag`` begin to move to ``target``: new keys go there."""
        slot, source = key_slot(tag.encode()), self.holder_of(tag)
        with target.client() as client:
            client.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", self.id_of(source))
        with source.client() as client:
            client.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", self.id_of(target))

    def end_move(self, tag: str, target: RedisServer) -> None:
        """Move the keys of the slot of ``tag``, and make ``target`` its master."""
        slot, source = key_slot(tag.encode()), self.holder_of(tag)
        with source.client() as client:
            while keys := client.execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
                client.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        for node in (target, source, *self.masters):
            with node.client() as client:
                client.execute_command("CLUSTER SETSLOT", slot, "NODE", self.id_of(target))

    def flush(self) -> None:
        """Forget all keys."""
        for node in self.masters:
            node.flush()

    def close(self) -> None:
        """Stop all nodes."""
        for node in self.nodes:
            node.close()


def _slots(client: "redis.Redis") -> Sequence[Sequence[list]]:
    connection = client.connection_pool.get_connection()
    try:
        connection.send_command("CLUSTER", "SLOTS")
        return connection.read_response()
    finally:
        client.connection_pool.release(connection)
