"""Conformance: how much a channel holds, and for how long."""

# ruff: noqa: PT009, PT027 (unittest's own assertions, so that any test runner can run them and say what differs)

import re

from channels.test.conformance.base import CONTENT, LayerTests, lasting


class LimitTests(LayerTests):
    """Tests of capacity and expiry."""

    def test_send_to_a_full_channel_is_refused(self) -> None:
        """A channel holds as many messages as its capacity; taking one makes room for one."""
        layer = self.new_layer(capacity=3)
        for channel in self.bounded_channels:
            for _ in range(3):
                layer.send(channel, CONTENT)
            with self.assertRaises(layer.ChannelFull):
                layer.send(channel, CONTENT)
            layer.receive([channel])
            layer.send(channel, CONTENT)
            self.assertEqual(len(self.take_all(layer, [channel])), 3)

    def test_full_channel_does_not_hinder_others(self) -> None:
        """Capacity is counted for each channel."""
        layer = self.new_layer(capacity=1)
        layer.send("test.channel", CONTENT)
        layer.send("test.other", CONTENT)
        self.assertEqual(layer.receive(["test.other"])[1], CONTENT)

    def test_capacity_is_shared_by_the_channels_of_a_process(self) -> None:
        """A process-specific queue is counted as one."""
        layer = self.new_layer(capacity=2)
        layer.send("test.process!one", CONTENT)
        layer.send("test.process!two", CONTENT)
        with self.assertRaises(layer.ChannelFull):
            layer.send("test.process!three", CONTENT)
        layer.send("test.another!one", CONTENT)

    def test_process_queue_holds_more_by_default(self) -> None:
        """One queue serves all connections of a process, so its default capacity is far higher."""
        layer = self.new_layer()
        for number in range(1000):
            layer.send(f"test.process!{number}", {})
        self.assertEqual(len(self.take_all(layer, ["test.process!"])), 1000)

    def test_channel_capacity_rules_where_it_matches(self) -> None:
        """Globs and regular expressions set capacities of their own; the first that matches rules."""
        layer = self.new_layer(
            capacity=3, channel_capacity={"test.small*": 1, re.compile(r"test\.pr.*!$"): 2, "test.s*": 5}
        )
        for channel, capacity in {"test.small?x": 1, "test.process!a": 2, "test.s?x": 5, "other?x": 3}.items():
            with self.subTest(channel=channel):
                for _ in range(capacity):
                    layer.send(channel, {})
                with self.assertRaises(layer.ChannelFull):
                    layer.send(channel, {})

    @lasting(1.3)
    def test_expired_message_is_not_delivered(self) -> None:
        """A message that nobody read in time is gone; one sent later is not."""
        layer = self.new_layer(expiry=self.expiry)
        layer.send("test.channel", {"n": 1})
        self.pass_time(self.expiry * 0.7)
        layer.send("test.channel", {"n": 2})
        self.pass_time(self.expiry * 0.6)
        self.assertEqual(self.take_all(layer, ["test.channel"]), [("test.channel", {"n": 2})])

    @lasting(1.3)
    def test_expired_messages_make_room(self) -> None:
        """What expired does not count towards the capacity."""
        layer = self.new_layer(expiry=self.expiry, capacity=2)
        channel = "test.single?reader"
        layer.send(channel, {"n": 1})
        self.pass_time(self.expiry * 0.7)
        layer.send(channel, {"n": 2})
        self.pass_time(self.expiry * 0.6)
        layer.send(channel, {"n": 3})
        self.assertEqual([c["n"] for _, c in self.take_all(layer, [channel])], [2, 3])
