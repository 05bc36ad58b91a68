"""What it costs to run one message, in microseconds: a bare function against class-based consumers.

In-process: the in-memory layer, sessions in local memory, an in-memory database. No sockets.
"""

import time
from typing import Any

import django
from django.conf import settings

REPLY_CHANNEL = "websocket.send.benchmark!one"


def configure() -> None:
    """Set up Django for this process alone, if that was not done."""
    if settings.configured:
        return
    settings.configure(
        SECRET_KEY="not a secret: benchmarks only",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "channels"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        SESSION_ENGINE="django.contrib.sessions.backends.cache",
        CHANNEL_LAYERS={
            "default": {
                "BACKEND": "channels.layers.inmemory.ChannelLayer",
                "CONFIG": {"capacity": 1_000},
                "ROUTING": [],
            }
        },
        USE_TZ=True,
    )
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def make_consumers() -> dict[str, Any]:
    """Return what is compared, by name; each sends the frame back."""
    from channels.generic.websockets import WebsocketConsumer
    from channels.sessions import channel_session

    def function(message: Any) -> None:
        message.reply_channel.send({"text": message["text"]})

    class Echo(WebsocketConsumer):
        def receive(self, text: str | None = None, bytes: bytes | None = None, **kwargs: Any) -> None:
            self.send(text=text)

    class EchoWithUser(Echo):
        http_user = True

        def receive(self, text: str | None = None, bytes: bytes | None = None, **kwargs: Any) -> None:
            assert self.message.user.is_authenticated
            super().receive(text=text)

    class EchoInOrder(Echo):
        strict_ordering = True

    return {
        "function": function,
        "function with channel_session": channel_session(function),
        "WebsocketConsumer": Echo,
        "WebsocketConsumer, http_user, user read": EchoWithUser,
        "WebsocketConsumer, strict_ordering": EchoInOrder,
    }


def log_in() -> str:
    """Return the session key of a user who is logged in."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.cache import SessionStore

    user = User.objects.create_user("bench", password="bench")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)


class Runner:
    """Dispatches messages of one connection to one consumer."""

    def __init__(self, consumer: Any, session_key: str) -> None:
        from channels import route, route_class
        from channels.layers.inmemory import ChannelLayer
        from channels.registry import ChannelLayerWrapper

        is_class = isinstance(consumer, type)
        routing = [route_class(consumer) if is_class else route("websocket.receive", consumer)]
        self.layer = ChannelLayerWrapper(ChannelLayer(capacity=1_000), "default", routing)
        self.order = 0
        self.session_key = session_key

    def connect(self) -> None:
        """Run the connect message."""
        cookie = f"sessionid={self.session_key}".encode()
        content = {"path": "/", "query_string": b"", "headers": [[b"cookie", cookie]], "client": None, "server": None}
        self.run("websocket.connect", content)

    def receive(self) -> None:
        """Run one frame."""
        self.run("websocket.receive", {"path": "/", "text": "hello"})

    def run(self, channel: str, content: dict[str, Any]) -> None:
        """Dispatch and take the answer away again, if there is one."""
        from channels.dispatch import dispatch

        content = {**content, "reply_channel": REPLY_CHANNEL, "order": self.order}
        self.order += 1
        dispatch(self.layer, channel, content, sender=type(self))
        self.layer.receive_batch(["websocket.send.benchmark!"], 10)


def run(seconds: float) -> dict[str, float]:
    """Return microseconds per frame of each kind of consumer, the answer's way out included."""
    configure()
    session_key = log_in()
    results = {}
    for name, consumer in make_consumers().items():
        runner = Runner(consumer, session_key)
        runner.connect()
        runner.receive()
        count, began = 0, time.perf_counter()
        while (took := time.perf_counter() - began) < seconds:
            runner.receive()
            count += 1
        results[name] = took / count * 1e6
    return results
