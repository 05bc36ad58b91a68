"""Conformance: several messages at once, and what else a layer offers."""

# ruff: noqa: PT009 (unittest's own assertions, so that any test runner can run them and say what differs)

import asyncio
from typing import Any

from channels.layers.base import Outgoing
from channels.test.conformance.base import CONTENT, PATIENCE_SECONDS, LayerTests


class BatchTests(LayerTests):
    """Tests of batches, extensions and housekeeping."""

    def test_receive_batch_takes_up_to_its_limit(self) -> None:
        """At most as many as asked for, in order."""
        layer = self.new_layer(capacity=10)
        for number in range(5):
            layer.send("test.single?reader", {"n": number})
        self.assertEqual([d.content["n"] for d in layer.receive_batch(["test.single?reader"], limit=3)], [0, 1, 2])
        self.assertEqual([d.content["n"] for d in layer.receive_batch(["test.single?reader"], limit=3)], [3, 4])
        self.assertEqual(layer.receive_batch(["test.single?reader"], limit=3), [])

    def test_receive_batch_takes_from_one_channel(self) -> None:
        """One batch is one channel's, so that a flooded one cannot hide the others."""
        layer = self.new_layer(capacity=10)
        for channel in ("test.a", "test.b") * 3:
            layer.send(channel, {})
        batch = layer.receive_batch(["test.a", "test.b"], limit=10)
        self.assertEqual(len({delivery.channels for delivery in batch}), 1)

    def test_handed_back_messages_come_first(self) -> None:
        """In their order, before what waits; or the layer says that it does not take them back."""
        layer = self.new_layer(capacity=10)
        for number in range(5):
            layer.send("test.single?reader", {"n": number})
        first, *others = layer.receive_batch(["test.single?reader"], limit=3)
        kept = layer.hand_back(others)
        rest = [d.content["n"] for d in layer.receive_batch(["test.single?reader"], limit=10)]
        self.assertEqual((first.content["n"], len(others)), (0, 2))
        if kept:
            self.assertEqual((kept, rest), (others, [3, 4]))
        else:
            self.assertEqual(rest, [1, 2, 3, 4])

    def test_handed_back_messages_keep_their_channels(self) -> None:
        """A message to several channels of one queue is for the same ones again, and from the same group."""
        layer = self.new_layer(capacity=10)
        layer.group_add("group", "test.p!one")
        layer.group_add("group", "test.p!two")
        layer.send_group("group", CONTENT)
        taken = layer.receive_batch(["test.p!"], limit=3)
        again = layer.hand_back(taken) or layer.receive_batch(["test.p!"], limit=3)
        self.assertEqual([(sorted(d.channels), *d[1:]) for d in again], [(sorted(d.channels), *d[1:]) for d in taken])

    def test_handed_back_messages_fit_into_a_full_channel(self) -> None:
        """Their place was given away meanwhile; they come all the same."""
        layer = self.new_layer(capacity=2)
        for number in range(2):
            layer.send("test.single?reader", {"n": number})
        taken = layer.receive_batch(["test.single?reader"], limit=2)
        for number in range(2, 4):
            layer.send("test.single?reader", {"n": number})
        kept = layer.hand_back(taken)
        (refused,) = layer.send_batch([Outgoing("test.single?reader", {})])
        self.assertIsInstance(refused, layer.ChannelFull)
        again = [*kept, *layer.receive_batch(["test.single?reader"], limit=10)]
        self.assertEqual([d.content["n"] for d in again], [0, 1, 2, 3])

    def test_handed_back_message_wakes_who_waits(self) -> None:
        """Another receiver need not look again by itself."""
        layer = self.new_layer()
        layer.send("test.single?reader", CONTENT)
        taken = layer.receive_batch(["test.single?reader"])

        async def main() -> Any:
            waiting = asyncio.ensure_future(layer.areceive_batch(["test.single?reader"], 1, PATIENCE_SECONDS))
            await asyncio.sleep(0.05)
            kept = await asyncio.to_thread(layer.hand_back, taken)
            if kept:
                waiting.cancel()
                await asyncio.wait([waiting])
                return kept
            return await waiting

        self.assertEqual([d.content for d in self.run_async(layer, main)], [CONTENT])

    def test_hand_back_of_nothing_is_allowed(self) -> None:
        """There is nothing to keep."""
        self.assertEqual(self.new_layer().hand_back([]), [])

    def test_send_batch_says_what_became_of_each_item(self) -> None:
        """One result for each item, in order: None, or why it was not sent."""
        layer = self.new_layer(capacity=1)
        layer.group_add("group", "test.member")
        outcomes = layer.send_batch(
            [
                Outgoing("test.single?reader", {"n": 1}),
                Outgoing("test.single?reader", {"n": 2}),
                Outgoing("bad name", {}),
                Outgoing("group", {"n": 3}, to_group=True),
                Outgoing("test.other", {"n": 4}),
            ]
        )
        self.assertEqual(
            [type(outcome).__name__ for outcome in outcomes],
            ["NoneType", "ChannelFull", "TypeError"] + ["NoneType"] * 2,
        )
        received = self.take_all(layer, ["test.single?reader", "test.member", "test.other"])
        self.assertEqual(sorted(content["n"] for _, content in received), [1, 3, 4])

    def test_send_batch_keeps_the_order_of_a_channel(self) -> None:
        """Direct and group messages for one channel arrive in the order of the batch."""
        layer = self.new_layer(capacity=10)
        layer.group_add("group", "test.p!one")
        layer.send_batch(
            [
                Outgoing("test.p!one", {"n": 1}),
                Outgoing("group", {"n": 2}, to_group=True),
                Outgoing("test.p!one", {"n": 3}),
            ]
        )
        self.assertEqual([content["n"] for _, content in self.take_all(layer, ["test.p!"])], [1, 2, 3])

    def test_send_batch_of_nothing_is_allowed(self) -> None:
        """An empty batch has no outcomes."""
        self.assertEqual(self.new_layer().send_batch([]), [])

    def test_flush_forgets_messages_and_groups(self) -> None:
        """After a flush there is nothing."""
        layer = self.new_layer()
        layer.send("test.channel", CONTENT)
        layer.send("test.p!one", CONTENT)
        layer.group_add("group", "test.channel")
        layer.flush()
        self.assertEqual(layer.receive(["test.channel", "test.p!"]), (None, None))
        self.assertEqual(list(layer.group_channels("group")), [])

    def test_extensions_are_there_if_and_only_if_they_are_listed(self) -> None:
        """``extensions`` says the truth."""
        layer = self.new_layer()
        methods = {
            "groups": ["group_add", "group_discard", "group_channels", "send_group"],
            "flush": ["flush"],
            "async": ["receive_async"],
            "statistics": ["global_statistics", "channel_statistics"],
        }
        self.assertLessEqual({"groups", "flush"}, set(layer.extensions))
        for extension, names in methods.items():
            for name in names:
                with self.subTest(extension=extension, method=name):
                    self.assertEqual(hasattr(layer, name), extension in layer.extensions)

    def test_receive_async_takes_a_message(self) -> None:
        """The async extension receives like ``areceive``."""
        layer = self.new_layer()

        async def main() -> Any:
            await layer.asend("test.channel", CONTENT)
            return await layer.receive_async(["test.channel"])

        if "async" in layer.extensions:
            self.assertEqual(self.run_async(layer, main), ("test.channel", CONTENT))

    def test_statistics_count_messages_and_refusals(self) -> None:
        """The statistics extension knows what a channel took, refused and holds."""
        layer = self.new_layer(capacity=2)
        if "statistics" not in layer.extensions:
            return
        layer.send("test.single?reader", {})
        layer.send_batch(
            [Outgoing("test.single?reader", {}), Outgoing("test.single?reader", {}), Outgoing("test.other", {})]
        )
        channel = layer.channel_statistics("test.single?reader")
        self.assertEqual(channel["messages_count"], 2)
        self.assertEqual(channel["channel_full_count"], 1)
        self.assertEqual(channel["messages_pending"], 2)
        self.assertGreaterEqual(channel["messages_max_age"], 0)
        everything = layer.global_statistics()
        self.assertEqual(everything["messages_count"], 3)
        self.assertEqual(everything["channel_full_count"], 1)

    def test_statistics_of_several_channels_are_those_of_each(self) -> None:
        """Asking for many channels at once tells the same as asking for one after the other, under the names given."""
        layer = self.new_layer()
        if "statistics" not in layer.extensions:
            return
        layer.send("test.channel", {})
        layer.send("test.channel", {})
        layer.send("test.p!one", {})
        found = layer.statistics_of(["test.p!one", "test.unused", "test.channel"])
        self.assertEqual(list(found), ["test.p!one", "test.unused", "test.channel"])
        self.assertEqual([state["messages_pending"] for state in found.values()], [1, 0, 2])
        self.assertEqual([state["messages_count"] for state in found.values()], [1, 0, 2])
        for channel, state in found.items():
            self.assertEqual(set(state), set(layer.channel_statistics(channel)))
        self.assertEqual(layer.statistics_of([]), {})
        with self.assertRaises(TypeError):  # noqa: PT027 - the suite runs without pytest
            layer.statistics_of(["test.channel", "not a name"])

    def test_exceptions_are_attributes_of_the_layer(self) -> None:
        """1.x catches ``layer.ChannelFull`` and ``layer.MessageTooLarge``."""
        layer = self.new_layer()
        self.assertTrue(issubclass(layer.ChannelFull, Exception))
        self.assertTrue(issubclass(layer.MessageTooLarge, Exception))

    def test_closed_layer_can_be_used_again(self) -> None:
        """Closing releases; the next call opens what it needs."""
        layer = self.new_layer()
        layer.send("test.channel", CONTENT)
        layer.close()
        self.assertEqual(layer.receive(["test.channel"]), ("test.channel", CONTENT))
