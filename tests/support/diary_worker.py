"""A process that sends or consumes ``orders.new`` and keeps a diary of it.

``python -m tests.support.diary_worker work|send BACKEND CONFIG DIRECTORY [RATE]``: the name of a Redis layer's class,
its configuration as JSON, where to keep the diary, and how many messages a second to send. A worker notes what it ran,
a sender what the layer took. Each works until it is stopped.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings

from tests.support.diary import Diary

CHANNEL = "orders.new"


def work(layer: Any, diary: Diary) -> None:
    """Consume messages."""
    from channels.registry import ChannelLayerWrapper
    from channels.routing import route
    from channels.worker import Worker

    def consumer(message: Any) -> None:
        diary.note(message.content["n"])

    Worker(ChannelLayerWrapper(layer, "default", [route(CHANNEL, consumer)])).run()


def send(layer: Any, diary: Diary, rate: float) -> None:
    """Send messages, numbered from 0, at a steady rate; those that the layer does not take are not sent again."""
    from channels.exceptions import LayerUnavailable

    began, number = time.monotonic(), 0
    while True:
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        try:
            layer.send(CHANNEL, {"n": number})
        except LayerUnavailable:
            pass
        else:
            diary.note(number)
        number += 1


def main() -> None:
    """Do what the command line says."""
    what, backend, config, directory, *rate = sys.argv[1:]
    settings.configure(CHANNEL_LAYERS={}, LOGGING_CONFIG=None)
    from channels.layers import redis

    layer = getattr(redis, backend)(**json.loads(config))
    diary = Diary(Path(directory))
    if what == "work":
        work(layer, diary)
    else:
        send(layer, diary, float(rate[0]))


if __name__ == "__main__":
    main()
