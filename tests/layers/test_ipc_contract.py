"""The layer between processes keeps the contract. Time is a number that the tests add to."""

import itertools
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

from channels.layers.ipc import IPCChannelLayer
from channels.test.conformance import ConformanceTestCase


class TestIPCContract(ConformanceTestCase, unittest.TestCase):
    """Every promise of a layer, by the layer between processes."""

    def setUp(self) -> None:
        self.passed = 0.0
        self.numbers = itertools.count()
        directory = tempfile.TemporaryDirectory(prefix="ipc-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def make_layer(self, **config: Any) -> IPCChannelLayer:
        layer = IPCChannelLayer(directory=self.directory / str(next(self.numbers)), **config)
        layer.clock = lambda: time.time() + self.passed
        return layer

    def pass_time(self, seconds: float) -> None:
        self.passed += seconds
