"""What typed consumers cost: a validated message against plain JSON, and one to a group of 1,000 against ``Group``.

In-process, with sessions in local memory; groups are those of a private Redis, and what is counted goes as far as the
frame of each member at the interface. Times are those of the processor in this process, so that other programs count
little.
"""

import json
import time
from collections.abc import Callable
from typing import Any, Literal

from django.conf import settings

from benchmarks import dispatch
from benchmarks.services import Services

MEMBERS = 1_000
ROUNDS = 20
GROUP = "benchmark"
PREFIX = "websocket.send.benchmark!"
TEXT = json.dumps({"action": "chat", "payload": {"content": "hello", "tags": ["a", "b"]}})


def make_consumers() -> dict[str, Any]:
    """Return a plain and a typed consumer; each answers, or sends to the group what says so."""
    from pydantic import BaseModel

    from channels.generic.websockets import JsonWebsocketConsumer
    from channels.typed import BaseGroupMessage, BaseMessage, DjangoAuthenticator, TypedConsumer

    class Payload(BaseModel):
        content: str
        tags: list[str]

    class Chat(BaseMessage):
        action: Literal["chat"] = "chat"
        payload: Payload

    class Shout(BaseMessage):
        action: Literal["shout"] = "shout"
        payload: Payload

    class Heard(BaseGroupMessage):
        action: Literal["heard"] = "heard"
        payload: Payload

    class Plain(JsonWebsocketConsumer):
        def receive(self, content: Any, **kwargs: Any) -> None:
            if content["action"] == "shout":
                heard = {"action": "heard", "payload": content["payload"]}
                self.group_send(GROUP, heard, channel_layer=self.message.channel_layer)
            else:
                self.send(content)

    class PlainWithSession(Plain):
        http_user = True

        def receive(self, content: Any, **kwargs: Any) -> None:
            _ = self.message.channel_session.get("seen")
            super().receive(content)

    class Typed(TypedConsumer[Chat | Shout, None, Heard]):
        authenticator_class = DjangoAuthenticator
        log_received_message = log_sent_message = False

        def receive_message(self, message: Chat | Shout, **kwargs: Any) -> None:
            if isinstance(message, Shout):
                self.send_group_message(Heard(payload=message.payload), [GROUP], exclude_current=False)
            else:
                self.send_message(message)

    return {
        "JsonWebsocketConsumer": Plain,
        "JsonWebsocketConsumer, http_user": PlainWithSession,
        "TypedConsumer": Typed,
    }


class Runner(dispatch.Runner):
    """Dispatches messages of one connection."""

    def receive(self, text: str = TEXT) -> None:
        """Run one frame."""
        self.run("websocket.receive", {"path": "/", "text": text})


def per_call(action: Callable[[], Any], seconds: float) -> float:
    """Return microseconds of this process per call, of the round that was disturbed the least."""
    action()
    return min(_one_round(action, seconds / ROUNDS) for _ in range(ROUNDS))


def _one_round(action: Callable[[], Any], seconds: float) -> float:
    count, began = 0, time.process_time()
    while (took := time.process_time() - began) < seconds:
        action()
        count += 1
    return took / count * 1e6


def hand_over(layer: Any, members: list[str]) -> int:
    """Take what arrived and choose the frame of each member, as an interface process does."""
    from channels.interface.reading import read_websocket

    count = 0
    while count < len(members):
        for delivery in layer.receive_batch([PREFIX], 256, 1.0):
            read = read_websocket(delivery.content)
            count += sum(read.seen_by(channel, "7") is not None for channel in delivery.channels)
    return count


def run(seconds: float) -> dict[str, float]:
    """Return microseconds per message of each kind of consumer, answered and to the group."""
    from channels.layers.redis import RedisChannelLayer

    if not settings.configured:
        dispatch.configure()
    session_key = dispatch.log_in()
    consumers = make_consumers()
    results = {}
    for name, consumer in consumers.items():
        runner = Runner(consumer, session_key)
        runner.connect()
        results[f"{name}, answered"] = per_call(runner.receive, seconds)
    members = [f"{PREFIX}{number}" for number in range(MEMBERS)]
    shout = TEXT.replace("chat", "shout")
    with Services() as services:
        layer = RedisChannelLayer(hosts=[services.redis_url], capacity=50_000)
        for member in members:
            layer.group_add(GROUP, member)
        for name in ("JsonWebsocketConsumer, http_user", "TypedConsumer"):
            runner = Runner(consumers[name], session_key)
            runner.connect()
            runner.layer.channel_layer = layer
            runner.run = _without_answer(runner)  # type: ignore[method-assign]

            def shouted(runner: Runner = runner) -> None:
                runner.receive(shout)
                hand_over(layer, members)

            results[f"{name}, to {MEMBERS:,} members"] = per_call(shouted, seconds)
        layer.close()
    return results


def _without_answer(runner: Runner) -> Callable[[str, dict[str, Any]], None]:
    def run(channel: str, content: dict[str, Any]) -> None:
        from channels.dispatch import dispatch as run_consumer

        runner.order += 1
        content = {**content, "reply_channel": dispatch.REPLY_CHANNEL, "order": runner.order}
        run_consumer(runner.layer, channel, content, sender=type(runner))

    return run
