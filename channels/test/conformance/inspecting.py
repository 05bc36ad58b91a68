"""Conformance: the inspection extension, of layers that have it."""

# ruff: noqa: PT009 (unittest's own assertions, so that any test runner can run them and say what differs)

import time
from typing import Any

from channels.layers.inspection import inspection_of
from channels.test.conformance.base import CONTENT, LayerTests


class InspectionTests(LayerTests):
    """Tests of what operators may ask of a layer."""

    def _inspected(self, **config: Any) -> Any:
        layer = self.new_layer(**config)
        inspection = inspection_of(layer)
        if inspection is None:
            self.assertFalse(hasattr(layer, "inspection"))
        return layer, inspection

    def test_peek_shows_the_oldest_messages_and_leaves_them(self) -> None:
        """Whoever looks changes nothing."""
        layer, inspection = self._inspected()
        if inspection is None:
            return
        for channel in ("test.channel", "test.process!one"):
            for number in range(3):
                layer.send(channel, {"n": number, **CONTENT})
            seen = inspection.peek(channel)
            self.assertEqual(sorted(unread.content["n"] for unread in seen), [0, 1, 2])
            self.assertEqual({unread.channels for unread in seen}, {(channel,)})
            self.assertEqual(len(inspection.peek(channel, limit=1)), 1)
            seen[0].content.clear()
            received = self.take_all(layer, [layer.non_local_name(channel)])
            self.assertEqual(sorted(content["n"] for _, content in received), [0, 1, 2])
        self.assertEqual(inspection.peek("test.nothing"), [])

    def test_age_of_an_unread_message_grows(self) -> None:
        """It is what tells a backlog from traffic."""
        layer, inspection = self._inspected(expiry=10 * self.expiry)
        if inspection is None:
            return
        layer.send("test.channel", CONTENT)
        self.pass_time(self.expiry)
        (unread,) = inspection.peek("test.channel")
        self.assertGreaterEqual(unread.age, self.expiry * 0.9)

    def test_discard_removes_the_messages_of_one_channel(self) -> None:
        """Others keep theirs, and the channel goes on."""
        layer, inspection = self._inspected()
        if inspection is None:
            return
        for channel in ("test.channel", "test.channel", "test.other"):
            layer.send(channel, CONTENT)
        self.assertEqual(inspection.discard("test.channel"), 2)
        self.assertEqual(inspection.discard("test.channel"), 0)
        layer.send("test.channel", {"n": 3})
        self.assertEqual(self.take_all(layer, ["test.channel"]), [("test.channel", {"n": 3})])
        self.assertEqual(len(self.take_all(layer, ["test.other"])), 1)

    def test_channels_and_groups_are_listed(self) -> None:
        """Queues that hold messages, and groups with members."""
        layer, inspection = self._inspected()
        if inspection is None:
            return
        for channel in ("test.channel", "test.single?reader", "test.process!one"):
            layer.send(channel, CONTENT)
        for channel in ("test.channel", "test.process!one", "test.process!two"):
            layer.group_add("test.group", channel)
        layer.group_add("test.left", "test.channel")
        layer.group_discard("test.left", "test.channel")
        self.assertLessEqual({"test.channel", "test.single?reader", "test.process!"}, set(inspection.channels()))
        self.assertEqual(inspection.groups(), {"test.group": 3})

    def test_expired_memberships_are_not_counted(self) -> None:
        """The size of a group is what a message to it would reach."""
        layer, inspection = self._inspected(group_expiry=self.expiry)
        if inspection is None:
            return
        layer.group_add("test.group", "test.channel")
        self.pass_time(self.expiry * 1.5)
        self.assertEqual(inspection.groups(), {})

    def test_announcement_is_shown_until_it_is_withdrawn(self) -> None:
        """The latest of each name, with the time by the layer's clock."""
        _, inspection = self._inspected()
        if inspection is None:
            return
        inspection.announce("b", {"n": 1}, 60)
        inspection.announce("a", {"n": 2}, 60)
        inspection.announce("b", {"n": 3, **CONTENT}, 60)
        shown = inspection.announced()
        self.assertEqual([(one.name, one.content["n"]) for one in shown], [("a", 2), ("b", 3)])
        self.assertLess(abs(shown[0].at - inspection.now()), 60)
        self.assertLess(abs(time.time() - inspection.now()), 3600)
        inspection.withdraw("a")
        inspection.withdraw("nobody")
        self.assertEqual([one.name for one in inspection.announced()], ["b"])

    def test_announcement_ends_by_itself(self) -> None:
        """A process that was killed is not shown for ever; one that goes on is."""
        _, inspection = self._inspected()
        if inspection is None:
            return
        inspection.announce("dead", {}, self.expiry)
        inspection.announce("alive", {}, 100 * self.expiry)
        self.pass_time(self.expiry * 1.5)
        self.assertEqual([one.name for one in inspection.announced()], ["alive"])
