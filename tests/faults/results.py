"""What runs showed: kept as JSON beside the documentation, from which its table is made."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.faults.checker import Verdict
from tests.faults.scenarios import SCENARIOS, Scenario

FILE = Path(__file__).resolve().parents[2] / "docs" / "faults.json"

Results = dict[str, dict[str, Any]]

collected: Results = {}
"""Those of this run."""


def note(scenario: Scenario, verdict: Verdict, serving: float, served: float) -> None:
    """Keep what a run of ``scenario`` showed."""
    collected[scenario.key] = {**asdict(verdict), "serving": round(serving, 1), "served": round(served, 1)}


def load() -> Results:
    """Return those that are kept."""
    kept: Results = json.loads(FILE.read_text()) if FILE.exists() else {}
    return {scenario.key: kept[scenario.key] for scenario in SCENARIOS if scenario.key in kept}


def save() -> None:
    """Keep those of this run, and of those that it left out what was kept before."""
    FILE.write_text(json.dumps({**load(), **collected}, indent=1) + "\n")
