"""Every fault of the catalogue, on a running site under traffic: what is promised holds, and the figures are kept.

``pytest tests/faults`` prints the table; with ``FAULTS_RECORD=1`` it also writes docs/faults.json and docs/faults.rst.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import results
from tests.faults.backends import Cluster, Sentinels, Servers
from tests.faults.checker import Verdict
from tests.faults.promises import Mode
from tests.faults.scenarios import CLUSTER, SCENARIOS, SENTINEL, SHARDED, SINGLE, Scenario
from tests.faults.stage import AT_LEAST_ONCE, Stage
from tests.support.redis import RedisServer

BACKENDS = {SINGLE: Servers, SHARDED: lambda: Servers(2), SENTINEL: Sentinels, CLUSTER: Cluster}

TRIES = 3
"""How often a fault happens where nothing but the time of the recovery is amiss: the machine may have been busy."""

pytestmark = pytest.mark.slow

SORTED = sorted(SCENARIOS, key=lambda scenario: (scenario.where, scenario.mode.value))
"""Those that share a stage are next to each other."""


class Stages:
    """Keeps the stage that was used last, for the next test may use it, too."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key: tuple[str, Mode] | None = None
        self._stage: Stage | None = None
        self._count = 0

    def get(self, where: str, mode: Mode) -> Stage:
        """Return a running stage."""
        if self._key != (where, mode):
            self.close()
        if self._stage is None:
            self._count += 1
            directory = self._directory / str(self._count)
            directory.mkdir()
            config = AT_LEAST_ONCE if mode is Mode.LEAST else {}
            self._key, self._stage = (where, mode), Stage(directory, BACKENDS[where](), config)
        return self._stage

    def close(self) -> None:
        """Stop what runs."""
        stage, self._stage = self._stage, None
        if stage is not None:
            stage.close()


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory, newest_redis: RedisServer) -> Iterator[Stages]:
    """Stages, of which one runs at a time. The shared server only says whether there is a Redis at all."""
    stages = Stages(tmp_path_factory.mktemp("stages"))
    yield stages
    stages.close()


def happen(scenario: Scenario, stage: Stage) -> tuple[Verdict, float, float]:
    """Let the fault happen under traffic; return what became of that, and after how long all was served again."""
    with scenario.around(stage):
        crowd = stage.crowd()
        try:
            scenario.inject(stage, crowd)
            over = time.monotonic_ns()
            serving, served = stage.wait_until_served(crowd, over)
            if scenario.promise.keeps_rooms:
                stage.wait_until_told(crowd, over)
            stage.settle(crowd)
        finally:
            crowd.end()
        stage.check_alive()
    return stage.judge(crowd), serving, served


@pytest.mark.parametrize("scenario", SORTED, ids=lambda scenario: scenario.key)
def test_fault_breaks_no_promise(scenario: Scenario, stages: Stages) -> None:
    """Nothing is lost, repeated, reordered or misdelivered beyond the promise; all processes live and serve again."""
    stage = stages.get(scenario.where, scenario.mode)
    try:
        for _ in range(TRIES):
            verdict, serving, served = happen(scenario, stage)
            broken = scenario.promise.broken(scenario.mode, verdict, serving)
            if not scenario.promise.is_late(serving) or len(broken) > 1:
                break
        results.note(scenario, verdict, serving, served)
        assert not broken, f"{'; '.join(broken)}: {verdict}\n{stage.log()}"
    except BaseException:
        stages.close()  # The next fault must not suffer from this one.
        raise
