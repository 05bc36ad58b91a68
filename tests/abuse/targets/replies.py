"""What consumers, or those who can write to their layer, send to clients."""

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from channels import probes
from channels.interface.http import HttpBridge
from channels.interface.limits import Limits
from channels.interface.websocket import WebsocketBridge
from channels.names import require_channel_name
from tests.abuse.strategies import CONTENTS, REPLIES, VALUES
from tests.abuse.target import Check, target
from tests.abuse.targets.events import check_response, check_socket, to_client
from tests.support.connection import make_layer

DENIAL = {"websocket.http.response": {}}


@target(st.tuples(st.booleans(), st.lists(st.tuples(REPLIES | CONTENTS, st.booleans()), max_size=4)))
def websocket_replies() -> Iterator[Check]:
    """Messages for a socket, of its own or of a group, during the handshake and after it."""

    def check(value: Any) -> None:
        can_deny, replies = value
        scope = {"path": "/", "subprotocols": ["a"], "extensions": DENIAL if can_deny else None}
        bridge = WebsocketBridge(scope, "websocket.send.x!y", Limits(held_deliveries=2))
        effects = [*bridge.opened()]
        effects += bridge.sent(effects[0])  # type: ignore[arg-type]
        for content, via_group in replies:
            effects += bridge.reply(content, via_group)
        check_socket(to_client(effects))

    yield check


@target(st.lists(REPLIES | CONTENTS, max_size=4))
def http_replies() -> Iterator[Check]:
    """Messages for a request: the client gets a response that is well-formed, or none."""

    def check(contents: Any) -> None:
        bridge = HttpBridge({"method": "GET", "path": "/"}, "http.response.x!y", Limits(), make_layer().new_channel)
        effects = [*bridge.opened(), *bridge.client({"type": "http.request"})]
        for content in contents:
            effects += bridge.reply(content)
        check_response(to_client(effects))

    yield check


@target(VALUES | st.fixed_dictionaries({"reply": VALUES | st.text().map("probe.answer?{}".format), "number": VALUES}))
def forged_probes() -> Iterator[Check]:
    """Probes that nobody of ours sent: an answer goes to a channel for answers, or nowhere."""

    def check(value: Any) -> None:
        answer = probes.answer_to("test", {probes.PROBE: value})
        if answer is not None:
            assert answer[0].startswith(probes.ANSWER_PATTERN)
            try:
                require_channel_name(answer[0])
            except TypeError:  # As who sends it finds out.
                return

    yield check
