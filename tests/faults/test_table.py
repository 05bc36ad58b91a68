"""The documentation says what the catalogue promises and what runs showed."""

import json
from dataclasses import asdict

from tests.faults import results, table
from tests.faults.checker import Verdict
from tests.faults.promises import Mode
from tests.faults.scenarios import SCENARIOS

HINT = "run FAULTS_RECORD=1 python -m pytest tests/faults"


def test_page_is_made_of_catalogue_and_results() -> None:
    """Whoever changes a promise or records a run makes the page anew."""
    assert table.PAGE.read_text(encoding="utf-8") == table.page(results.load()), HINT


def test_results_are_those_of_the_catalogue() -> None:
    """No figure is left of a fault that is not tried any more."""
    assert json.loads(results.FILE.read_text()).keys() == {scenario.key for scenario in SCENARIOS}, HINT


def test_results_keep_the_promises() -> None:
    """What is printed beside a promise does not contradict it."""
    for scenario in SCENARIOS:
        figures = dict(results.load()[scenario.key])
        serving, _ = figures.pop("serving"), figures.pop("served")
        verdict = Verdict(**figures)
        assert asdict(verdict) == figures
        assert scenario.promise.broken(scenario.mode, verdict, serving) == []


def test_nothing_is_lost_at_least_once_but_by_the_server() -> None:
    """Only servers that lose what they held, or that no replica had yet, may lose messages in this mode."""
    losers = {
        scenario.inject.__name__
        for scenario in SCENARIOS
        if scenario.mode is Mode.LEAST and scenario.promise.lost.most != 0
    }
    assert losers == {
        "restart_empty",
        "evict",
        "fail_over",
        "fail_over_without_a_sentinel",
        "fail_over_in_cluster",
    }
