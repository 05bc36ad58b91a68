"""Names of channels and groups that nobody who sees the server can read."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from channels.layers.redis import RedisChannelLayer
from tests.support.layers import making
from tests.support.redis import RedisServer

Make = Callable[..., RedisChannelLayer]


@pytest.fixture
def make_layer(redis_url: str) -> Iterator[Make]:
    """A function that makes layers with hidden names on one empty server."""
    secrets: dict[str, Any] = {"symmetric_encryption_keys": ["old"], "name_key": "names"}
    with making(RedisChannelLayer, hosts=[redis_url], **secrets) as make:
        yield make


def everything(server: RedisServer) -> bytes:
    """Return all keys and values of ``server``."""
    found = b""
    with server.client() as client:
        for key in client.keys("*"):
            found += key + b"=" + (client.dump(key) or b"") + b"\n"
    return found


def test_names_are_nowhere_to_be_read(make_layer: Make, redis_server: RedisServer) -> None:
    """Neither in keys nor in what they hold, nor what messages say; only what follows a ``!`` can be."""
    layer = make_layer(delivery={"orders.*": "at-least-once"})
    for channel in ("secret.normal", "secret.single?reader", "secret.process!here", "orders.secret"):
        layer.send(channel, {"text": "secret"})
        layer.group_add("secret.group", channel)
    layer.receive(["secret.process!"])
    layer.send_group("secret.group", {"text": "secret"})
    layer.global_statistics()
    found = everything(redis_server)
    assert b"secret" not in found
    assert b"orders" not in found
    assert b"here" in found


def test_messages_and_memberships_are_found(make_layer: Make) -> None:
    """By every process that has the secret; inspection shows readable names."""
    layer, other = make_layer(), make_layer()
    layer.group_add("group", "test.p!one")
    layer.send("test.normal", {"n": 1})
    other.send_group("group", {"n": 2})
    assert other.receive(["test.normal"]) == ("test.normal", {"n": 1})
    assert layer.receive(["test.p!"]) == ("test.p!one", {"n": 2})
    assert other.group_channels("group") == ["test.p!one"]
    assert other.inspection.groups() == {"group": 1}


def test_keys_of_messages_rotate_under_the_same_names(make_layer: Make) -> None:
    """What was sent before the change is found and read after it, and memberships stay."""
    before = make_layer()
    before.group_add("group", "test.p!one")
    before.send("test.normal", {"n": 1})
    after = make_layer(symmetric_encryption_keys=["new", "old"])
    assert after.receive(["test.normal"]) == ("test.normal", {"n": 1})
    after.send_group("group", {"n": 2})
    assert after.receive(["test.p!"]) == ("test.p!one", {"n": 2})
    last = make_layer(symmetric_encryption_keys=["new"])
    after.send("test.normal", {"n": 3})
    assert last.receive(["test.normal"]) == ("test.normal", {"n": 3})


def test_another_secret_finds_nothing(make_layer: Make) -> None:
    """Layers with different secrets do not meet, and do not disturb each other."""
    layer, other = make_layer(), make_layer(name_key="others")
    layer.group_add("group", "test.p!one")
    layer.send("test.normal", {"n": 1})
    assert other.receive(["test.normal"]) == (None, None)
    assert other.group_channels("group") == []
    other.send_group("group", {"n": 2})
    assert other.inspection.groups() == {}
    assert layer.receive(["test.normal"]) == ("test.normal", {"n": 1})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"symmetric_encryption_keys": None}, "name_key needs symmetric_encryption_keys"),
        ({"name_key": 3}, "name_key must be a secret, as text or bytes, not int"),
    ],
)
def test_secret_that_makes_no_sense_is_refused(make_layer: Make, config: dict[str, Any], message: str) -> None:
    """The error says what it needs."""
    with pytest.raises(ValueError, match=message):
        make_layer(**config)
