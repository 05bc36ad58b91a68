"""Turns on Redis when the answer is lost, or the worker: asked again the server says the same, and nothing is stuck."""

import threading

import pytest

from channels.layers.redis import RedisChannelLayer
from channels.layers.turns import Early, NextStep, Taken, Verdict
from tests.support.processes import wait_for
from tests.support.proxy import Proxy

WAIT = 10.0
A = "websocket.send.process!a"


def receive(order, **content):
    """Return a frame on its way."""
    return Early("websocket.receive", {"order": order, "text": f"frame {order}", **content})


class Network:
    """A layer, and what is between it and its server."""

    def __init__(self, server):
        self.server = server
        self.proxy = Proxy(server.port)
        self.layer = RedisChannelLayer(hosts=[f"redis://127.0.0.1:{self.proxy.port}"])
        self.turns = self.layer.turns

    def line(self):
        """Return what the server knows of the connection."""
        with self.server.client() as client:
            return {name.decode(): value for name, value in client.hgetall(f"asgi::turn:{A}").items()}

    def lose_the_answer(self, ask):
        """Return what ``ask`` brings, whose first answer is lost after the server has done it."""
        before = self.line()
        results = []
        is_open, may_ask = threading.Event(), threading.Event()

        def work():
            self.layer.receive(["other"])  # Each thread has a connection of its own.
            is_open.set()
            may_ask.wait()
            results.append(ask())

        thread = threading.Thread(target=work)
        thread.start()
        is_open.wait()
        self.proxy.lose_answers()
        may_ask.set()
        wait_for(lambda: self.line() != before, "the server has done it")
        self.proxy.cut()
        self.proxy.restore()
        thread.join(30)
        return results[0]

    def let_the_worker_die(self):
        """Let the time pass within which it would have renewed its turn."""
        with self.server.client() as client:
            client.zadd("asgi::turns", {A: 1})
            client.hset(f"asgi::turn:{A}", "due", 1)

    def close(self):
        """Close everything."""
        self.layer.close()
        self.proxy.close()


@pytest.fixture
def network(redis_server):
    """A layer behind a network that can be broken."""
    network = Network(redis_server)
    yield network
    network.close()


def take(network, message):
    """Ask for a turn in the calling thread."""
    return network.turns.take(A, message, WAIT, 100)


def test_turn_that_was_given_is_given_again(network):
    """Not held until the time of a worker is over that never began."""
    take(network, receive(1))
    network.turns.end(A, receive(1), WAIT)
    assert network.lose_the_answer(lambda: take(network, receive(2))) == Taken(Verdict.RUN)


def test_turn_is_given_to_one_only(network):
    """Whoever asks first; the mark of another does not open it."""
    assert network.lose_the_answer(lambda: take(network, receive(1))) == Taken(Verdict.RUN)
    assert take(network, receive(1)).verdict is Verdict.HELD


def test_end_of_a_turn_brings_the_same_again(network):
    """What followed was handed out with an answer that never came."""
    take(network, receive(1))
    take(network, receive(2))
    take(network, receive(3))
    ended = network.lose_the_answer(lambda: network.turns.end(A, receive(1), WAIT, NextStep.RUN_RELEASED))
    assert ([message.order for message in ended.released], ended.is_passed_on) == ([2, 3], True)
    assert network.turns.end(A, receive(3), WAIT, NextStep.RUN_RELEASED, 2) == ([], False)
    assert take(network, receive(4)).verdict is Verdict.RUN


def test_posted_end_of_a_turn_is_told_again(network):
    """It leaves with the next write of its thread; nobody waits for a turn that nobody has."""
    take(network, receive(1))
    brought = []

    def post_and_settle():
        network.turns.post_end(A, receive(1), WAIT, NextStep.RUN_RELEASED, 1, brought.append)
        network.layer.push(wait=True)

    network.lose_the_answer(post_and_settle)
    assert brought == [([], False)]
    assert take(network, receive(2)).verdict is Verdict.RUN


def test_messages_at_least_once_outlive_the_worker_they_were_passed_on_to(network):
    """They were finished on their channel when they were kept here, so they are kept until they have run."""
    take(network, receive(1))
    for order in (2, 3):
        take(network, receive(order, __deliveries__=1))
    network.turns.end(A, receive(1), WAIT, NextStep.RUN_RELEASED)
    network.let_the_worker_die()
    ((_, missing, released, dropped),) = network.turns.stalled(WAIT)
    assert (missing, [message.order for message in released], dropped) == (None, [2, 3], 0)
    assert take(network, receive(2)).verdict is Verdict.RUN
    assert network.turns.end(A, receive(3), WAIT, first=2).released == []
    assert take(network, receive(4)).verdict is Verdict.RUN


def test_lines_that_wait_once_more_expire(network):
    """The only one is taken out of what waits and put in again; all workers may be gone by then."""
    take(network, receive(1))
    take(network, receive(2, __deliveries__=1))
    network.turns.end(A, receive(1), WAIT, NextStep.RUN_RELEASED)
    network.let_the_worker_die()
    network.turns.stalled(WAIT)
    with network.server.client() as client:
        assert client.zcard("asgi::turns") == 1
        assert [key for key in client.keys("*") if client.pttl(key) <= 0] == []


def test_messages_at_most_once_are_not_run_again(network):
    """The worker may have run them before it died: the connection is given up."""
    take(network, receive(1))
    take(network, receive(2))
    network.turns.end(A, receive(1), WAIT, NextStep.RUN_RELEASED)
    network.let_the_worker_die()
    ((_, missing, released, _),) = network.turns.stalled(WAIT)
    assert (missing, list(released)) == (2, [])
    assert take(network, receive(3)).verdict is Verdict.DROPPED
