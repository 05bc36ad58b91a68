"""Conformance: the upkeep extension, of layers that have it."""

# ruff: noqa: PT009 (unittest's own assertions, so that any test runner can run them and say what differs)

from typing import Any

from channels.layers.upkeep import upkeep_of
from channels.test.conformance.base import CONTENT, LayerTests, lasting


class UpkeepTests(LayerTests):
    """Tests of what keeps memberships alive and of what tells that they were lost."""

    def _kept(self, **config: Any) -> Any:
        layer = self.new_layer(**config)
        upkeep = upkeep_of(layer)
        if upkeep is None:
            self.assertFalse(hasattr(layer, "upkeep"))
        return layer, upkeep

    @lasting(1.5)
    def test_renewed_memberships_outlive_their_expiry(self) -> None:
        """Those of other channels end, and nobody becomes a member who was none."""
        layer, upkeep = self._kept(group_expiry=self.expiry)
        if upkeep is None:
            return
        for channel in ("test.p!kept", "test.p!left", "test.p!closed"):
            layer.group_add("group", channel)
        layer.group_discard("group", "test.p!left")
        for _ in range(3):
            self.pass_time(self.expiry * 0.5)
            upkeep.renew({"test.p!kept", "test.p!left"})
        self.assertEqual(list(layer.group_channels("group")), ["test.p!kept"])
        layer.send_group("group", CONTENT)
        self.assertEqual(self.take_all(layer, ["test.p!"]), [("test.p!kept", CONTENT)])

    def test_membership_that_has_ended_is_not_renewed(self) -> None:
        """It comes too late then."""
        layer, upkeep = self._kept(group_expiry=self.expiry)
        if upkeep is None:
            return
        layer.group_add("group", "test.p!late")
        self.pass_time(self.expiry * 1.1)
        upkeep.renew(["test.p!late"])
        self.assertEqual(list(layer.group_channels("group")), [])

    def test_epoch_stays_the_same_until_everything_is_lost(self) -> None:
        """Traffic does not change it; a flush does, for everybody who uses the layer."""
        layer, upkeep = self._kept()
        if upkeep is None:
            return
        first = upkeep.epoch()
        layer.send("test.channel", CONTENT)
        layer.group_add("group", "test.p!one")
        self.take_all(layer, ["test.channel"])
        self.assertEqual(upkeep.epoch(), first)
        layer.flush()
        self.assertNotEqual(upkeep.epoch(), first)
        self.assertEqual(upkeep.epoch(), upkeep.epoch())
