"""The shapes of messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import formats
from channels.exceptions import MalformedReply

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), values))
def test_copied_content_is_equal_and_shares_no_container(content):
    """A copy says the same, and no list or dict of it is the original's."""

    def containers(value):
        if isinstance(value, dict | list):
            yield id(value)
            for item in value.values() if isinstance(value, dict) else value:
                yield from containers(item)

    copied = formats.copy_content(content)
    assert copied == content
    assert not set(containers(copied)) & set(containers(content))


@pytest.mark.parametrize("data", [bytearray(b"x"), memoryview(b"x")])
def test_bytes_of_any_kind_are_copied_as_bytes(data):
    """So every layer carries what databases and buffers give."""
    copied = formats.copy_content({"bytes": data, "list": [data]})
    assert copied == {"bytes": b"x", "list": [b"x"]}
    assert type(copied["bytes"]) is bytes


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1013, 3000, 4999])
def test_close_codes_that_may_be_sent_are_read(code):
    """Codes an endpoint may send pass unchanged."""
    assert formats.read_close_code(code) == code


@pytest.mark.parametrize("code", [0, 1, 999, 1004, 1005, 1006, 1015, 2999, 5000, "1000", 1000.0, None])
def test_close_codes_that_may_not_be_sent_are_refused(code):
    """Reserved codes, and what is not a number, are an error where the user calls."""
    with pytest.raises(ValueError, match="invalid close code"):
        formats.read_close_code(code)


def test_true_closes_with_1000():
    """``close=True`` is the normal closure."""
    assert formats.read_close_code(True) == 1000


@pytest.mark.parametrize(
    ("content", "decides"),
    [
        ({"accept": True}, True),
        ({"accept": False}, True),
        ({"text": "hi"}, True),
        ({"bytes": b"hi"}, True),
        ({"close": True}, True),
        ({"close": 4000}, True),
        ({"text": ""}, False),
        ({"bytes": b""}, False),
        ({"close": False}, False),
    ],
)
def test_websocket_reply_decides_by_what_it_holds(content, decides):
    """Empty frames decide no handshake; everything else does."""
    assert formats.read_websocket_reply(content).decides is decides


def test_websocket_reply_ignores_what_belongs_to_received_messages():
    """A received message sent back whole is a text frame."""
    reply = formats.read_websocket_reply({"text": "hi", "path": "/", "order": 3, "reply_channel": "x!y", "bytes": None})
    assert reply == formats.WebsocketReply(text="hi")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"content": "hi"}, "Did you mean 'text'"),
        ({}, "none of the keys"),
        ({"text": "a", "bytes": b"a"}, "both text and bytes"),
        ({"text": b"a"}, "'text' .* must be str, not bytes"),
        ({"bytes": "a"}, "'bytes' .* must be bytes, not str"),
        ({"accept": True, "subprotocol": 1}, "subprotocol"),
    ],
)
def test_malformed_websocket_reply_says_what_is_wrong(content, reason):
    """The error names the key and the channel."""
    with pytest.raises(MalformedReply, match=reason):
        formats.read_websocket_reply(content)


def test_unsendable_close_code_in_a_raw_reply_becomes_1000():
    """The sender wanted the socket closed, so it is."""
    assert formats.read_websocket_reply({"close": 1006}).close == 1000


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"status": 99}, "from 100 to 599"),
        ({"status": "200"}, "'status' .* must be int"),
        ({"status": 200, "headers": [(b"a",)]}, "pair of bytes"),
        ({"status": 200, "headers": 5}, r"must be list \| tuple, not int"),
        ({"status": 200, "headers": {"a": "b"}}, r"must be list \| tuple, not dict"),
        ({"status": 200, "headers": [("a", "b")]}, "pair of bytes"),
        ({"status": 200, "headers": [(b"a", b"b\r\nc: d")]}, "line break"),
        ({"status": 200, "content": "text"}, "'content' .* must be bytes"),
    ],
)
def test_malformed_http_reply_says_what_is_wrong(content, reason):
    """The error names what cannot be sent."""
    with pytest.raises(MalformedReply, match=reason):
        formats.read_http_reply(content)


def test_underscore_headers_are_dropped_and_values_stripped():
    """A header that could pose as another one in META never enters a message."""
    scope = {"path": "/", "method": "get", "headers": [(b"X_Real", b"1"), (b"X-Ok", b"yes  ")]}
    content = formats.http_request(scope, reply_channel="http.response.a!b")
    assert content["headers"] == [[b"x-ok", b"yes"]]
    assert content["method"] == "GET"


def test_websocket_connect_carries_what_consumers_need():
    """Scheme, root path, subprotocols and order are there, as the format promises."""
    scope = {"path": "/c/", "scheme": "wss", "root_path": "/app", "subprotocols": ["a", "b"], "client": ("::1", 5)}
    content = formats.websocket_connect(scope, reply_channel="websocket.send.a!b")
    assert content == {
        "reply_channel": "websocket.send.a!b",
        "scheme": "wss",
        "path": "/c/",
        "query_string": b"",
        "root_path": "/app",
        "headers": [],
        "client": ["::1", 5],
        "server": None,
        "subprotocols": ["a", "b"],
        "order": 0,
    }


@pytest.mark.parametrize(("frame", "key"), [({"text": ""}, "text"), ({"data": b""}, "bytes")])
def test_websocket_receive_holds_exactly_one_kind_of_frame(frame, key):
    """The other key is absent, so that consumers can ask which one is there."""
    content = formats.websocket_receive(reply_channel="a!b", path="/", order=1, **frame)
    assert set(content) == {"reply_channel", "path", "order", key}
