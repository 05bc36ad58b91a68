"""Conformance: any order of sends, receives, joins and seconds comes to what a simple model says."""

from typing import Any

from channels.test.conformance.base import LayerTests


class ModelTests(LayerTests):
    """A test that finds its own cases, where hypothesis is installed."""

    model_runs: int = 30
    """How many sequences of up to 30 steps are tried."""

    def test_layer_does_as_the_model_does(self) -> None:
        """Queues keep order and capacity, groups their members, whatever is done in whatever order."""
        try:
            from channels.test.conformance.machine import LayerMachine, run_machine
        except ImportError as error:
            if error.name != "hypothesis":
                raise
            self.skipTest("Install hypothesis to compare the layer with a model.")
        case = self

        class Machine(LayerMachine):
            # Where time passes by sleeping, the tests of expiry are enough.
            has_clock = type(case).pass_time is not LayerTests.pass_time

            def make_layer(self, **config: Any) -> Any:
                return case.make_layer(**config)

            def pass_time(self, seconds: float) -> None:
                case.pass_time(seconds)

            def release_layer(self) -> None:
                case.release_layer(self.layer)

        run_machine(Machine, self.model_runs)
