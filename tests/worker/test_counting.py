"""What workers, dispatch, ordering and layers count: each thing that can happen, once."""

import contextlib
import functools
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from channels import Channel, ordering, route
from channels.exceptions import ChannelFull, ConsumeLater, LayerUnavailable
from channels.generic.websockets import WebsocketConsumer
from channels.layers.inmemory import ChannelLayer
from channels.layers.redis import RedisChannelLayer
from channels.monitor.consumers import LiveConsumer
from channels.observe import overview
from channels.probes import ANSWER_PATTERN, make
from channels.registry import ChannelLayerWrapper
from channels.security.websockets import allowed_hosts_only
from channels.sessions import enforce_ordering
from channels.supervision.limits import Budget
from channels.supervision.watch import Watch
from channels.worker import Worker, WorkerGroup
from tests.support.connection import Connection, make_layer, routes
from tests.support.counting import Growth, grows
from tests.support.processes import ROOT, free_port, wait_for
from tests.support.redis import RedisServer

ELSEWHERE = {
    "message.dropped.invalid_frame": "tests/consumers/test_multiplexing.py",
    "message.dropped.invalid_payload": "tests/consumers/test_multiplexing.py",
    "message.dropped.unknown_stream": "tests/consumers/test_multiplexing.py",
}
"""Counters whose test makes their names of parts."""


def test_every_counter_has_a_test() -> None:
    """Its name stands in a test of what it counts."""
    from channels import counters

    here = Path(__file__)
    paths = [path for path in here.parents[1].rglob("*.py") if path.parent.name != "ground"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    text = text.replace(here.read_text(encoding="utf-8").partition("ELSEWHERE = {")[2].partition("}")[0], "")
    missing = {name for name in counters.KNOWN if f'"{name}"' not in text}
    assert missing == set(ELSEWHERE)
    for name, path in ELSEWHERE.items():
        assert name.rpartition(".")[2] in (ROOT / path).read_text(encoding="utf-8")


# Workers


def work(worker: Worker, growth: Growth) -> None:
    """Run a worker until a counter has grown."""
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        wait_for(lambda: growth.amount > 0, "The counter grows", 30)
    finally:
        worker.stop()
        thread.join(30)


def test_error_around_a_consumer_is_counted() -> None:
    """Of a callback, for example."""
    layer = make_layer([route("test", lambda message: None)])
    layer.send("test", {})

    def fail(*args: Any) -> None:
        raise RuntimeError("on purpose")

    growth = Growth("message.dropped.dispatch_failed")
    work(Worker(layer, callback=fail, signal_handlers=False), growth)
    assert growth.amount == 1


def test_layer_that_is_lost_and_regained_is_counted() -> None:
    """Once each, however often it is tried."""
    layer = make_layer([route("test", lambda message: None)])
    receive, failures = layer.channel_layer.receive_batch, iter(range(3))

    def receive_batch(*args: Any) -> Any:
        if next(failures, None) is not None:
            raise LayerUnavailable("no server")
        return receive(*args)

    layer.channel_layer.receive_batch = receive_batch
    lost, regained = Growth("layer.lost.receive"), Growth("layer.regained.receive")
    work(Worker(layer, signal_handlers=False), regained)
    assert (lost.amount, regained.amount) == (1, 1)


def test_worker_thread_that_fails_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts again."""
    group = WorkerGroup(make_layer([route("test", lambda message: None)]), n_threads=2, signal_handlers=False)
    (other,) = group.sub_workers
    run, failures = other.run, iter(range(1))

    def fail_once() -> None:
        if next(failures, None) is not None:
            raise RuntimeError("on purpose")
        run()

    monkeypatch.setattr(other, "run", fail_once)
    growth = Growth("worker.restarted.error")
    work(group, growth)
    assert growth.amount == 1


class Idle:
    """A worker that runs until it is told to stop."""

    termed = False

    def stop(self) -> None:
        """Stop."""
        self.termed = True


def test_worker_that_makes_way_is_counted() -> None:
    """After its messages, or with too much memory."""
    budget, worker = Budget(1), Idle()
    with Watch(worker, grace=60, budget=budget), grows("worker.stopped.messages"):
        for _ in range(budget.limit):
            budget.spend()
    assert worker.termed
    growth, worker = Growth("worker.stopped.memory"), Idle()
    with Watch(worker, grace=60, max_memory=1):
        wait_for(lambda: worker.termed, "The stop", 30)
    assert growth.amount == 1


def test_worker_that_does_not_finish_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its process ends."""
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    growth, worker = Growth("worker.stopped.grace"), Idle()
    worker.stop()
    with Watch(worker, grace=0.0):
        wait_for(lambda: ended, "The end", 30)
    assert growth.amount == len(ended)
    assert ended[0] == 1


# Messages


def test_full_channel_is_counted_for_who_sends() -> None:
    """Each send that was refused."""
    layer = ChannelLayer(capacity=1)
    layer.send("test", {})
    with grows("message.refused.full"), pytest.raises(ChannelFull):
        layer.send("test", {})


def test_message_that_cannot_be_put_back_is_counted() -> None:
    """Its channel is full."""

    def later(message: Any) -> None:
        Channel("test", channel_layer=message.channel_layer).send({}, immediately=True)
        raise ConsumeLater

    connection = Connection(layer=make_layer([route("test", later)], capacity=1))
    with grows("message.dropped.reinsert_failed"):
        connection.dispatch("test", {})


def test_answer_to_a_probe_that_finds_no_room_is_counted() -> None:
    """Whoever asked has gone."""
    layer = make_layer([route("test", lambda message: None)], capacity=1)
    answers = layer.new_channel(ANSWER_PATTERN)
    layer.send(answers, {})
    with grows("probe.dropped.disconnect"):
        Connection(layer=layer).dispatch("test", make(answers, 1))


class Ordered:
    """A connection whose consumer is ordered; its message 0 has run, and 2 has come before 1.

    Args:
        settings: Of the project.
        config: Of its layer.
    """

    def __init__(self, settings: Any, **config: Any) -> None:
        settings.CHANNELS_ORDERING_TIMEOUT = 0.01
        self.ran: list[int] = []
        ordered = enforce_ordering(lambda message: self.ran.append(message["order"]))
        self.connection = Connection(layer=make_layer([route("test", ordered)], **config))
        self.run(0)
        with grows("message.held.order"):
            self.run(2)

    def run(self, order: int) -> None:
        """Run one message."""
        self.connection.dispatch("test", self.connection.content(order=order))


def test_connection_that_waits_in_vain_is_counted(settings: Any) -> None:
    """It is closed; where that finds no room, this is counted, too."""
    ordered = Ordered(settings, capacity=1)
    ordered.connection.layer.send(ordered.connection.reply_channel, {"text": "unread"})
    time.sleep(0.02)  # The time that it waits.
    with grows("connection.closed.gap"), grows("message.dropped.close"):
        ordered.connection.look_for_overdue()


def test_message_whose_turn_finds_no_room_is_counted(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection is closed."""
    monkeypatch.setattr(ordering, "REQUEUE_SECONDS", 0.1)
    ordered = Ordered(settings, capacity=1)
    ordered.connection.layer.send("test", {})
    with grows("message.dropped.requeue_full"):
        ordered.run(1)


class Forgetful:
    """Turns whose server is lost before they end."""

    def __init__(self, turns: Any) -> None:
        self._turns = turns

    def __getattr__(self, name: str) -> Any:
        return getattr(self._turns, name)

    def end(self, *args: Any) -> Any:
        """Fail."""
        raise LayerUnavailable("no server")


def test_turn_whose_end_cannot_be_told_is_counted() -> None:
    """Later messages of its connection wait."""
    connection = Connection([route("test", enforce_ordering(lambda message: None))])
    connection.layer.channel_layer.turns = Forgetful(connection.layer.channel_layer.turns)
    with grows("turn.lost.layer"):
        connection.dispatch("test", connection.content())


# Handshakes and frames


class Members(WebsocketConsumer):
    """For users."""

    login_required = True


def test_visitors_without_a_login_are_counted(db: None) -> None:
    """At the handshake, and at a frame of one that has lost it."""
    connection = Connection([Members.as_route()])
    with grows("connection.denied.login_required"):
        connection.connect()
    with grows("message.dropped.login_required"):
        connection.receive("text")


def test_users_without_the_permission_are_counted(db: None, settings: Any) -> None:
    """Of the page in the admin."""
    connection = Connection([LiveConsumer.as_route()], headers=[[b"origin", b"http://localhost"]])
    with grows("connection.denied.permission"):
        assert connection.connect()[0]["status"] == 403
    with grows("message.dropped.permission"):
        assert connection.receive("{}") == [{"close": 4403}]


def test_foreign_origin_is_counted() -> None:
    """And refused."""
    guarded = allowed_hosts_only(lambda message: None)
    with grows("connection.denied.origin"):
        Connection(routes(guarded), headers=[[b"origin", b"https://evil.example"]]).connect()


def test_changes_to_a_session_that_has_ended_are_counted(db: None) -> None:
    """They end with it."""
    from django.contrib.sessions.backends.db import SessionStore

    from channels.sessions import channel_session

    @channel_session
    def change(message: Any) -> None:
        message.channel_session["seen"] = True
        SessionStore(message.channel_session.session_key).delete()
        message.channel_session["seen"] = False

    @channel_session
    def begin(message: Any) -> None:
        message.channel_session["seen"] = False

    connection = Connection(routes(begin, change))
    connection.connect()
    with grows("session.dropped.ended"):
        connection.receive("text")


# Redis


def test_layer_that_cannot_be_reached_is_counted() -> None:
    """Each attempt."""
    layer = RedisChannelLayer(hosts=[f"redis://127.0.0.1:{free_port()}/0"])
    growth = Growth("layer.failed.connection")
    with pytest.raises(LayerUnavailable):
        layer.send("test", {})
    assert growth.amount >= 1
    layer.close()


def test_what_others_wrote_into_redis_is_counted(redis_server: RedisServer) -> None:
    """Members that are no names, and announcements that are not of processes."""
    layer = RedisChannelLayer(hosts=[redis_server.url], prefix="counting:")
    layer.group_add("group", "test.one")
    with redis_server.client() as client:
        (group,) = [key for key in client.scan_iter() if b"group" in key and client.type(key) == b"zset"]
        client.zadd(group, {"no name at all": time.time() * 1000})
    with grows("group.dropped.unreadable"):
        assert layer.group_channels("group") == ["test.one"]
    layer.inspection.announce("worker-x", {"kind": "worker", "pid": "many"}, 60)
    with grows("process.dropped.malformed"):
        assert overview.take(ChannelLayerWrapper(layer, "default", [])).processes == []
    layer.close()


def test_message_that_is_never_finished_is_counted(redis_server: RedisServer) -> None:
    """As a dead letter, which it becomes."""
    layer = RedisChannelLayer(
        hosts=[redis_server.url], delivery={"test": "at-least-once"}, redelivery_after=0.05, max_deliveries=2
    )
    layer.send("test", {"n": 1})
    buried = Growth("message.dropped.dead_letter")
    for _ in range(2):
        (delivery,) = wait_for(functools.partial(layer.receive_batch, ["test"], 1, 1), "A delivery", 30)
        layer.finish_deliveries([delivery.content], False)
    wait_for(lambda: not layer.receive_batch(["test"]) and buried.amount, "The dead letter", 30)
    assert buried.amount == 1
    layer.close()


def test_message_whose_end_cannot_be_told_is_counted(own_redis: RedisServer) -> None:
    """It will be delivered again."""
    layer = RedisChannelLayer(hosts=[own_redis.url], delivery={"test": "at-least-once"})
    layer.send("test", {"n": 1})
    (delivery,) = layer.receive_batch(["test"], 1, 5)
    own_redis.stop()
    growth = Growth("message.repeated.unfinished")
    layer.finish_deliveries([delivery.content], True)
    with contextlib.suppress(LayerUnavailable):
        layer.push(wait=True)
    assert growth.amount == 1
    layer.close()
