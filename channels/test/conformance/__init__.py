"""The contract of a channel layer as tests: inherit them to prove a layer of your own.

::

    class TestMyLayer(ConformanceTestCase, unittest.TestCase):
        def make_layer(self, **config):
            return MyLayer(**config)

Source: the message-passing ASGI draft, "Channel Layers" (docs/reference/messages), and ``channels.layers.base``.
What only one layer does is tested with that layer, not here.
"""

from channels.test.conformance.batches import BatchTests
from channels.test.conformance.groups import GroupTests
from channels.test.conformance.inspecting import InspectionTests
from channels.test.conformance.limits import LimitTests
from channels.test.conformance.messages import MessageTests
from channels.test.conformance.model import ModelTests
from channels.test.conformance.upkeep import UpkeepTests
from channels.test.conformance.waiting import WaitingTests


class ConformanceTestCase(
    MessageTests, LimitTests, GroupTests, BatchTests, WaitingTests, InspectionTests, UpkeepTests, ModelTests
):
    """Tests of everything that every layer promises. Mix it into a ``unittest.TestCase``."""


__all__ = ["ConformanceTestCase"]
