"""Conformance: groups."""

# ruff: noqa: PT009 (unittest's own assertions, so that any test runner can run them and say what differs)

from channels.layers.base import Delivery
from channels.test.conformance.base import CONTENT, LayerTests, lasting


class GroupTests(LayerTests):
    """Tests of memberships and of messages to groups."""

    def test_group_message_reaches_every_member(self) -> None:
        """All members get it: normal, single-reader and process-specific channels alike."""
        layer = self.new_layer()
        for channel in ("test.a", "test.b?c", "test.p!one", "test.p!two", "test.q!one"):
            layer.group_add("group", channel)
        layer.send_group("group", CONTENT)
        received = self.take_all(layer, ["test.a", "test.b?c", "test.p!", "test.q!"])
        self.assertEqual(
            sorted(channel for channel, _ in received), ["test.a", "test.b?c", "test.p!one", "test.p!two", "test.q!one"]
        )
        self.assertTrue(all(content == CONTENT for _, content in received))

    def test_members_do_not_share_what_they_receive(self) -> None:
        """What one member does to its message is not seen by another."""
        layer = self.new_layer()
        for channel in ("test.a", "test.b", "test.p!one", "test.p!two"):
            layer.group_add("group", channel)
        layer.send_group("group", {"list": []})
        contents = [content for _, content in self.take_all(layer, ["test.a", "test.b", "test.p!"])]
        contents[0]["list"].append(1)
        contents[2]["list"].append(2)
        self.assertEqual(sorted(len(content["list"]) for content in contents), [0, 0, 1, 1])

    def test_former_member_gets_nothing(self) -> None:
        """A membership ends with group_discard."""
        layer = self.new_layer()
        layer.group_add("group", "test.a")
        layer.group_add("group", "test.b")
        layer.group_discard("group", "test.a")
        layer.send_group("group", CONTENT)
        self.assertEqual(self.take_all(layer, ["test.a", "test.b"]), [("test.b", CONTENT)])

    def test_group_add_and_discard_may_be_repeated(self) -> None:
        """Joining twice is joining once; leaving without being a member changes nothing."""
        layer = self.new_layer()
        layer.group_discard("group", "test.a")
        layer.group_add("group", "test.a")
        layer.group_add("group", "test.a")
        layer.send_group("group", CONTENT)
        self.assertEqual(len(self.take_all(layer, ["test.a"])), 1)
        layer.group_discard("group", "test.a")
        self.assertEqual(list(layer.group_channels("group")), [])

    def test_group_channels_names_the_members(self) -> None:
        """Members are listed by their full names; a group nobody joined is empty."""
        layer = self.new_layer()
        layer.group_add("group", "test.a")
        layer.group_add("group", "test.p!one")
        layer.group_add("other", "test.b")
        self.assertEqual(sorted(layer.group_channels("group")), ["test.a", "test.p!one"])
        self.assertEqual(list(layer.group_channels("nobody")), [])

    def test_message_to_an_empty_group_goes_nowhere(self) -> None:
        """Sending to a group without members is no error."""
        self.new_layer().send_group("group", CONTENT)

    def test_group_message_skips_full_members(self) -> None:
        """A full member is left out; the others get the message and nobody gets an error."""
        layer = self.new_layer(capacity=1)
        for channel in ("test.full?x", "test.free?x", "test.p!full", "test.q!free"):
            layer.group_add("group", channel)
        layer.send("test.full?x", {"n": 0})
        layer.send("test.p!other", {"n": 0})
        layer.send_group("group", {"n": 1})
        received = self.take_all(layer, ["test.full?x", "test.free?x", "test.p!", "test.q!"])
        self.assertEqual(
            sorted((channel, content["n"]) for channel, content in received),
            [("test.free?x", 1), ("test.full?x", 0), ("test.p!other", 0), ("test.q!free", 1)],
        )

    def test_group_message_obeys_channel_capacity(self) -> None:
        """The capacity of a member is the one that rules for it."""
        layer = self.new_layer(capacity=5, channel_capacity={"test.small?x": 1, "test.q!": 2})
        for channel in ("test.small?x", "test.big?x", "test.p!one", "test.q!one"):
            layer.group_add("group", channel)
        for _ in range(4):
            layer.send_group("group", {})
        received = [
            channel for channel, _ in self.take_all(layer, ["test.small?x", "test.big?x", "test.p!", "test.q!"])
        ]
        self.assertEqual(
            {channel: received.count(channel) for channel in sorted(set(received))},
            {"test.big?x": 4, "test.p!one": 4, "test.q!one": 2, "test.small?x": 1},
        )

    @lasting(1.3)
    def test_membership_expires(self) -> None:
        """A membership that is not renewed ends; adding again renews it."""
        layer = self.new_layer(group_expiry=self.expiry)
        layer.group_add("group", "test.old")
        layer.group_add("group", "test.renewed")
        self.pass_time(self.expiry * 0.7)
        layer.group_add("group", "test.renewed")
        self.pass_time(self.expiry * 0.6)
        layer.send_group("group", CONTENT)
        received = self.take_all(layer, ["test.old", "test.renewed"])
        self.assertEqual(list(layer.group_channels("group")), ["test.renewed"])
        self.assertEqual(received, [("test.renewed", CONTENT)])

    def test_group_message_arrives_once_for_a_queue(self) -> None:
        """Members that share a queue are named by one delivery, marked as coming from a group."""
        layer = self.new_layer()
        for channel in ("test.p!one", "test.p!two"):
            layer.group_add("group", channel)
        layer.send_group("group", CONTENT)
        (delivery,) = layer.receive_batch(["test.p!"], limit=10)
        self.assertEqual(sorted(delivery.channels), ["test.p!one", "test.p!two"])
        self.assertTrue(delivery.via_group)

    def test_direct_message_is_not_marked_as_from_a_group(self) -> None:
        """The mark tells the two apart."""
        layer = self.new_layer()
        layer.send("test.p!one", CONTENT)
        self.assertEqual(layer.receive_batch(["test.p!"]), [Delivery(("test.p!one",), CONTENT, via_group=False)])
