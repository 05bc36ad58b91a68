"""The life of a WebSocket, input by input, without a server, a layer or a clock."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import counters
from channels.exceptions import ChannelFull, LayerUnavailable, MalformedReply, MessageTooLarge
from channels.interface.effects import Effects, ToClient, ToLayer
from channels.interface.limits import Limits
from channels.interface.reading import read_websocket
from channels.interface.states import SocketState as State
from channels.interface.websocket import WebsocketBridge

REPLY_CHANNEL = "websocket.send.process!connection"
ACCEPT = {"type": "websocket.accept", "subprotocol": None, "headers": []}
DENY = {"type": "websocket.close", "code": 1000, "reason": ""}
DENIAL_EXTENSION = {"websocket.http.response": {}}


def make_bridge(limits: Limits | None = None, **scope: Any) -> WebsocketBridge:
    """Return a bridge to which nothing has happened."""
    return WebsocketBridge({"type": "websocket", "path": "/chat/", **scope}, REPLY_CHANNEL, limits or Limits())


def connecting(limits: Limits | None = None, **scope: Any) -> WebsocketBridge:
    """Return a bridge whose connect message is on the layer."""
    bridge = make_bridge(limits, **scope)
    settle(bridge, bridge.opened())
    return bridge


def opened(limits: Limits | None = None, **scope: Any) -> WebsocketBridge:
    """Return a bridge whose handshake was accepted."""
    bridge = connecting(limits, **scope)
    bridge.reply({"accept": True})
    return bridge


def settle(bridge: WebsocketBridge, effects: Effects) -> list[Any]:
    """Have the layer take every message of ``effects``; return all effects that come of it."""
    done: list[Any] = []
    for effect in effects:
        done.append(effect)
        if isinstance(effect, ToLayer):
            done += bridge.sent(effect)
    return done


def events(effects: Effects) -> list[Any]:
    """Return what ``effects`` tell the client."""
    return [effect.event for effect in effects if isinstance(effect, ToClient)]


def messages(effects: Effects) -> list[tuple[str, Any]]:
    """Return channel and content of what ``effects`` put on the layer."""
    return [(effect.channel, effect.content) for effect in effects if isinstance(effect, ToLayer)]


def frame(text: str) -> dict[str, Any]:
    """Return the event of a text frame that the client sent."""
    return {"type": "websocket.receive", "text": text}


def disconnects(effects: Effects) -> list[dict[str, Any]]:
    """Return the contents of the disconnect messages in ``effects``."""
    return [content for channel, content in messages(effects) if channel == "websocket.disconnect"]


def test_opened_puts_connect_with_order_0_on_the_layer() -> None:
    """The first message of a socket is its connect."""
    ((channel, content),) = messages(make_bridge(subprotocols=["a"], query_string=b"x=1").opened())
    assert channel == "websocket.connect"
    assert (content["order"], content["subprotocols"], content["query_string"]) == (0, ["a"], b"x=1")


def test_root_path_of_the_limits_stands_in_for_that_of_the_server() -> None:
    """Servers that know of no root path leave it to the setting."""
    ((_, content),) = messages(make_bridge(Limits(root_path="/app")).opened())
    assert content["root_path"] == "/app"


def test_root_path_of_the_server_comes_first() -> None:
    """What the server says about a connection wins over the setting."""
    ((_, content),) = messages(make_bridge(Limits(root_path="/app"), root_path="/server").opened())
    assert content["root_path"] == "/server"


@pytest.mark.parametrize(
    ("reply", "expected", "state"),
    [
        ({"accept": True}, [ACCEPT], State.OPEN),
        ({"accept": True, "text": "hi"}, [ACCEPT, {"type": "websocket.send", "text": "hi"}], State.OPEN),
        ({"accept": True, "text": ""}, [ACCEPT, {"type": "websocket.send", "text": ""}], State.OPEN),
        (
            {"accept": True, "bytes": b"x", "close": 4000},
            [
                ACCEPT,
                {"type": "websocket.send", "bytes": b"x"},
                {"type": "websocket.close", "code": 4000, "reason": ""},
            ],
            State.CLOSED,
        ),
        (
            {"accept": True, "close": True},
            [ACCEPT, {"type": "websocket.close", "code": 1000, "reason": ""}],
            State.CLOSED,
        ),
        ({"text": "hi"}, [ACCEPT, {"type": "websocket.send", "text": "hi"}], State.OPEN),
        ({"bytes": b"hi"}, [ACCEPT, {"type": "websocket.send", "bytes": b"hi"}], State.OPEN),
        (
            {"text": "hi", "close": True},
            [
                ACCEPT,
                {"type": "websocket.send", "text": "hi"},
                {"type": "websocket.close", "code": 1000, "reason": ""},
            ],
            State.CLOSED,
        ),
        ({"accept": False, "text": "hi"}, [DENY], State.CLOSED),
        ({"close": True}, [DENY], State.CLOSED),
        ({"close": 4000}, [DENY], State.CLOSED),
        ({"text": "", "close": True}, [DENY], State.CLOSED),
        ({"text": ""}, [], State.CONNECTING),
        ({"bytes": b""}, [], State.CONNECTING),
        ({"close": False}, [], State.CONNECTING),
        ({"accept": True, "path": "/chat/", "order": 3}, [ACCEPT], State.OPEN),
    ],
)
def test_reply_decides_the_handshake(reply: dict[str, Any], expected: list[Any], state: State) -> None:
    """The table of the message format, row by row."""
    bridge = connecting()
    assert (events(bridge.reply(reply)), bridge.state) == (expected, state)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({"text": "hi"}, [{"type": "websocket.send", "text": "hi"}]),
        ({"text": ""}, [{"type": "websocket.send", "text": ""}]),
        ({"bytes": b""}, [{"type": "websocket.send", "bytes": b""}]),
        ({"accept": True}, []),
        ({"accept": False}, []),
        ({"close": 4001}, [{"type": "websocket.close", "code": 4001, "reason": ""}]),
        ({"close": 2999}, [{"type": "websocket.close", "code": 1000, "reason": ""}]),
        (
            {"text": "bye", "close": True},
            [{"type": "websocket.send", "text": "bye"}, {"type": "websocket.close", "code": 1000, "reason": ""}],
        ),
        ({"text": "echo", "reply_channel": "x", "order": 1}, [{"type": "websocket.send", "text": "echo"}]),
    ],
)
def test_reply_to_an_open_socket(reply: dict[str, Any], expected: list[Any]) -> None:
    """Data first, then the close; accept has nothing left to decide."""
    assert events(opened().reply(reply)) == expected


@pytest.mark.parametrize(("code", "dropped"), [(2999, 1), (1006, 1), ("4001", 1), (True, 0), (1000, 0), (4001, 0)])
def test_close_code_that_may_not_be_sent_is_logged(code: Any, dropped: int, caplog: pytest.LogCaptureFixture) -> None:
    """And counted, as its sender would not learn of it otherwise."""
    before = counters.value("websocket.dropped.close_code")
    opened().reply({"close": code})
    assert counters.value("websocket.dropped.close_code") == before + dropped
    assert [record.levelname for record in caplog.records] == ["WARNING"] * dropped
    assert all(repr(code) in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("reply", [{"text": "a", "bytes": b"b"}, {"content": "x"}, {}, {"text": 3}])
@pytest.mark.parametrize("make", [connecting, opened])
def test_malformed_reply_changes_nothing(make: Any, reply: dict[str, Any]) -> None:
    """One bad message does not cost its sender the socket."""
    bridge = make()
    state = bridge.state
    assert (list(bridge.reply(reply)), bridge.state) == ([], state)


def test_frames_are_numbered_from_1() -> None:
    """Connect has order 0, frames follow."""
    bridge = opened()
    orders = [messages(settle(bridge, bridge.client(frame(text))))[0][1]["order"] for text in "abc"]
    assert orders == [1, 2, 3]


def test_binary_frame_carries_bytes_only() -> None:
    """Exactly one of text and bytes is there."""
    ((_, content),) = messages(opened().client({"type": "websocket.receive", "bytes": b"x", "text": None}))
    assert content["bytes"] == b"x"
    assert "text" not in content


def test_disconnect_follows_the_last_frame() -> None:
    """The order of the disconnect is one more than that of the last frame; its code is the client's."""
    bridge = opened()
    settle(bridge, bridge.client(frame("a")))
    ((channel, content),) = messages(bridge.client({"type": "websocket.disconnect", "code": 1001}))
    assert (channel, content["order"], content["code"]) == ("websocket.disconnect", 2, 1001)


def test_second_disconnect_of_the_server_is_ignored() -> None:
    """Servers report the end of a socket that the application closed, too."""
    bridge = opened()
    bridge.reply({"close": True})
    assert list(bridge.client({"type": "websocket.disconnect", "code": 1000})) == []


@pytest.mark.parametrize("reply", [{"close": True}, {"accept": False}])
def test_refused_handshake_is_followed_by_disconnect_with_order_1(reply: dict[str, Any]) -> None:
    """Consumers clean up after refused handshakes as well."""
    ((channel, content),) = messages(connecting().reply(reply))
    assert (channel, content["order"]) == ("websocket.disconnect", 1)


def test_expired_handshake_is_refused() -> None:
    """Nobody decided in time."""
    bridge = connecting()
    effects = bridge.expired()
    assert (events(effects), bridge.state, len(disconnects(effects))) == ([DENY], State.CLOSED, 1)


def test_expired_handshake_is_logged_with_its_path(caplog: pytest.LogCaptureFixture) -> None:
    """An operator can tell a timeout from a refusal."""
    connecting().expired()
    assert "/chat/" in caplog.text


def test_expired_socket_is_closed_with_1000() -> None:
    """Every socket has a longest life."""
    effects = opened().expired()
    assert events(effects) == [{"type": "websocket.close", "code": 1000, "reason": ""}]
    assert disconnects(effects)[0]["code"] == 1000


def test_refused_connect_is_denied_and_owes_no_disconnect() -> None:
    """Nobody has heard of this socket."""
    bridge = make_bridge()
    (effect,) = bridge.opened()
    assert isinstance(effect, ToLayer)
    assert list(bridge.refused(effect, ChannelFull())) == [ToClient(DENY)]


def test_refused_connect_is_denied_with_503_where_the_server_can() -> None:
    """The denial extension carries the status."""
    bridge = make_bridge(extensions=DENIAL_EXTENSION)
    (effect,) = bridge.opened()
    assert isinstance(effect, ToLayer)
    assert events(bridge.refused(effect, LayerUnavailable()))[0]["status"] == 503


@pytest.mark.parametrize(
    ("error", "code"), [(ChannelFull(), 1013), (LayerUnavailable(), 1013), (MessageTooLarge(), 1009)]
)
def test_refused_frame_closes_the_socket(error: Exception, code: int) -> None:
    """A socket that lost a frame must not go on as if nothing had happened."""
    bridge = opened()
    (effect,) = bridge.client(frame("a"))
    assert isinstance(effect, ToLayer)
    assert events(bridge.refused(effect, error)) == [{"type": "websocket.close", "code": code, "reason": ""}]


def test_disconnect_after_a_refused_frame_leaves_no_gap_in_the_orders() -> None:
    """Ordered consumers would wait for the missing number."""
    bridge = opened()
    settle(bridge, bridge.client(frame("a")))
    (effect,) = bridge.client(frame("b"))
    assert isinstance(effect, ToLayer)
    assert disconnects(bridge.refused(effect, ChannelFull()))[0]["order"] == 2


def test_disconnect_after_a_frame_that_may_have_been_taken_comes_after_it() -> None:
    """With the same order one of the two would be taken for a copy and never run."""
    bridge = opened()
    (effect,) = bridge.client(frame("a"))
    assert isinstance(effect, ToLayer)
    assert disconnects(bridge.refused(effect, LayerUnavailable()))[0]["order"] == 2


@pytest.mark.parametrize("was_asked", [True, False])
def test_connect_that_may_have_been_taken_owes_a_disconnect(was_asked: bool) -> None:
    """Its consumer may have run; one that certainly did not run need not clean up."""
    bridge = make_bridge()
    (effect,) = bridge.opened()
    assert isinstance(effect, ToLayer)
    error = LayerUnavailable()
    error.was_asked = was_asked
    assert len(disconnects(bridge.refused(effect, error))) == was_asked


def test_disconnect_waits_for_the_frame_in_flight() -> None:
    """A close while a frame is on its way says goodbye after it, with the next order."""
    bridge = opened()
    (effect,) = bridge.client(frame("a"))
    assert isinstance(effect, ToLayer)
    assert disconnects(bridge.reply({"close": True})) == []
    assert disconnects(bridge.sent(effect))[0]["order"] == 2


def test_frame_refused_after_the_close_gives_its_order_back() -> None:
    """The disconnect takes the place of the frame that did not fit."""
    bridge = opened()
    (effect,) = bridge.client(frame("a"))
    assert isinstance(effect, ToLayer)
    bridge.reply({"close": True})
    assert disconnects(bridge.refused(effect, ChannelFull()))[0]["order"] == 1


def test_group_delivery_does_not_accept() -> None:
    """A broadcast must not let in a client that the application is about to refuse."""
    bridge = connecting()
    assert (list(bridge.reply({"text": "news"}, via_group=True)), bridge.state) == ([], State.CONNECTING)


def test_group_delivery_does_not_refuse() -> None:
    """Nor may it turn one away."""
    bridge = connecting()
    bridge.reply({"close": True}, via_group=True)
    assert bridge.state is State.CONNECTING


def test_held_group_deliveries_follow_the_accept_in_order() -> None:
    """They arrived before what accepted, so they are shown before its data."""
    bridge = connecting()
    for text in "ab":
        bridge.reply({"text": text}, via_group=True)
    texts = [event.get("text") for event in events(bridge.reply({"accept": True, "text": "c"}))]
    assert texts == [None, "a", "b", "c"]


def test_held_group_delivery_may_close_the_accepted_socket() -> None:
    """A close to the whole group holds for who joined during the handshake."""
    bridge = connecting()
    bridge.reply({"close": 4000}, via_group=True)
    effects = bridge.reply({"accept": True})
    assert [event["type"] for event in events(effects)] == ["websocket.accept", "websocket.close"]
    assert len(disconnects(effects)) == 1


def test_held_group_deliveries_are_dropped_and_counted_with_the_refusal() -> None:
    """Nobody is there to read them."""
    bridge = connecting()
    for text in "abc":
        bridge.reply({"text": text}, via_group=True)
    before = counters.value("websocket.dropped.handshake")
    assert events(bridge.reply({"accept": False})) == [DENY]
    assert counters.value("websocket.dropped.handshake") == before + 3


def test_held_group_deliveries_are_bounded() -> None:
    """A slow decision does not fill the memory."""
    bridge = connecting(Limits(held_deliveries=2))
    for text in "abc":
        bridge.reply({"text": text}, via_group=True)
    texts = [event.get("text") for event in events(bridge.reply({"accept": True}))]
    assert texts == [None, "a", "b"]


@pytest.mark.parametrize(
    ("reply", "offered", "spoken", "chosen"),
    [
        ({"accept": True}, ["a", "b"], ["b", "a"], "a"),
        ({"accept": True}, ["x", "b"], ["b", "a"], "b"),
        ({"accept": True}, ["x"], ["a"], None),
        ({"accept": True, "subprotocol": "x"}, ["a", "x"], ["a"], "x"),
        ({"accept": True, "subprotocol": "y"}, ["a", "x"], ["a"], None),
        ({"text": "hi"}, ["a"], ["a"], "a"),
    ],
)
def test_subprotocol(reply: dict[str, Any], offered: list[str], spoken: list[str], chosen: str | None) -> None:
    """The reply's, else the first offered that the site speaks; never one that was not offered."""
    bridge = connecting(Limits(subprotocols=spoken), subprotocols=offered)
    assert events(bridge.reply(reply))[0]["subprotocol"] == chosen


def test_denial_carries_status_and_reason_where_the_server_can() -> None:
    """The denial extension makes a response of the refusal."""
    start, body = events(
        connecting(extensions=DENIAL_EXTENSION).reply({"close": True, "status": 401, "reason": "Log in first"})
    )
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)
    assert body["body"] == b"Log in first"


@pytest.mark.parametrize("status", [-1, 0, 99, 101, 204, 302, 600, 10**9])
def test_denial_with_a_status_that_does_not_refuse_is_403(status: int) -> None:
    """A server would fail with it."""
    before = counters.value("websocket.dropped.status")
    effects = connecting(extensions=DENIAL_EXTENSION).reply({"close": True, "status": status})
    assert events(effects) == [{"type": "websocket.close", "code": 1000, "reason": ""}]
    assert counters.value("websocket.dropped.status") == before + 1


def test_denial_without_the_extension_is_a_plain_close() -> None:
    """Which servers turn into 403."""
    assert events(connecting().reply({"close": True, "status": 401})) == [DENY]


def test_path_that_is_not_utf8_is_denied_unseen() -> None:
    """Consumers never see a path that nobody asked for."""
    bridge = make_bridge(raw_path=b"/%ff", extensions=DENIAL_EXTENSION)
    effects = bridge.opened()
    assert (messages(effects), events(effects)[0]["status"]) == ([], 400)


def test_deadlines_of_the_states() -> None:
    """The handshake and the open socket have one each, the closed none."""
    limits = Limits(websocket_connect_timeout=5, websocket_timeout=60)
    bridge = connecting(limits)
    deadlines = [bridge.deadline]
    bridge.reply({"accept": True})
    deadlines.append(bridge.deadline)
    bridge.reply({"close": True})
    assert [*deadlines, bridge.deadline] == [5, 60, None]


def test_deadlines_can_be_turned_off() -> None:
    """-1 is no limit."""
    bridge = connecting(Limits(websocket_connect_timeout=-1, websocket_timeout=-1))
    deadlines = [bridge.deadline]
    bridge.reply({"accept": True})
    assert [*deadlines, bridge.deadline] == [None, None]


def test_late_reply_is_counted() -> None:
    """What nobody reads leaves a trace."""
    bridge = opened()
    bridge.reply({"close": True})
    before = counters.value("websocket.dropped.closed")
    assert list(bridge.reply({"text": "late"})) == []
    assert counters.value("websocket.dropped.closed") == before + 1


def test_reply_read_once_gives_every_socket_the_same_event() -> None:
    """A broadcast builds its event once."""
    reply = read_websocket({"text": "news"})
    (first,), (second,) = (opened().reply(reply, via_group=True) for _ in range(2))
    assert first is second


REPLIES = st.fixed_dictionaries(
    {},
    optional={
        "text": st.text(max_size=3),
        "bytes": st.binary(max_size=3),
        "close": st.sampled_from([True, False, 1000, 4000, 7]),
        "accept": st.booleans(),
    },
)
INPUTS = st.one_of(
    st.tuples(st.just("frame"), st.text(max_size=3)),
    st.tuples(st.just("reply"), REPLIES),
    st.tuples(st.just("group"), REPLIES),
    st.tuples(st.sampled_from(["expired", "gone"]), st.none()),
)


def play(bridge: WebsocketBridge, inputs: list[Any], outcomes: list[bool]) -> list[Any]:
    """Give ``inputs`` to ``bridge``, with the layer taking messages as ``outcomes`` say; return all effects."""
    pending = list(outcomes)
    done: list[Any] = []

    def follow(effects: Effects) -> None:
        for effect in effects:
            done.append(effect)
            if isinstance(effect, ToLayer) and effect.channel != "websocket.disconnect":
                took = pending.pop(0) if pending else True
                if not took:
                    done.remove(effect)
                follow(bridge.sent(effect) if took else bridge.refused(effect, ChannelFull()))

    follow(bridge.opened())
    for kind, value in inputs:
        if kind == "frame" and bridge.state is State.OPEN:
            follow(bridge.client(frame(value)))
        elif kind in ("reply", "group"):
            follow(bridge.reply(value, via_group=kind == "group"))
        elif kind == "expired":
            follow(bridge.expired())
        elif kind == "gone":
            follow(bridge.client({"type": "websocket.disconnect", "code": 1001}))
    follow(bridge.client({"type": "websocket.disconnect", "code": 1001}))
    return done


@given(st.lists(INPUTS, max_size=12), st.lists(st.booleans(), max_size=6))
def test_any_life_ends_with_one_disconnect_per_connect(inputs: list[Any], outcomes: list[bool]) -> None:
    """Exactly one if its connect is on the layer, none otherwise, whatever happens in between."""
    effects = play(make_bridge(), inputs, outcomes)
    channels = [effect.channel for effect in effects if isinstance(effect, ToLayer)]
    assert channels.count("websocket.disconnect") == channels.count("websocket.connect")


@given(st.lists(INPUTS, max_size=12), st.lists(st.booleans(), max_size=6))
def test_any_life_numbers_its_messages_without_gaps(inputs: list[Any], outcomes: list[bool]) -> None:
    """Whoever keeps messages in order never waits in vain."""
    effects = play(make_bridge(), inputs, outcomes)
    orders = [effect.content["order"] for effect in effects if isinstance(effect, ToLayer)]
    assert orders == list(range(len(orders)))


@given(st.lists(INPUTS, max_size=12), st.lists(st.booleans(), max_size=6))
def test_any_life_speaks_to_the_server_in_order(inputs: list[Any], outcomes: list[bool]) -> None:
    """Accept at most once and first, nothing after a close."""
    types = [event["type"] for event in events(play(make_bridge(), inputs, outcomes))]
    assert types.count("websocket.accept") <= 1
    assert types.count("websocket.close") <= 1
    assert "websocket.accept" not in types[1:]
    assert "websocket.close" not in types[:-1]


# Limits


@pytest.mark.parametrize("sent", [{"text": "ab"}, {"text": "\u00e4"}, {"bytes": b"ab"}])
def test_frame_of_the_largest_size_passes(sent: dict[str, Any]) -> None:
    """Text counts as the bytes that were sent."""
    bridge = opened(Limits(max_frame_bytes=2))
    (effect,) = bridge.client({"type": "websocket.receive", **sent})
    assert isinstance(effect, ToLayer)


@pytest.mark.parametrize("sent", [{"text": "abc"}, {"text": "\u00e4\u00e4"}, {"bytes": b"abc"}])
def test_larger_frame_closes_the_socket(sent: dict[str, Any]) -> None:
    """With 1009; no consumer sees it, and the disconnect takes its order."""
    bridge = opened(Limits(max_frame_bytes=2))
    before = counters.value("websocket.closed.size")
    effects = bridge.client({"type": "websocket.receive", **sent})
    assert [event["code"] for event in events(effects)] == [1009]
    assert [(content["code"], content["order"]) for content in disconnects(effects)] == [(1009, 1)]
    assert counters.value("websocket.closed.size") == before + 1


def test_client_that_sends_too_often_is_closed() -> None:
    """With 1008."""
    bridge = opened()
    assert [event["code"] for event in events(bridge.overrun())] == [1008]


def test_dismissed_client_is_asked_to_come_back() -> None:
    """With 1012, once, and consumers hear of it."""
    bridge = opened()
    effects = [*bridge.dismissed("drain"), *bridge.dismissed("drain")]
    assert [event["code"] for event in events(effects)] == [1012]
    assert [content["code"] for content in disconnects(effects)] == [1012]


def heard(bridge: WebsocketBridge, **content: Any) -> list[Any]:
    """Return the texts that the client gets of a message to a group."""
    return [event["text"] for event in events(bridge.reply({"text": "theirs", **content}, via_group=True))]


def test_member_hears_its_own_part_of_a_group_message() -> None:
    """By its channel first, then by its identity, else what most members hear."""
    bridge = opened()
    assert heard(bridge, texts_by_identity={"ada": "hers"}) == ["theirs"]
    bridge.reply({"text": "welcome", "identity": "ada"})
    assert heard(bridge, texts_by_identity={"ada": "hers"}) == ["hers"]
    assert heard(bridge, texts_by_identity={"bob": "his"}) == ["theirs"]
    assert heard(bridge, texts_by_identity={"ada": "hers"}, texts_by_channel={REPLY_CHANNEL: "own"}) == ["own"]
    assert heard(bridge, texts_by_channel={REPLY_CHANNEL: None}) == []


def test_part_of_a_held_group_message_is_chosen_when_the_client_is_known() -> None:
    """A message that comes during the handshake is heard by whom the accepting reply names."""
    bridge = connecting()
    assert heard(bridge, texts_by_identity={"ada": "hers"}) == []
    assert events(bridge.reply({"accept": True, "identity": "ada"}))[1:] == [{"type": "websocket.send", "text": "hers"}]


def test_group_message_gives_nobody_an_identity() -> None:
    """Only a reply to the one socket does."""
    bridge = opened()
    heard(bridge, identity="ada")
    assert heard(bridge, texts_by_identity={"ada": "hers"}) == ["theirs"]


@pytest.mark.parametrize("wrong", [{"texts_by_channel": ["a"]}, {"texts_by_identity": {"a": 1}}, {"identity": 7}])
def test_malformed_variants_are_refused(wrong: dict[str, Any]) -> None:
    """A message whose variants cannot be read is no reply."""
    with pytest.raises(MalformedReply):
        read_websocket({"text": "theirs", **wrong})
