"""A worker process whose consumer notes what it ran: ``python -m tests.support.ordered_worker URL SECONDS``.

SECONDS is how long messages wait for those before them.

Consumers keep a list per connection on the Redis server of the layer, under the key ``ran:<reply channel>``,
and push the connection to the list ``ended`` after its disconnect.
"""

import sys
from typing import Any

import redis
from django.conf import settings


def configure(url: str, seconds: float) -> None:
    """Set Django up for a site with one ordered consumer."""
    import django

    settings.configure(
        SECRET_KEY="not a secret: tests only",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "channels"],
        SESSION_ENGINE="django.contrib.sessions.backends.cache",
        CHANNELS_ORDERING_TIMEOUT=seconds,
        CHANNELS_AUTO_ACCEPT=True,
        CHANNEL_LAYERS={
            "default": {
                "BACKEND": "channels.layers.redis.RedisChannelLayer",
                "CONFIG": {"hosts": [url], "capacity": 10_000},
                "ROUTING": [],
            }
        },
        USE_TZ=True,
    )
    django.setup()


def make_consumer(url: str) -> Any:
    """Return the consumer class."""
    from channels.generic.websockets import WebsocketConsumer

    client = redis.Redis.from_url(url)

    class Noting(WebsocketConsumer):
        strict_ordering = True

        def note(self) -> None:
            client.rpush(f"ran:{self.message.reply_channel}", self.message["order"])

        def connect(self, message: Any, **kwargs: Any) -> None:
            super().connect(message)
            self.note()

        def receive(self, text: str | None = None, bytes: bytes | None = None, **kwargs: Any) -> None:
            self.note()
            self.send(text=text)

        def disconnect(self, message: Any, **kwargs: Any) -> None:
            self.note()
            client.rpush("ended", str(message.reply_channel))

    return Noting


def main() -> None:
    """Work until killed."""
    url = sys.argv[1]
    configure(url, float(sys.argv[2]))
    from channels.registry import channel_layers
    from channels.worker import Worker

    layer = channel_layers["default"]
    layer.router.add_route(make_consumer(url).as_route())
    print("ready", flush=True)
    Worker(layer).run()


if __name__ == "__main__":
    main()
