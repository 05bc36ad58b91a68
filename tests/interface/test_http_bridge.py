"""The life of an HTTP request, input by input, without a server, a layer or a clock."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import counters, names
from channels.exceptions import ChannelFull, MessageTooLarge
from channels.interface.effects import Effects, ToClient, ToLayer
from channels.interface.http import HttpBridge
from channels.interface.limits import Limits
from channels.interface.states import RequestState as State

REPLY_CHANNEL = "http.response.process!connection"
BODY_CHANNEL = "http.request.body?1"
WHOLE = {"status": 200, "headers": [(b"Content-Type", b"text/plain")], "content": b"hello"}


def make_bridge(limits: Limits | None = None, **scope: Any) -> HttpBridge:
    """Return a bridge to which nothing has happened."""
    full = {"type": "http", "method": "POST", "path": "/form/", "headers": [], **scope}
    return HttpBridge(full, REPLY_CHANNEL, limits or Limits(), lambda pattern: f"{pattern}1")


def waiting(limits: Limits | None = None, **scope: Any) -> HttpBridge:
    """Return a bridge whose request, without a body, is on the layer."""
    bridge = make_bridge(limits, **scope)
    bridge.opened()
    bridge.client(piece(b""))
    return bridge


def answering() -> HttpBridge:
    """Return a bridge whose response has begun."""
    bridge = waiting()
    bridge.reply({"status": 200, "content": b"a", "more_content": True})
    return bridge


def piece(body: bytes, more_body: bool = False) -> dict[str, Any]:
    """Return the event of a piece of a body."""
    return {"type": "http.request", "body": body, "more_body": more_body}


def events(effects: Effects) -> list[Any]:
    """Return what ``effects`` tell the client."""
    return [effect.event for effect in effects if isinstance(effect, ToClient)]


def messages(effects: Effects) -> list[tuple[str, Any]]:
    """Return channel and content of what ``effects`` put on the layer."""
    return [(effect.channel, effect.content) for effect in effects if isinstance(effect, ToLayer)]


def channels(effects: Effects) -> list[str]:
    """Return the channels that ``effects`` send to."""
    return [channel for channel, _ in messages(effects)]


def status(effects: Effects) -> int:
    """Return the status of the response in ``effects``."""
    code: int = events(effects)[0]["status"]
    return code


def test_request_waits_for_its_whole_body() -> None:
    """Small bodies travel in the request's own message."""
    bridge = make_bridge()
    assert list(bridge.client(piece(b"ab", more_body=True))) == []
    ((channel, content),) = messages(bridge.client(piece(b"c")))
    assert (channel, content["body"], content["body_channel"]) == ("http.request", b"abc", None)


def test_method_is_in_upper_case() -> None:
    """Consumers compare it as it is."""
    ((_, content),) = messages(make_bridge(method="get").client(piece(b"")))
    assert content["method"] == "GET"


def test_long_body_follows_on_its_own_channel() -> None:
    """The first part goes with the request, the rest in parts no larger than the limit."""
    bridge = make_bridge(Limits(body_part_bytes=4))
    sent = messages(bridge.client(piece(b"abcdefghij", more_body=True)))
    sent += messages(bridge.client(piece(b"kl")))
    assert [(channel, content.get("body", content.get("content"))) for channel, content in sent] == [
        ("http.request", b"abcd"),
        (BODY_CHANNEL, b"efgh"),
        (BODY_CHANNEL, b"ijkl"),
    ]
    assert [content["more_content"] for _, content in sent[1:]] == [True, False]


def test_body_of_exactly_the_limit_needs_no_channel() -> None:
    """The boundary belongs to the first message."""
    ((_, content),) = messages(make_bridge(Limits(body_part_bytes=4)).client(piece(b"abcd")))
    assert content["body_channel"] is None


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=6), st.integers(1, 5))
def test_any_body_arrives_in_one_piece(pieces: list[bytes], limit: int) -> None:
    """However the client and the limit cut it, consumers can put it together, and know where it ends."""
    bridge = make_bridge(Limits(body_part_bytes=limit))
    sent: list[tuple[str, Any]] = []
    for number, body in enumerate(pieces, start=1):
        sent += messages(bridge.client(piece(body, more_body=number < len(pieces))))
    (_, request), *parts = sent
    assert request["body"] + b"".join(part["content"] for _, part in parts) == b"".join(pieces)
    assert [part["more_content"] for _, part in parts] == [True] * (len(parts) - 1) + [False] * bool(parts)
    assert (request["body_channel"] is not None) == bool(parts)
    assert [part["order"] for _, part in parts] == list(range(1, len(parts) + 1))


def test_announced_body_beyond_the_limit_gets_413_at_once() -> None:
    """Nothing of it needs to be read."""
    bridge = make_bridge(Limits(max_body_bytes=3), headers=[(b"content-length", b"4")])
    effects = bridge.opened()
    assert (status(effects), messages(effects)) == (413, [])


@pytest.mark.parametrize("length", [b"9" * 5000, b"0" * 5000 + b"4"])
def test_length_of_thousands_of_digits_is_too_long(length: bytes) -> None:
    """It is a number all the same, which Python would not read."""
    bridge = make_bridge(Limits(max_body_bytes=3), headers=[(b"content-length", length)])
    effects = bridge.opened()
    assert (status(effects), messages(effects)) == (413, [])


def test_growing_body_beyond_the_limit_gets_413() -> None:
    """Chunked bodies announce nothing."""
    bridge = make_bridge(Limits(max_body_bytes=3))
    bridge.client(piece(b"ab", more_body=True))
    effects = bridge.client(piece(b"cd", more_body=True))
    assert (status(effects), messages(effects)) == (413, [])


def test_body_too_large_after_its_request_was_sent_ends_both() -> None:
    """Its reader is told, as is whoever cleans up."""
    bridge = make_bridge(Limits(max_body_bytes=6, body_part_bytes=2))
    bridge.client(piece(b"abc", more_body=True))
    effects = bridge.client(piece(b"defg", more_body=True))
    assert (status(effects), channels(effects)) == (413, [BODY_CHANNEL, "http.disconnect"])


def test_client_gone_while_its_body_is_read_leaves_no_trace() -> None:
    """Nobody has heard of the request."""
    bridge = make_bridge()
    bridge.client(piece(b"ab", more_body=True))
    assert (list(bridge.client({"type": "http.disconnect"})), bridge.finished) == ([], True)


def test_client_gone_while_its_body_is_on_its_way_is_told_to_the_reader() -> None:
    """Whoever waits for the next part stops waiting."""
    bridge = make_bridge(Limits(body_part_bytes=2))
    bridge.client(piece(b"abc", more_body=True))
    (part, disconnect) = messages(bridge.client({"type": "http.disconnect"}))
    assert (part[0], part[1]["closed"], disconnect[0]) == (BODY_CHANNEL, True, "http.disconnect")


def test_complete_body_is_not_closed_at_the_end() -> None:
    """Once the last part is on the layer, its channel needs nothing more."""
    bridge = make_bridge(Limits(body_part_bytes=2))
    for effect in bridge.client(piece(b"abc")):
        assert isinstance(effect, ToLayer)
        bridge.sent(effect)
    assert channels(bridge.reply(WHOLE)) == ["http.disconnect"]


def test_whole_response_goes_out_and_the_request_ends() -> None:
    """Status, headers in lower case, body; then the disconnect."""
    bridge = waiting()
    effects = bridge.reply(WHOLE)
    assert events(effects) == [
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain"), (b"content-length", b"5")],
        },
        {"type": "http.response.body", "body": b"hello", "more_body": False},
    ]
    assert (channels(effects), bridge.state) == (["http.disconnect"], State.DONE)


@pytest.mark.parametrize(
    ("scope", "reply"),
    [
        ({"method": "HEAD"}, {"status": 200, "content": b""}),
        ({}, {"status": 304}),
        ({}, {"status": 204}),
        ({}, {"status": 200, "content": b"a", "more_content": True}),
    ],
)
def test_response_is_not_measured_where_its_length_is_unknown(scope: dict[str, Any], reply: dict[str, Any]) -> None:
    """A wrong content-length is worse than none."""
    assert events(waiting(**scope).reply(reply))[0]["headers"] == []


def test_response_that_says_its_length_is_believed() -> None:
    """A consumer that counts counts once."""
    reply = {"status": 200, "headers": [(b"Content-Length", b"2")], "content": b"ab"}
    assert events(waiting().reply(reply))[0]["headers"] == [(b"content-length", b"2")]


def test_response_in_chunks_goes_out_as_it_comes() -> None:
    """Every message is a piece of the body."""
    bridge = waiting()
    effects = [
        *bridge.reply({"status": 200, "content": b"a", "more_content": True}),
        *bridge.reply({"content": b"b", "more_content": True}),
        *bridge.reply({"content": b"", "more_content": False}),
    ]
    bodies = [(event["body"], event["more_body"]) for event in events(effects)[1:]]
    assert bodies == [(b"a", True), (b"b", True), (b"", False)]
    assert channels(effects) == ["http.disconnect"]


def test_group_delivery_answers_a_request() -> None:
    """Long polling answers through groups."""
    assert status(waiting().reply(WHOLE, via_group=True)) == 200


def test_refused_request_gets_503_with_retry_after() -> None:
    """A full queue is a reason to come back, and no reason to say goodbye."""
    bridge = make_bridge()
    (effect,) = bridge.client(piece(b""))
    assert isinstance(effect, ToLayer)
    effects = bridge.refused(effect, ChannelFull())
    assert (status(effects), messages(effects)) == (503, [])
    assert b"retry-after" in dict(events(effects)[0]["headers"])


def test_request_too_large_for_the_layer_gets_413() -> None:
    """Coming back would not help."""
    bridge = make_bridge()
    (effect,) = bridge.client(piece(b""))
    assert isinstance(effect, ToLayer)
    assert status(bridge.refused(effect, MessageTooLarge())) == 413


def test_expired_request_gets_503_and_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """The line says which channel, and how long was waited."""
    effects = waiting(Limits(http_timeout=7)).expired()
    assert (status(effects), channels(effects)) == (503, ["http.disconnect"])
    assert "http.request" in caplog.text
    assert "7 seconds" in caplog.text


def test_client_that_stops_sending_its_body_gets_408() -> None:
    """A body that never ends holds nothing for ever."""
    bridge = make_bridge()
    bridge.client(piece(b"a", more_body=True))
    assert status(bridge.expired()) == 408


def test_begun_response_has_no_deadline() -> None:
    """Streams may take as long as they like."""
    bridge = answering()
    assert bridge.deadline is None
    assert (list(bridge.expired()), bridge.state) == ([], State.ANSWERING)


def test_push_is_dropped_and_the_response_follows() -> None:
    """The draft has them for HTTP/2; clients of today do without."""
    bridge = waiting()
    assert list(bridge.reply({"request": {"method": "GET", "path": "/style.css"}})) == []
    assert status(bridge.reply(WHOLE)) == 200


@pytest.mark.parametrize(
    "reply", [{"content": b"x"}, {"status": "200"}, {"status": 99}, {"status": 200, "headers": [3]}]
)
def test_unreadable_first_reply_gets_500(reply: dict[str, Any]) -> None:
    """The client does not wait for what will not come."""
    effects = waiting().reply(reply)
    assert (status(effects), channels(effects)) == (500, ["http.disconnect"])


@pytest.mark.parametrize("reply", [{"status": 200}, {"content": "text"}])
def test_unreadable_further_reply_cuts_the_response(reply: dict[str, Any]) -> None:
    """A response with a hole must not look complete."""
    bridge = answering()
    effects = bridge.reply(reply)
    assert (events(effects), channels(effects), bridge.finished) == ([], ["http.disconnect"], True)


def test_response_that_is_broken_off_cuts_the_connection() -> None:
    """Without its last event, so that what the client has does not pass for the whole."""
    bridge = answering()
    before = counters.value("http.aborted.incomplete")
    effects = bridge.reply({"content": b"", "more_content": False, "closed": True})
    assert (events(effects), channels(effects)) == ([], ["http.disconnect"])
    assert bridge.finished
    assert counters.value("http.aborted.incomplete") == before + 1


def test_response_broken_off_before_it_began_gets_500() -> None:
    """Nothing better is to come."""
    assert status(waiting().reply({"content": b"", "more_content": False, "closed": True})) == 500


def test_response_that_lost_a_message_is_broken_off(caplog: pytest.LogCaptureFixture) -> None:
    """What the layer lost leaves a hole, and a response with a hole must not look complete."""
    bridge = waiting()
    bridge.reply({"status": 200, "content": b"a", "more_content": True, "order": 0})
    before = counters.value("http.aborted.incomplete")
    effects = bridge.reply({"content": b"c", "more_content": False, "order": 2})
    assert (events(effects), channels(effects), bridge.finished) == ([], ["http.disconnect"], True)
    assert counters.value("http.aborted.incomplete") == before + 1
    assert "what is missing is lost" in caplog.text


def test_response_that_lost_its_beginning_gets_500() -> None:
    """There is nothing to break off."""
    assert status(waiting().reply({"content": b"b", "more_content": True, "order": 1})) == 500


def test_response_whose_messages_are_counted_goes_out() -> None:
    """Nothing is missing."""
    bridge = waiting()
    effects: list[Any] = []
    for order, part in enumerate([b"a", b"b", b""]):
        start = {"status": 200} if order == 0 else {}
        effects += bridge.reply({**start, "content": part, "more_content": order < 2, "order": order})
    assert [event["body"] for event in events(effects)[1:]] == [b"a", b"b", b""]


def test_request_says_how_far_its_response_may_run_ahead() -> None:
    """Whoever makes it may pace himself."""
    bridge = make_bridge(Limits(response_window=3))
    ((_, content),) = messages(bridge.client(piece(b"")))
    assert content["response_window"] == 3


def test_client_gone_is_told_to_who_paces_his_response() -> None:
    """He may be waiting for it."""
    bridge = waiting()
    bridge.reply({"status": 200, "content": b"a", "more_content": True, "paced": True})
    told = messages(bridge.client({"type": "http.disconnect"}))
    assert (names.flow_channel(REPLY_CHANNEL), {"taken": 0, "closed": True}) in told


def test_loss_of_a_message_is_told_to_who_paces_his_response() -> None:
    """He would wait in vain for reports on what was lost."""
    bridge = waiting()
    bridge.reply({"status": 200, "content": b"a", "more_content": True, "paced": True, "order": 0})
    told = messages(bridge.reply({"content": b"c", "more_content": True, "paced": True, "order": 2}))
    assert (names.flow_channel(REPLY_CHANNEL), {"taken": 0, "closed": True}) in told


def test_client_gone_is_not_told_to_who_would_not_listen() -> None:
    """Nobody reads what is sent there."""
    assert channels(answering().client({"type": "http.disconnect"})) == ["http.disconnect"]


def test_late_reply_is_counted() -> None:
    """What nobody reads leaves a trace."""
    bridge = waiting()
    bridge.reply(WHOLE)
    before = counters.value("http.dropped.done")
    assert list(bridge.reply(WHOLE)) == []
    assert counters.value("http.dropped.done") == before + 1


@pytest.mark.parametrize("raw_path", [b"/caf\xe9", b"/%ff", b"/%c3%28?x"])
def test_path_that_is_not_utf8_gets_400_unseen(raw_path: bytes) -> None:
    """Consumers never see a path that nobody asked for."""
    effects = make_bridge(raw_path=raw_path).opened()
    assert (status(effects), messages(effects)) == (400, [])


@pytest.mark.parametrize("raw_path", [b"/caf%C3%A9", b"/a?x=%ff", b"/%41"])
def test_path_in_utf8_is_taken(raw_path: bytes) -> None:
    """What follows the question mark is not the path's business."""
    assert list(make_bridge(raw_path=raw_path).opened()) == []


def test_http_timeout_can_be_turned_off() -> None:
    """-1 is no limit."""
    assert waiting(Limits(http_timeout=-1)).deadline is None


INPUTS = st.lists(
    st.one_of(
        st.tuples(st.just("piece"), st.tuples(st.binary(max_size=5), st.booleans())),
        st.tuples(
            st.just("reply"),
            st.fixed_dictionaries(
                {},
                optional={
                    "status": st.just(200),
                    "content": st.just(b"x"),
                    "more_content": st.booleans(),
                    "closed": st.booleans(),
                    "paced": st.booleans(),
                },
            ),
        ),
        st.tuples(st.sampled_from(["expired", "gone"]), st.none()),
    ),
    max_size=10,
)


@given(INPUTS)
def test_any_life_speaks_to_the_server_in_order(inputs: list[Any]) -> None:
    """One start, then bodies, and nothing after the last; one disconnect at most, and only after a request."""
    bridge = make_bridge(Limits(body_part_bytes=3, max_body_bytes=12))
    effects: list[Any] = [*bridge.opened()]
    for kind, value in inputs:
        if kind == "piece":
            effects += bridge.client(piece(*value))
        elif kind == "reply":
            effects += bridge.reply(value)
        else:
            effects += bridge.expired() if kind == "expired" else bridge.client({"type": "http.disconnect"})
    effects += bridge.client({"type": "http.disconnect"})
    types = [event["type"] for event in events(effects)]
    assert "http.response.start" not in types[1:]
    assert all(event["more_body"] for event in events(effects)[1:-1])
    assert channels(effects).count("http.disconnect") == channels(effects).count("http.request")


def test_bridge_wants_the_rest_of_a_long_body_after_its_request_was_sent() -> None:
    """Its driver goes on reading."""
    bridge = make_bridge(Limits(body_part_bytes=2))
    bridge.client(piece(b"abc", more_body=True))
    assert bridge.wants_body
    bridge.client(piece(b"d"))
    assert not bridge.wants_body
