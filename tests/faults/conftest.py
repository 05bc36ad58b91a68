"""Prints what the faults showed at the end of a run, and keeps it if ``FAULTS_RECORD`` is set."""

import os
from typing import Any

from tests.faults import results, table
from tests.faults.scenarios import SCENARIOS


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table of this run."""
    if not results.collected:
        return
    terminalreporter.section("faults")
    for line in table.lines(results.collected):
        terminalreporter.write_line(line)
    if os.environ.get("FAULTS_RECORD"):
        results.save()
        if missing := [scenario.key for scenario in SCENARIOS if scenario.key not in results.load()]:
            terminalreporter.write_line(f"docs/faults.rst is not written: there is no result of {', '.join(missing)}.")
        else:
            table.write(results.load())
