"""What hypothesis makes up for these tests: values as a client or a neighbour on the same server writes them.

``CHANNELS_FUZZ`` is how many examples each test tries; a few by default, thousands in ``tox -e fuzz``.
"""

import os
import time
from typing import Any

import msgpack
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from channels.layers.redis import codec

EXAMPLES = int(os.environ.get("CHANNELS_FUZZ", "0"))


def fuzz(examples: int) -> settings:
    """Return the profile of a test that tries ``examples`` where nothing else is asked for."""
    return settings(
        max_examples=EXAMPLES or examples,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


KEYS = st.sampled_from(
    [
        "reply_channel", "path", "order", "text", "bytes", "close", "accept", "subprotocol", "status", "reason",
        "headers", "content", "more_content", "body", "body_channel", "query_string", "root_path", "scheme", "method",
        "client", "server", "code", "cookies", "get", "paced", "closed", "identity", "texts_by_channel",
        "texts_by_identity", "response_window", "subprotocols", "event", "members", "original_channel", "taken",
        "__retries__", "__probe__", "__asgi_channel__", "__deliveries__", "stream", "payload", "http_version",
    ]
)  # fmt: skip
"""Keys that mean something to somebody."""

NAMES = st.sampled_from(
    ["a", "a!b", "a?b", "http.request", "websocket.send.x!y", "!", "?", "", "a b", "\0", "ä", "x" * 200, "a!b!c"]
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.sampled_from([0, 1, -1, 1000, 4000, 2**63 - 1, -(2**63), 2**64 - 1])
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | NAMES
)

VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS | st.text(max_size=3) | st.integers(0, 3) | st.binary(max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
"""What MessagePack can carry."""

CONTENTS = st.dictionaries(KEYS | st.text(max_size=3) | st.integers(0, 3) | st.binary(max_size=2), VALUES, max_size=8)
"""What an entry can hold and no process of ours would send."""

PAYLOADS = st.one_of(
    st.binary(max_size=40),
    VALUES.map(msgpack.packb),
    CONTENTS.map(msgpack.packb),
    st.sampled_from(
        [
            b"\x81\x90\xc0",  # A dict whose key is a list.
            b"\x81\x80\xc0",  # A dict whose key is a dict.
            b"\xd6\xff\xff\xff\xff\xff",  # A time.
            b"\x81\xa1a\xd7\xff" + b"\xff" * 8,  # A time that there is not.
            b"\x81\xa1a\xd4\x05x",  # A value of a type of somebody's own.
            b"\xdf\xff\xff\xff\xff",  # A dict said to be of four thousand million.
            b"\xc6\xff\xff\xff\xff",  # Bytes, likewise.
            b"\x81\xa1\xff\xc0",  # A key that is not text.
            b"\x81\xa1a" + b"\x91" * 500 + b"\xc0",  # A list in a list, and so on.
            b"\x81\xa1a" + b"\x91" * 5000 + b"\xc0",
            b"\x81\xa1a" + b"\x81\xa1a" * 900 + b"\xc0",
        ]
    ),
)

RECEIVERS = st.one_of(
    st.just(b""),
    st.binary(max_size=12),
    st.lists(st.sampled_from([b"", b"a", b"!", b"?", b"b!c", b" ", b"x" * 120, b"\n"]), max_size=4).map(b",".join),
)

FLAGS = st.sampled_from([0, codec.VIA_GROUP, codec.ENCRYPTED, codec.TICKET, codec.KEPT, 15, 255])


def _entry(flags: int, lifetime: int | None, receivers: bytes, payload: bytes) -> bytes:
    expires = 2**64 - 1 if lifetime is None else int(time.time() * 1000) + lifetime
    length = len(receivers).to_bytes(4, "big")
    return codec.make_head(flags) + expires.to_bytes(8, "big") + length + receivers + payload


ENTRIES: st.SearchStrategy[bytes] = st.one_of(
    st.binary(max_size=60),
    st.builds(_entry, FLAGS, st.sampled_from([60_000, -1, None]), RECEIVERS, PAYLOADS),
)
"""What may be found in a queue that somebody else can write to."""


MEMBERS = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [b"", b"!", b"a!", b"!a", b":group:g", b":alive:x!", b":stream:test", b"a b", b"x" * 500, b"\xff!a"]
    ),
)
"""What may be found in a group."""

TEXTS = st.one_of(st.binary(max_size=10), st.sampled_from([b"1e400", b"nan", b"-1", b"0", b"9" * 40, b" ", b"0x1"]))
"""What may stand where a number should."""

BLOBS = st.one_of(st.binary(max_size=20), PAYLOADS.map(lambda payload: b"\0\0" + payload))
"""What may be kept for a connection."""


def entry_of(content: Any, receivers: bytes = b"") -> bytes:
    """Return an entry that this layer reads, however odd the content."""
    return _entry(0, 60_000, receivers, msgpack.packb(content))


REPLIES = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (
            *("text", "bytes", "close", "accept", "subprotocol", "status", "reason", "headers", "content", "closed"),
            *("more_content", "paced", "identity", "texts_by_channel", "texts_by_identity", "__probe__"),
        ),
        VALUES,
    )
    | {
        "status": st.sampled_from([0, 99, 100, 101, 200, 204, 304, 599, 600, -1, 10**9]) | VALUES,
        "headers": st.lists(st.tuples(st.binary(max_size=6), st.binary(max_size=6)), max_size=3) | VALUES,
        "close": st.sampled_from([True, 1000, 1006, 3000, 4999, 5000, -1, 2**40]) | VALUES,
    },
)
"""What may be sent to a client: right, nearly right, and neither."""

HEADER = st.tuples(
    st.sampled_from(
        [
            b"cookie",
            b"host",
            b"origin",
            b"content-length",
            b"transfer-encoding",
            b"reply-channel",
            b"x_y",
            b"",
            b"daphne-root-path",
            b"x-forwarded-for",
            b"x-forwarded-proto",
            b"sec-websocket-protocol",
            b"\xff",
        ]
    ),
    st.binary(max_size=12) | st.sampled_from([b"-1", b"1" * 5000, b"0x10", b"a!b", b"\xb2", b"chunked", b"/other"]),
)

SCOPES = st.fixed_dictionaries(
    {},
    optional={
        "path": st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        "raw_path": st.binary(max_size=8) | st.sampled_from([b"/%ff", b"/%", b"/%00", b"/\xff"]),
        "query_string": st.binary(max_size=8),
        "headers": st.lists(HEADER, max_size=4),
        "client": st.none() | st.sampled_from([("", 0), ("::1%eth0", 1), ("::ffff:1.2.3.4", 1), ("x", None)]),
        "server": st.none() | st.just(("a", None)),
        "subprotocols": st.lists(st.text(st.characters(codec="ascii"), max_size=5), max_size=3),
        "extensions": st.none() | st.just({}) | st.just({"websocket.http.response": {}}),
        "http_version": st.sampled_from(["1.0", "1.1", "2", "9"]),
    },
)
"""Scopes of connections, as a server makes them."""

SOCKET_EVENTS = st.one_of(
    st.builds(lambda text: {"type": "websocket.receive", "text": text}, st.text(max_size=30)),
    st.builds(lambda data: {"type": "websocket.receive", "bytes": data}, st.binary(max_size=30)),
    st.builds(lambda text: {"type": "websocket.receive", "text": text, "bytes": None}, st.text(max_size=3)),
    st.just({"type": "websocket.receive"}),
    st.just({"type": "websocket.disconnect"}),
    st.just({"type": "websocket.disconnect", "code": None, "reason": "x"}),
)

"""Events of a socket, as a server reports them."""

BODY_EVENTS = st.builds(
    lambda body, more: {"type": "http.request", "body": body, "more_body": more}, st.binary(max_size=12), st.booleans()
) | st.sampled_from([{"type": "http.request"}, {"type": "http.disconnect"}])
"""Events of a request."""
