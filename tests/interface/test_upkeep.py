"""What is done every few seconds: memberships live as long as their sockets, and a loss of the layer is noticed."""

from typing import Any

import pytest

from channels import counters
from channels.exceptions import LayerUnavailable
from channels.interface import upkeep
from channels.layers.inmemory import ChannelLayer
from tests.interface.test_application import PlainLayer, accepted, request, serving, socket
from tests.support.asgi import eventually, in_loop
from tests.support.counting import grows


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look much more often than in production, and close sockets faster."""
    monkeypatch.setattr(upkeep.Upkeep.__init__, "__defaults__", (0.01,))
    monkeypatch.setattr(upkeep, "COME_BACK_SECONDS", 0.05)


class Layer(ChannelLayer):
    """An in-memory layer that counts looks, and whose server comes and goes."""

    def __init__(self, **config: Any) -> None:
        super().__init__(capacity=1000, **config)
        self.looks = 0
        self.error: Exception | None = None
        self._epoch, self.upkeep.epoch = self.upkeep.epoch, self._look  # type: ignore[method-assign]

    def _look(self) -> str:
        self.looks += 1
        if self.error is not None:
            raise self.error
        return self._epoch()

    async def looked(self, times: int = 2) -> None:
        """Wait until somebody has looked at it so often again."""
        seen = self.looks
        await eventually(lambda: self.looks >= seen + times)


@in_loop
async def test_sockets_are_closed_when_the_layer_has_lost_everything(caplog: pytest.LogCaptureFixture) -> None:
    """With 1012, so that their clients come back and join their groups again; consumers hear of it."""
    layer = Layer()
    async with serving(layer) as (app, consumer):
        servers = [(await accepted(app, consumer))[0] for _ in range(3)]
        await layer.looked()
        before = counters.value("websocket.closed.loss")
        layer.flush()
        assert [(await server.take())["code"] for server in servers] == [1012] * 3
        ends = [(await consumer.take("websocket.disconnect"))["code"] for _ in servers]
        assert ends == [1012] * 3
        assert counters.value("websocket.closed.loss") - before == 3
    assert "lost what it held: 3 sockets are closed" in caplog.text


@in_loop
async def test_sockets_that_come_after_a_loss_stay() -> None:
    """One loss is one loss."""
    layer = Layer()
    async with serving(layer) as (app, consumer):
        first, _ = await accepted(app, consumer)
        await layer.looked()
        layer.flush()
        await first.take()
        second, channel = await accepted(app, consumer)
        await layer.looked(3)
        await layer.asend(channel, {"text": "still here"})
        assert (await second.take())["text"] == "still here"


@in_loop
async def test_undecided_handshakes_are_refused_after_a_loss() -> None:
    """Their connect message may be lost; requests are left alone, they have a timeout."""
    layer = Layer()
    async with serving(layer) as (app, consumer):
        undecided = socket(app, extensions={"websocket.http.response": {}})
        asked = request(app)
        channel = (await consumer.take("http.request"))["reply_channel"]
        await layer.looked()
        layer.flush()
        assert (await undecided.take())["status"] == 503
        await layer.asend(channel, {"status": 200, "headers": [], "content": b""})
        assert (await asked.take())["status"] == 200


@in_loop
async def test_responses_that_have_begun_are_broken_off_after_a_loss() -> None:
    """Events come from a group that has forgotten them; a browser that is cut off comes back by itself."""
    layer = Layer()
    async with serving(layer) as (app, consumer):
        server = request(app)
        channel = (await consumer.take("http.request"))["reply_channel"]
        await layer.asend(channel, {"status": 200, "content": b"retry: 2000", "more_content": True})
        assert [(await server.take())["type"] for _ in range(2)] == ["http.response.start", "http.response.body"]
        await layer.looked()
        with grows("http.aborted.loss"):
            layer.flush()
            assert await server.end() == []
        assert (await consumer.take("http.disconnect"))["reply_channel"] == channel


@in_loop
async def test_responses_that_begin_after_a_loss_are_complete() -> None:
    """Also while connections from before are still being ended."""
    upkeep.COME_BACK_SECONDS = 1.0  # The fixture puts it back.
    layer = Layer()
    async with serving(layer) as (app, consumer):
        sockets = [(await accepted(app, consumer))[0] for _ in range(10)]
        server = request(app)
        channel = (await consumer.take("http.request"))["reply_channel"]
        await layer.looked()
        layer.flush()
        await sockets[0].take()
        await layer.asend(channel, {"status": 200, "content": b"a", "more_content": True})
        for other in sockets[1:]:
            await other.take()
        await layer.looked()
        await layer.asend(channel, {"content": b"b"})
        assert b"".join(event.get("body", b"") for event in await server.end()) == b"ab"


@in_loop
@pytest.mark.parametrize("error", [LayerUnavailable("no server"), RuntimeError("broken on purpose")])
async def test_layer_that_cannot_be_asked_closes_nothing(error: Exception) -> None:
    """An outage is not a loss: what the layer held may still be there."""
    layer = Layer()
    async with serving(layer) as (app, consumer):
        server, channel = await accepted(app, consumer)
        await layer.looked()
        layer.error = error
        await layer.looked()
        layer.error = None
        await layer.looked()
        await layer.asend(channel, {"text": "still here"})
        assert (await server.take())["text"] == "still here"


@in_loop
async def test_memberships_live_as_long_as_their_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond ``group_expiry``; that of a channel which is no longer connected ends."""
    monkeypatch.setattr(upkeep, "RENEWALS_PER_LIFE", 60_000)
    layer, now = Layer(group_expiry=60), 0.0
    layer.clock = lambda: now
    async with serving(layer) as (app, consumer):
        _, channel = await accepted(app, consumer)
        layer.group_add("group", channel)
        layer.group_add("group", f"{channel}left")
        for _ in range(7):
            now += 20
            await layer.looked()
        assert layer.group_channels("group") == [channel]


@in_loop
async def test_memberships_live_as_long_as_their_responses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of events hears its group for as long as its client listens."""
    layer = Layer(group_expiry=0.3)
    renewed: set[str] = set()
    monkeypatch.setattr(layer.upkeep, "renew", renewed.update)
    async with serving(layer) as (app, consumer):
        request(app)
        channel = (await consumer.take("http.request"))["reply_channel"]
        await eventually(lambda: channel in renewed)


@in_loop
async def test_clients_that_take_nothing_are_given_up() -> None:
    """Also where the layer has nothing to look at; consumers hear of it."""
    async with serving(PlainLayer(capacity=100), None, backlog_seconds=0.05) as (app, consumer):
        server, channel = await accepted(app, consumer)
        server.writable.clear()
        before = counters.value("interface.dropped.stalled")
        await consumer.layer.asend(channel, {"text": "x"})
        assert (await consumer.take("websocket.disconnect"))["code"] == 1006
        assert counters.value("interface.dropped.stalled") > before
        server.writable.set()
        await server.end()
