"""The in-memory layer keeps the contract. Time is a number that the tests add to."""

import unittest
from typing import Any

from channels.layers.inmemory import ChannelLayer
from channels.test.conformance import ConformanceTestCase


class TestInMemoryContract(ConformanceTestCase, unittest.TestCase):
    """Every promise of a layer, by the in-memory layer."""

    def setUp(self) -> None:
        self.now = 0.0

    def make_layer(self, **config: Any) -> ChannelLayer:
        layer = ChannelLayer(**config)
        layer.clock = lambda: self.now
        return layer

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
