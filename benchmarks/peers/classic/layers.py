"""What asgi_redis alone can do, printed as JSON: ``python -m classic.layers REDIS_URL SECONDS``."""

import json
import sys
import time

from asgi_redis import RedisChannelLayer

MEMBERS = 1000
CONTENT = {
    "reply_channel": "websocket.send.abcdefghijkl!mnopqrstuvwx",
    "path": "/echo/",
    "order": 17,
    "text": "x" * 32,
}


def per_second(action, seconds):
    """Return how often ``action`` runs in a second."""
    action()
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        action()
        done += 1
    return done / (time.perf_counter() - began)


def main():
    """Measure what the command line asks for."""
    url, seconds = sys.argv[1], float(sys.argv[2])
    layer = RedisChannelLayer(hosts=[url], capacity=1000000)

    def one():
        layer.send("bench.one", CONTENT)
        channel, _ = layer.receive(["bench.one"], block=True)
        assert channel == "bench.one"

    def group():
        layer.send_group("bench", {"text": "x" * 32})

    for number in range(MEMBERS):
        layer.group_add("bench", "bench.process!%d" % number)
    json.dump({"single": per_second(one, seconds), "group": per_second(group, seconds)}, sys.stdout)


if __name__ == "__main__":
    main()
