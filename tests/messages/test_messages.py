"""Message, Channel, Group, and what consumers send while they run."""

import contextlib
import threading

import pytest

from channels import Channel, Group, counters
from channels.exceptions import ChannelFull, LayerUnavailable
from channels.layers.inmemory import ChannelLayer
from channels.message import Message, PendingMessageStore, pending_message_store
from channels.registry import ChannelLayerWrapper, channel_layers
from channels.signals import consumer_finished, consumer_started


@pytest.fixture
def layer():
    """A layer of its own."""
    return ChannelLayerWrapper(ChannelLayer(capacity=3), "default", [])


@pytest.fixture
def default_layer(layer):
    """The same layer in the place of the default one."""
    old = channel_layers.set("default", layer)
    yield layer
    channel_layers.set("default", old)


def received(layer, channel):
    """Return the contents that wait on ``channel``."""
    contents = []
    while True:
        name, content = layer.receive([channel])
        if name is None:
            return contents
        contents.append(content)


@pytest.fixture
def consumer(monkeypatch):
    """Begin a consumer; the function returned ends it."""
    monkeypatch.setattr(pending_message_store, "retry_time", 0.05)
    monkeypatch.setattr(pending_message_store, "retry_interval", 0.01)
    open_consumers = []

    def begin():
        consumer_started.send(sender=None, environ={})
        open_consumers.append(True)

        def end():
            open_consumers.pop()
            consumer_finished.send(sender=None)

        return end

    yield begin
    while open_consumers:
        open_consumers.pop()
        consumer_finished.send(sender=None)


def test_message_reads_and_writes_its_content(layer):
    """Mapping access goes to the dict that was sent."""
    content = {"text": "a", "reply_channel": "r"}
    message = Message(content, "c", layer)
    message["extra"] = 1
    assert (message["text"], message.get("no", 5), "extra" in message) == ("a", 5, True)
    assert list(message.items()) == list(content.items())
    assert (list(message.keys()), list(message.values())) == (list(content), list(content.values()))


def test_message_knows_its_channels(layer):
    """The channel it came on, and the one for replies, are on its own layer."""
    message = Message({"reply_channel": "r"}, "c", layer)
    assert (message.channel.name, message.reply_channel.name) == ("c", "r")
    assert message.channel.channel_layer is message.reply_channel.channel_layer is layer


@pytest.mark.parametrize("content", [{}, {"reply_channel": None}, {"reply_channel": ""}])
def test_message_without_reply_channel_says_none(content, layer):
    """There is nothing to reply to."""
    assert Message(content, "c", layer).reply_channel is None


def test_message_without_layer_uses_the_default_one(default_layer):
    """Messages made by hand need neither a channel nor a layer."""
    message = Message({"reply_channel": "r"}, None, None)
    assert message.reply_channel.channel_layer is default_layer


def test_copied_message_shares_nothing(layer):
    """Changing a copy leaves the original alone."""
    message = Message({"deep": {"a": [1]}}, "c", layer)
    copied = message.copy()
    copied["deep"]["a"].append(2)
    assert message["deep"] == {"a": [1]}
    assert copied.channel.name == "c"


def test_sends_outside_consumers_leave_at_once(default_layer):
    """A view or a command sends directly."""
    Channel("c").send({"n": 1})
    assert received(default_layer, "c") == [{"n": 1}]


def test_sends_inside_a_consumer_leave_at_its_end_in_order(default_layer, consumer):
    """Messages to channels and groups keep the order in which they were sent."""
    Group("g").add("c")
    end = consumer()
    Group("g").send({"n": 1})
    Channel("c").send({"n": 2})
    assert received(default_layer, "c") == []
    end()
    assert received(default_layer, "c") == [{"n": 1}, {"n": 2}]


def test_immediate_sends_do_not_wait(default_layer, consumer):
    """``immediately=True`` goes straight to the layer."""
    consumer()
    Channel("c").send({"n": 1}, immediately=True)
    assert received(default_layer, "c") == [{"n": 1}]


def test_group_membership_changes_at_once(default_layer, consumer):
    """Joining and leaving are never kept back."""
    consumer()
    Group("g").add(Channel("c"))
    assert Group("g").channels() == ["c"]
    Group("g").discard("c")
    assert Group("g").channels() == []


def test_later_changes_to_a_dict_are_not_sent(default_layer, consumer):
    """What was sent is what the dict held then."""
    end = consumer()
    content = {"list": [1]}
    Channel("c").send(content)
    content["list"].append(2)
    end()
    assert received(default_layer, "c") == [{"list": [1]}]


def test_a_consumer_inside_a_consumer_flushes_its_own_sends_only(default_layer, consumer):
    """Stores nest: nothing of the outer one is lost or sent early."""
    end_outer = consumer()
    Channel("c").send({"n": "outer before"})
    end_inner = consumer()
    Channel("c").send({"n": "inner"})
    end_inner()
    assert received(default_layer, "c") == [{"n": "inner"}]
    Channel("c").send({"n": "outer after"})
    end_outer()
    assert received(default_layer, "c") == [{"n": "outer before"}, {"n": "outer after"}]


def test_other_threads_do_not_see_a_consumer(default_layer, consumer):
    """A thread started by a consumer sends directly."""
    consumer()
    thread = threading.Thread(target=Channel("c").send, args=({"n": 1},))
    thread.start()
    thread.join()
    assert received(default_layer, "c") == [{"n": 1}]


def test_sends_after_the_end_of_a_copied_context_leave_at_once(default_layer, consumer):
    """A task that outlives its consumer loses nothing."""
    import contextvars

    end = consumer()
    context = contextvars.copy_context()
    end()
    context.run(Channel("c").send, {"n": 1})
    assert received(default_layer, "c") == [{"n": 1}]


def test_full_channel_raises_outside_a_consumer(default_layer):
    """The sender is told which channel, its capacity and what to do."""
    for n in range(3):
        Channel("c").send({"n": n})
    with pytest.raises(ChannelFull, match=r"Channel c holds 3 .*channel_capacity"):
        Channel("c").send({})


def test_full_channel_at_the_end_of_a_consumer_is_retried(default_layer, consumer, monkeypatch):
    """What finds room within the retry time arrives, in order."""
    for n in range(3):
        default_layer.send("c", {"n": n})
    taken = []
    monkeypatch.setattr(pending_message_store, "retry_time", 60)
    monkeypatch.setattr("channels.pending.time.sleep", lambda seconds: taken.extend(received(default_layer, "c")))
    end = consumer()
    Channel("c").send({"n": 3})
    Channel("c").send({"n": 4})
    end()
    assert taken + received(default_layer, "c") == [{"n": n} for n in range(5)]


@pytest.mark.parametrize("was_asked", [False, True])
def test_send_is_tried_again_only_if_the_server_was_not_asked(default_layer, consumer, monkeypatch, was_asked):
    """A server that is away for a moment costs nothing; what it may have taken is not sent twice."""
    errors = [LayerUnavailable("away"), LayerUnavailable("away")]
    send_batch = default_layer.channel_layer.send_batch

    def away_for_a_moment(batch):
        if not errors:
            return send_batch(batch)
        error = errors.pop()
        error.was_asked = was_asked
        raise error

    monkeypatch.setattr(pending_message_store, "retry_time", 60)
    monkeypatch.setattr(default_layer.channel_layer, "send_batch", away_for_a_moment)
    end = consumer()
    Channel("c").send({"n": 1})
    end()
    assert received(default_layer, "c") == ([] if was_asked else [{"n": 1}])


def test_full_channel_costs_only_its_own_messages(default_layer, consumer, caplog):
    """What stays full is logged and counted; the other messages leave."""
    for n in range(3):
        default_layer.send("full", {"n": n})
    before = counters.value("message.dropped.channel_full")
    end = consumer()
    Channel("full").send({"n": 3})
    Channel("c").send({"n": 4})
    end()
    assert received(default_layer, "c") == [{"n": 4}]
    assert "Failed to send queued message to full" in caplog.text
    assert counters.value("message.dropped.channel_full") == before + 1


@pytest.mark.parametrize("name", ["not valid", "x" * 100])
def test_bad_name_costs_only_its_own_message(default_layer, consumer, caplog, name):
    """A name that the layer refuses is logged at the end of the consumer."""
    end = consumer()
    Channel(name).send({"n": 1})
    Channel("c").send({"n": 2})
    end()
    assert received(default_layer, "c") == [{"n": 2}]
    assert "Could not send a message to" in caplog.text


@pytest.mark.parametrize("content", [None, "text", ["a"]])
def test_only_dicts_can_be_sent(default_layer, content):
    """A TypeError for channels and a ValueError for groups, as in 1.x."""
    with pytest.raises(TypeError, match="only send dicts"):
        Channel("c").send(content)
    with pytest.raises(ValueError, match="only send dicts"):
        Group("g").send(content)


def test_names_may_be_ascii_bytes(default_layer):
    """1.x took byte strings."""
    assert str(Channel(b"c")) == "c"
    assert Group(b"g").name == "g"


def test_unknown_alias_lists_the_layers():
    """The error says which layers there are."""
    with pytest.raises(KeyError, match="no layer 'other'; it has 'default'"):
        Channel("c", alias="other")


def test_send_replaced_on_the_wrapper_is_used(default_layer, consumer):
    """Packages of 1.x set ``send`` on the wrapper; channels and the flush call it."""
    calls = []
    default_layer.send = lambda channel, content: calls.append((channel, content))
    Channel("c").send({"n": 1})
    end = consumer()
    Channel("c").send({"n": 2})
    end()
    assert calls == [("c", {"n": 1}), ("c", {"n": 2})]


@pytest.mark.parametrize("posting", [False, True])
def test_failing_replacement_of_send_costs_only_its_messages(default_layer, consumer, caplog, posting):
    """In a worker, which posts, as anywhere else: a log line, a counter, and what comes after the sends."""
    before = counters.value("message.dropped.refused")
    done = []

    def broken(channel, content):
        raise OSError("unplugged")

    default_layer.send = broken
    with pending_message_store.posting_to(default_layer) if posting else contextlib.nullcontext():
        end = consumer()
        Channel("c").send({"n": 1})
        pending_message_store.call_after_flush(lambda: done.append(True))
        end()
    assert "Could not send a message to c: unplugged" in caplog.text
    assert counters.value("message.dropped.refused") == before + 1
    assert done == [True]


def test_store_survives_a_finish_without_a_start():
    """Sending the signals by hand in any order raises nothing."""
    PendingMessageStore().send_and_flush()
