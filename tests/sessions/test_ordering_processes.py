"""Order with real worker processes on a real Redis, also while some of them are killed."""

import random
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from channels.layers.base import Outgoing
from channels.layers.redis import RedisChannelLayer

ROOT = Path(__file__).resolve().parent.parent.parent
WORKERS = 8
SOCKETS = 100
FRAMES = 30
QUEUE = "websocket.send.test!"
PATIENT = 60
HASTY = 1.5
"""Seconds that messages wait for those before them: where none is lost, and where some are."""


class Workers:
    """Some worker processes."""

    def __init__(self, url, count, seconds):
        self._url = url
        self._seconds = str(seconds)
        self.processes = [self._start() for _ in range(count)]
        for process in self.processes:
            assert process.stdout.readline() == "ready\n"

    def _start(self):
        command = [sys.executable, "-m", "tests.support.ordered_worker", self._url, self._seconds]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def replace(self, number):
        """Kill a worker in whatever it does, and start another in its place."""
        self._end(self.processes[number], self.processes[number].kill)
        self.processes[number] = self._start()

    def close(self):
        """Stop them all."""
        for process in self.processes:
            self._end(process, process.kill)

    def _end(self, process, how):
        how()
        process.wait()
        process.stdout.close()


@contextmanager
def site(url, workers, seconds):
    """Give a layer and a client on the Redis server, while ``workers`` processes work there."""
    with ExitStack() as stack:
        layer = RedisChannelLayer(hosts=[url], capacity=10_000)
        stack.callback(layer.close)
        client = layer.connection(0)
        stack.callback(client.close)
        running = Workers(url, workers, seconds)
        stack.callback(running.close)
        yield layer, client, running


def message(channel, number, order, **content):
    """Return a message of a socket on its way."""
    return Outgoing(channel, {"reply_channel": f"{QUEUE}{number}", "path": "/", "order": order, **content})


def read_replies(layer):
    """Return what was sent to each socket: texts and closes."""
    replies = {number: [] for number in range(SOCKETS)}
    while deliveries := layer.receive_batch([QUEUE], 256):
        for channels, content, _ in deliveries:
            for channel in channels:
                replies[int(channel.rpartition("!")[2])].append(content.get("text") or content.get("close"))
    return replies


def connect_all(layer, client):
    """Connect every socket, and return when all connect consumers have run."""
    layer.send_batch([message("websocket.connect", number, 0, headers=[]) for number in range(SOCKETS)])
    deadline = time.monotonic() + PATIENT
    while sum(client.exists(f"ran:{QUEUE}{number}") for number in range(SOCKETS)) < SOCKETS:
        assert time.monotonic() < deadline
        layer.receive_batch([QUEUE], 256, 0.1)


def send_frames(layer, orders):
    """Send frames of all sockets; those of each socket stand together, as a server reads them."""
    for first in range(0, SOCKETS, 10):
        batch = [
            message("websocket.receive", number, order, text=str(order))
            for number in range(first, first + 10)
            for order in orders
        ]
        layer.send_batch(batch)


def disconnect_all(layer, client):
    """Disconnect every socket and wait for the consumers."""
    layer.send_batch([message("websocket.disconnect", number, FRAMES + 1, code=1000) for number in range(SOCKETS)])
    ended = set()
    while len(ended) < SOCKETS:
        taken = client.blpop(["ended"], timeout=PATIENT)
        assert taken is not None, f"{SOCKETS - len(ended)} sockets did not disconnect"
        ended.add(taken[1])


def what_ran(client, number):
    """Return the orders that ran for a socket."""
    return [int(order) for order in client.lrange(f"ran:{QUEUE}{number}", 0, -1)]


def test_eight_workers_keep_the_order_of_each_socket(redis_url):
    """Nothing is lost, run twice or out of order, and the replies are in order too."""
    with site(redis_url, WORKERS, PATIENT) as (layer, client, _):
        connect_all(layer, client)
        send_frames(layer, range(1, FRAMES + 1))
        disconnect_all(layer, client)
        replies = read_replies(layer)
        for number in range(SOCKETS):
            assert what_ran(client, number) == list(range(FRAMES + 2))
            assert [text for text in replies[number] if text] == [str(order) for order in range(1, FRAMES + 1)]


def test_killed_workers_leave_no_socket_stuck(redis_url):
    """What a killed worker had in hand is lost: its sockets are closed, and all disconnect; the others run on."""
    chance = random.Random(1)
    with site(redis_url, WORKERS, HASTY) as (layer, client, workers):
        connect_all(layer, client)
        for first in range(1, FRAMES, 5):
            send_frames(layer, range(first, first + 5))
            workers.replace(chance.randrange(WORKERS))
        disconnect_all(layer, client)
        replies = read_replies(layer)
        closed = {number for number in range(SOCKETS) if 1013 in replies[number]}
        for number in range(SOCKETS):
            *frames, last = what_ran(client, number)
            assert frames == list(range(len(frames)))
            assert last == FRAMES + 1
            assert len(frames) == FRAMES + 1 or number in closed
        assert client.zcard("asgi::turns") == 0
