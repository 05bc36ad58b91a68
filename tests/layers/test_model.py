"""Every layer against the same model."""

import tempfile

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from channels.layers.inmemory import ChannelLayer
from channels.layers.ipc import IPCChannelLayer
from channels.layers.redis import RedisChannelLayer
from tests.layers.model import CAPACITY, EXPIRY, GROUP_EXPIRY, LayerMachine


class InMemoryMachine(LayerMachine):
    """The in-memory layer, whose time the machine decides."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = ChannelLayer(expiry=EXPIRY, group_expiry=GROUP_EXPIRY, capacity=CAPACITY)
        self.layer.clock = lambda: self.now

    def settle_layer(self) -> None:
        # When the layer notices what expired is its own affair, so it is told to look everywhere.
        self.layer._store._next_sweep = 0.0
        self.layer._store.sweep(self.now)

    @rule(seconds=st.sampled_from([1, 4, 9, 10, 30]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.now += seconds


class IPCMachine(LayerMachine):
    """The layer between processes, whose time the machine decides."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory(prefix="ipc-")
        self.layer = IPCChannelLayer(
            directory=f"{self.directory.name}/place", expiry=EXPIRY, group_expiry=GROUP_EXPIRY, capacity=CAPACITY
        )
        self.layer.clock = lambda: 1e9 + self.now

    def teardown(self) -> None:
        self.layer.close()
        self.directory.cleanup()

    def settle_layer(self) -> None:
        # When the layer notices what expired is its own affair, so it is told to look everywhere.
        self.layer._runner.change(lambda ledger: ledger._sweep())

    @rule(seconds=st.sampled_from([1, 4, 9, 10, 30]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.now += seconds


def redis_machine(url: str) -> type[LayerMachine]:
    """Return a machine for the Redis at ``url``; no time passes for it."""

    class RedisMachine(LayerMachine):
        takes_whole_entries = True

        def __init__(self) -> None:
            super().__init__()
            self.layer = RedisChannelLayer(hosts=[url], capacity=CAPACITY)
            self.layer.flush()

        def teardown(self) -> None:
            self.layer.close()

    return RedisMachine


def test_inmemory_layer_does_as_the_model() -> None:
    """Any order of sends, receives, joins and seconds."""
    run_state_machine_as_test(
        InMemoryMachine, settings=settings(max_examples=80, stateful_step_count=40, deadline=None)
    )


def test_ipc_layer_does_as_the_model() -> None:
    """Any order of sends, receives, joins and seconds."""
    run_state_machine_as_test(
        IPCMachine,
        settings=settings(
            max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_redis_layer_does_as_the_model(redis_url: str) -> None:
    """Any order of sends, receives and joins."""
    run_state_machine_as_test(
        redis_machine(redis_url),
        settings=settings(
            max_examples=30, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
