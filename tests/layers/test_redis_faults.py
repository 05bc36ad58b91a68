"""The Redis layer when things go wrong: lost servers, forgotten scripts, foreign entries, forks, dying threads."""

import asyncio
import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvloop
from redis.exceptions import OutOfMemoryError, ResponseError

from channels import counters
from channels.exceptions import LayerUnavailable
from channels.layers.base import Outgoing
from channels.layers.redis import RedisChannelLayer, scripts
from channels.layers.redis.cluster import ClusterNode
from tests.support.processes import wait_for
from tests.support.redis import RedisServer


@pytest.fixture
def layer(redis_url: str) -> Iterator[RedisChannelLayer]:
    """A layer on an empty server."""
    layer = RedisChannelLayer(hosts=[redis_url])
    yield layer
    layer.close()


@pytest.fixture
def own_layer(own_redis: RedisServer) -> Iterator[RedisChannelLayer]:
    """A layer on a server that the test may stop."""
    layer = RedisChannelLayer(hosts=[own_redis.url])
    yield layer
    layer.close()


def clients(layer: RedisChannelLayer) -> list[dict[str, Any]]:
    """Return the connections that the server sees, except the one that asks."""
    client = layer.connection(0)
    mine = client.client_id()
    return [entry for entry in client.client_list() if int(entry["id"]) != mine]


def wait_until_blocked(layer: RedisChannelLayer) -> None:
    """Return once a connection waits for a message."""
    while layer.connection(0).info("clients")["blocked_clients"] == 0:
        pass


def test_server_that_is_not_there_is_reported() -> None:
    """The error names the server and keeps what redis-py said."""
    layer = RedisChannelLayer(hosts=["unix:///nonexistent/redis.sock"])
    for call in (
        lambda: layer.send("test", {}),
        lambda: layer.send_batch([Outgoing("test", {})]),
        lambda: layer.receive(["test"]),
        lambda: layer.group_add("group", "test"),
        lambda: layer.flush(),
    ):
        with pytest.raises(
            LayerUnavailable, match=re.escape("Redis at unix:///nonexistent/redis.sock cannot be used: ")
        ) as caught:
            call()
        assert caught.value.__cause__ is not None


def test_server_that_is_not_there_is_reported_to_event_loops() -> None:
    """All that wait for one write learn of it."""
    layer = RedisChannelLayer(hosts=["unix:///nonexistent/redis.sock"])

    async def main() -> list[Any]:
        return await asyncio.gather(
            *(layer.asend("test", {"n": number}) for number in range(3)),
            layer.areceive_batch(["test"], 1, 1),
            layer.agroup_add("group", "test"),
            return_exceptions=True,
        )

    assert [type(result) for result in asyncio.run(main())] == [LayerUnavailable] * 5


def test_restart_while_idle_goes_unnoticed(
    own_redis: RedisServer, own_layer: RedisChannelLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that was idle is looked at before it is used, so nothing fails."""
    monkeypatch.setattr("channels.layers.redis.threadlink.IDLE_SECONDS", 0)
    own_layer.send("test", {"n": 1})
    own_redis.stop()
    own_redis.start()
    own_layer.send("test", {"n": 2})
    assert own_layer.receive(["test"]) == ("test", {"n": 2})


def test_layer_works_again_after_one_error(own_redis: RedisServer, own_layer: RedisChannelLayer) -> None:
    """A connection lost in use is an error once; the next call opens a new one."""
    own_layer.send("test", {})
    own_redis.stop()
    with pytest.raises(LayerUnavailable):
        own_layer.send("test", {})
    own_redis.start()
    own_layer.send("test", {"n": 1})
    assert own_layer.receive(["test"]) == ("test", {"n": 1})


def test_event_loop_works_again_after_a_restart(own_redis: RedisServer, own_layer: RedisChannelLayer) -> None:
    """The connections of an event loop are opened again, too."""

    async def main() -> Any:
        await own_layer.asend("test", {"n": 1})
        waiting = asyncio.create_task(own_layer.areceive_batch(["other"], 1, 30))
        await asyncio.to_thread(wait_until_blocked, own_layer)
        await asyncio.to_thread(own_redis.stop)
        with pytest.raises(LayerUnavailable):
            await waiting
        with pytest.raises(LayerUnavailable):
            await own_layer.asend("test", {"n": 2})
        await asyncio.to_thread(own_redis.start)
        await own_layer.asend("test", {"n": 3})
        received = await own_layer.areceive(["test"])
        await own_layer.aclose()
        return received

    assert asyncio.run(main()) == ("test", {"n": 3})


def test_blocked_receive_ends_when_the_server_is_lost(own_redis: RedisServer, own_layer: RedisChannelLayer) -> None:
    """A waiting thread learns at once that its server is gone."""
    errors: list[BaseException] = []

    def receive() -> None:
        try:
            own_layer.receive_batch(["test"], 1, 30)
        except LayerUnavailable as error:
            errors.append(error)

    thread = threading.Thread(target=receive)
    thread.start()
    wait_until_blocked(own_layer)
    own_redis.stop()
    thread.join(25)
    assert len(errors) == 1


@pytest.fixture
def hung_layer(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisChannelLayer]:
    """A connected layer whose server does not answer until it gets SIGCONT, and that waits only a second for it."""
    monkeypatch.setattr("channels.layers.redis.shards.BLOCK_SECONDS", 0.1)
    layer = RedisChannelLayer(hosts=[own_redis.url], connection_kwargs={"socket_timeout": 1.0})
    layer.send("other", {})
    os.kill(own_redis.pid, signal.SIGSTOP)
    yield layer
    os.kill(own_redis.pid, signal.SIGCONT)
    layer.close()


def wake(server: RedisServer) -> None:
    """Let a server that hangs go on; return when it does."""
    os.kill(server.pid, signal.SIGCONT)
    with server.client() as client:
        client.ping()


def test_server_that_hangs_is_reported(own_redis: RedisServer, hung_layer: RedisChannelLayer) -> None:
    """A silent server is lost after the socket timeout; when it wakes up the layer works again."""
    with pytest.raises(LayerUnavailable, match=r"[Tt]imeout"):
        hung_layer.send("test", {"n": 1})
    with pytest.raises(LayerUnavailable, match=r"[Tt]imeout"):
        hung_layer.receive_batch(["test"], 1, 0.1)
    wake(own_redis)
    hung_layer.send("test.after", {"n": 2})
    assert hung_layer.receive(["test.after"]) == ("test.after", {"n": 2})


def test_server_that_hangs_is_reported_to_event_loops(own_redis: RedisServer, hung_layer: RedisChannelLayer) -> None:
    """The same for an event loop, which is not held up meanwhile."""

    async def main() -> Any:
        sending = asyncio.create_task(hung_layer.asend("test", {"n": 1}))
        turns = 0
        while not sending.done():
            await asyncio.sleep(0.01)
            turns += 1
        with pytest.raises(LayerUnavailable):
            await sending
        wake(own_redis)
        await hung_layer.asend("test.after", {"n": 2})
        received = await hung_layer.areceive(["test.after"])
        await hung_layer.aclose()
        return turns, received

    turns, received = asyncio.run(main())
    assert turns > 5
    assert received == ("test.after", {"n": 2})


@pytest.mark.parametrize("config", [{}, {"connection_kwargs": {"socket_timeout": 5}}])
def test_wait_of_one_command_ends_before_the_socket_timeout(config: dict[str, Any]) -> None:
    """A server that is asked to wait has time to say that nothing came."""
    (shard,) = RedisChannelLayer(**config).shards
    assert shard.block_seconds <= shard.open().socket_timeout - 1
    assert shard.block_seconds <= shard.socket_timeout - 1


def test_one_lost_shard_leaves_the_others_served(own_redis: RedisServer, redis_url: str) -> None:
    """A receiver on two shards still gets what is on the one that lives."""
    layer = RedisChannelLayer(hosts=[own_redis.url, redis_url])
    name = next(f"test.{n}!" for n in range(50) if layer._parts.ring.shard_of(f"test.{n}!") == 1)
    other = next(f"test.{n}!" for n in range(50) if layer._parts.ring.shard_of(f"test.{n}!") == 0)
    layer.send(name + "one", {"n": 1})
    own_redis.stop()
    received: list[Any] = []
    for _ in range(20):
        try:
            received += layer.receive_batch([name, other], 1, 0.5)
        except LayerUnavailable:
            continue
    assert [d.content for d in received] == [{"n": 1}]
    layer.close()


def test_forgotten_scripts_are_loaded_again(layer: RedisChannelLayer) -> None:
    """SCRIPT FLUSH on the server is not noticed by anyone, and nothing is sent twice."""
    layer.send("test", {"n": 1})
    layer.connection(0).script_flush()
    outcomes = layer.send_batch([Outgoing("test", {"n": 2}), Outgoing("test", {"n": 3})])
    layer.connection(0).script_flush()
    assert outcomes == [None, None]
    assert [layer.receive(["test"])[1] for _ in range(4)] == [{"n": 1}, {"n": 2}, {"n": 3}, None]


def test_forgotten_scripts_are_loaded_again_by_event_loops(layer: RedisChannelLayer) -> None:
    """The same for the connections of an event loop."""

    async def main() -> list[Any]:
        await layer.asend("test", {"n": 1})
        layer.connection(0).script_flush()
        await layer.asend("test", {"n": 2})
        layer.connection(0).script_flush()
        found = [delivery.content for delivery in await layer.areceive_batch(["test"], 5)]
        await layer.aclose()
        return found

    assert asyncio.run(main()) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("raw", [b"", b"x", b"\x01\x00garbage that is long enough", b"\x02" * 40])
def test_foreign_entry_is_skipped(layer: RedisChannelLayer, raw: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """What this layer did not write is counted and logged; the message behind it arrives."""
    before = counters.value("message.dropped.unreadable") + counters.value("message.dropped.expired")
    layer.connection(0).rpush("asgi:test", raw)
    layer.send("test", {"n": 1})
    assert layer.receive(["test"]) == ("test", {"n": 1})
    assert counters.value("message.dropped.unreadable") + counters.value("message.dropped.expired") == before + 1
    assert caplog.records


def test_foreign_key_is_reported(layer: RedisChannelLayer) -> None:
    """A key of another type in the way is an error that says so."""
    layer.connection(0).set("asgi:test", "text")
    with pytest.raises(LayerUnavailable, match="WRONGTYPE"):
        layer.send("test", {})


def test_foreign_key_does_not_keep_memberships_from_being_renewed(redis_url: str) -> None:
    """One among the groups that is none is passed over, and the groups are listed; so with dead letters."""
    layer = RedisChannelLayer(hosts=[redis_url], group_expiry=4)
    client = layer.connection(0)
    client.set("asgi::group:foreign", "x")
    layer.group_add("group", "test.p!one")
    before = client.zscore("asgi::group:group", "test.p!one") - 2000
    client.zadd("asgi::group:group", {"test.p!one": before})
    layer.upkeep.renew({"test.p!one"})
    assert client.zscore("asgi::group:group", "test.p!one") > before
    assert layer.inspection.groups() == {"group": 1}
    client.set("asgi::dead:foreign", "x")
    assert layer.dead_letter_channels() == {}
    layer.close()


def test_server_without_memory_is_reported(own_redis: RedisServer, own_layer: RedisChannelLayer) -> None:
    """A message that the server has no room for is not taken to be sent."""
    own_layer.send("test", {"n": 1})
    with own_redis.client() as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(LayerUnavailable, match="maxmemory") as caught:
            own_layer.send("test", {"n": 2})
        client.config_set("maxmemory", "0")
    assert not caught.value.was_asked  # So it may be sent again.
    assert own_layer.receive(["test"]) == ("test", {"n": 1})
    assert own_layer.receive(["test"]) == (None, None)


def test_server_without_memory_keeps_what_it_counted(own_redis: RedisServer, own_layer: RedisChannelLayer) -> None:
    """What cannot be added to for want of memory is not what somebody else wrote."""
    for number in range(3):
        own_layer.send("test", {"n": number})
    assert own_layer.channel_statistics("test")["messages_count"] == 3
    own_layer.receive(["test"])
    with own_redis.client() as client:
        client.config_set("maxmemory", "1")
        own_layer._mine.tallies.add(0, "test", 1, 0)
        assert own_layer.channel_statistics("test")["messages_count"] == 3
        client.config_set("maxmemory", "0")
    own_layer.send("test", {})
    assert own_layer.channel_statistics("test")["messages_count"] == 4


def test_server_that_may_not_write_is_reported(own_redis: RedisServer, own_layer: RedisChannelLayer) -> None:
    """Its replicas are gone; what it refused was certainly not sent."""
    with own_redis.client() as client:
        client.config_set("min-replicas-to-write", "1")
        with pytest.raises(LayerUnavailable, match="NOREPLICAS") as caught:
            own_layer.send("test", {})
    assert not caught.value.was_asked


@pytest.mark.parametrize(
    ("text", "was_asked"),
    [
        ("Error running script (call to f_0): @user_script:76: @user_script: 76: -OOM command not allowed", False),
        ("MISCONF Redis is configured to save RDB snapshots, but is unable to persist to disk", False),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", True),
    ],
)
def test_refusals_are_told_from_failures(own_layer: RedisChannelLayer, text: str, was_asked: bool) -> None:
    """Also in the words of Redis 6."""
    assert own_layer.shards[0].unavailable(ResponseError(text)).was_asked == was_asked


def test_node_that_did_a_part_was_asked() -> None:
    """In a cluster one write holds several calls; none of them is sent again if one was carried out."""
    node = ClusterNode("redis://127.0.0.1:1", {})
    refusal = OutOfMemoryError("command not allowed when used memory > 'maxmemory'")
    for replies, was_asked in (([[0, 0, 0], refusal], True), ([refusal, refusal], False)):
        with pytest.raises(LayerUnavailable) as caught:
            node.check(replies)
        assert caught.value.was_asked == was_asked


def test_server_that_runs_a_script_for_long_is_reported(own_redis: RedisServer, own_layer: RedisChannelLayer) -> None:
    """It refuses everything meanwhile, from new connections as well; then it is used again."""
    own_layer.send("test", {"n": 0})
    other = RedisChannelLayer(hosts=[own_redis.url])
    with own_redis.client() as client, own_redis.client() as slow:
        client.config_set("lua-time-limit", 50)

        def work() -> None:
            with contextlib.suppress(ResponseError):
                slow.eval("while true do end", 0)

        def is_busy() -> bool:
            try:
                return not client.ping()
            except ResponseError:
                return True

        client.ping()
        thread = threading.Thread(target=work)
        thread.start()
        wait_for(is_busy, "the script to run for long")
        for layer in (own_layer, other):
            with pytest.raises(LayerUnavailable, match="BUSY") as caught:
                layer.send("test", {"n": 1})
            assert not caught.value.was_asked
        with pytest.raises(LayerUnavailable, match="BUSY"):
            asyncio.run(other.asend("test", {"n": 1}))
        client.script_kill()
        thread.join(30)
    other.send("test", {"n": 2})
    assert [delivery.content["n"] for delivery in own_layer.receive_batch(["test"], 5)] == [0, 2]
    other.close()


def test_servers_that_are_all_without_memory_are_reported(own_redis: RedisServer, redis_server: RedisServer) -> None:
    """Each of them is tried once; a channel may be on any."""
    layer = RedisChannelLayer(hosts=[own_redis.url, redis_server.url])
    layer.send_batch([Outgoing("test", {"n": number}) for number in range(2)])
    with own_redis.client() as first, redis_server.client() as second:
        for client in (first, second):
            client.config_set("maxmemory", "1")
        try:
            with pytest.raises(LayerUnavailable, match="maxmemory"):
                layer.send("test", {"n": 2})
            first.config_set("maxmemory", "0")
            layer.send_batch([Outgoing("test", {"n": number}) for number in range(3, 5)])
        finally:
            second.config_set("maxmemory", "0")
    found = [layer.receive(["test"])[1] for _ in range(5)]
    assert sorted(content["n"] for content in found if content) == [0, 1, 3, 4]
    layer.close()


@pytest.mark.parametrize("hours", [-1, 1])
def test_clocks_of_hosts_may_differ(layer: RedisChannelLayer, monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    """Only the server's clock counts: a host that is wrong by an hour neither loses nor makes expired messages."""
    right = time.time
    layer.send("test.there", {"n": 1})
    monkeypatch.setattr(time, "time", lambda: right() + hours * 3600)
    wrong_host = RedisChannelLayer(hosts=[layer.shards[0].label])
    assert wrong_host.receive(["test.there"]) == ("test.there", {"n": 1})
    wrong_host.send("test.back", {"n": 2})
    wrong_host.close()
    monkeypatch.undo()
    assert layer.receive(["test.back"]) == ("test.back", {"n": 2})


@pytest.mark.parametrize("hours", [-1, 1])
def test_clock_that_is_set_makes_nothing_expire(
    layer: RedisChannelLayer, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """While connections are open the time of a host may jump by an hour, and messages are received."""
    layer.send("test.first", {})
    assert layer.receive(["test.first"]) == ("test.first", {})
    right = time.time
    layer.send("test", {"n": 1})
    monkeypatch.setattr(time, "time", lambda: right() + hours * 3600)
    layer.send("test", {"n": 2})
    assert [layer.receive(["test"])[1] for _ in range(2)] == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_connection_that_was_lost_at_this_moment_is_opened_again(
    layer: RedisChannelLayer, run: Callable[[Any], None]
) -> None:
    """Before the loop has told whoever reads: nothing is written to it, whatever the loop would say to that."""

    async def main() -> None:
        await layer.asend("test", {})
        (link,) = layer._loop._commands.values()
        link._connection._writer.transport.abort()
        assert await link.exchange([scripts.command(b"PING")]) == [b"PONG"]
        await layer.aclose()

    run(main())


def test_threads_that_end_leave_no_connections(layer: RedisChannelLayer) -> None:
    """A thread's connections go with it."""

    def work() -> None:
        layer.send("test", {})

    for _ in range(5):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert clients(layer) == []


def test_close_leaves_no_connections(layer: RedisChannelLayer) -> None:
    """Closing a layer closes the connections of its process."""
    layer.send("test", {})
    other = RedisChannelLayer(hosts=[layer.shards[0].label])
    assert len(clients(other)) == 1
    layer.close()
    assert clients(other) == []
    other.close()


def test_aclose_leaves_no_connections(layer: RedisChannelLayer) -> None:
    """Closing for an event loop closes what that loop opened."""

    async def main() -> None:
        await layer.asend("test", {})
        await layer.areceive(["test"])
        assert len(clients(layer)) == 2
        await layer.aclose()
        assert clients(layer) == []

    asyncio.run(main())


def in_child(work: Callable[[], None]) -> int:
    """Run ``work`` in a forked child and return how it ended: 0 is well."""
    pid = os.fork()
    if pid == 0:  # pragma: no cover  (the child reports by its exit code only)
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork_gets_connections_of_its_own(layer: RedisChannelLayer) -> None:
    """Parent and child share a layer object, but no connection: neither reads the other's answers."""
    layer.send("test", {"n": 1})

    def work() -> None:
        layer.send("test", {"n": 2})
        assert layer.receive(["test"]) == ("test", {"n": 1})

    assert in_child(work) == 0
    layer.send("test", {"n": 3})
    assert [layer.receive(["test"])[1] for _ in range(3)] == [{"n": 2}, {"n": 3}, None]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork_does_not_repeat_what_its_parent_holds(layer: RedisChannelLayer) -> None:
    """Receivers still to be served from one taken entry are the parent's."""
    for channel in ("test.p!one", "test.p!two"):
        layer.group_add("group", channel)
    layer.send_group("group", {})
    first = layer.receive(["test.p!"])[0]

    def work() -> None:
        assert layer.receive(["test.p!"]) == (None, None)

    assert in_child(work) == 0
    assert {first, layer.receive(["test.p!"])[0]} == {"test.p!one", "test.p!two"}


def test_interrupted_receive_does_not_disturb_the_next(layer: RedisChannelLayer) -> None:
    """An exception in the middle of a wait closes the connection, so no late answer is taken for another."""
    link = layer._mine.links.link(0)
    link.facts()

    def interrupt(**kwargs: Any) -> Any:
        raise KeyboardInterrupt

    link._connection.read_response = interrupt
    with pytest.raises(KeyboardInterrupt):
        layer.receive_batch(["test"], 1, 1)
    layer.send("test", {"n": 1})
    assert layer.receive(["test"]) == ("test", {"n": 1})


def test_sends_of_one_iteration_leave_in_one_script_call(layer: RedisChannelLayer) -> None:
    """What many tasks send at the same time is one write and one call."""

    async def main() -> int:
        await layer.asend("test.p!first", {})
        layer.connection(0).config_resetstat()
        await asyncio.gather(*(layer.asend(f"test.p!{number}", {}) for number in range(50)))
        calls = int(layer.connection(0).info("commandstats")["cmdstat_evalsha"]["calls"])
        await layer.aclose()
        return calls

    assert asyncio.run(main()) <= 2  # The second is the statistics, if they are due.


def test_cancelled_send_leaves_the_others_alone(layer: RedisChannelLayer) -> None:
    """A task that gives up does not take along what others send with the same write."""

    async def main() -> list[Any]:
        tasks = [asyncio.create_task(layer.asend("test", {"n": number})) for number in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await layer.aclose()
        return results

    first, second, third = asyncio.run(main())
    assert (first, third) == (None, None)
    assert isinstance(second, asyncio.CancelledError)
    arrived = [delivery.content["n"] for delivery in layer.receive_batch(["test"], 10)]
    assert [number for number in arrived if number != 1] == [0, 2]


def test_layer_outlives_any_number_of_lost_connections(redis_server: RedisServer) -> None:
    """A server that comes and goes for a day must not use something up; redis-py's pools stop at 100 connections."""
    layer = RedisChannelLayer(hosts=[redis_server.url])
    shard = layer.shards[0]
    for _ in range(150):
        shard.open()
        shard.open_async()
    layer.send("test.in", {})
    layer.close()
