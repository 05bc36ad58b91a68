"""Typed consumers under mypy and pyright, both strict: what is right passes, and every mistake is found."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from mypy import api

from tests.support.node import require

ROOT = Path(__file__).resolve().parents[2]
RIGHT, WRONG = ROOT / "tests/typing/typed_api.py", ROOT / "tests/typing/typed_mistakes.py"
REPORTED = re.compile(r"typed_(api|mistakes)\.py:(\d+):.*\berror\b")

MISTAKES = [n for n, line in enumerate(WRONG.read_text().splitlines(), 1) if line.endswith("# MISTAKE")]


def found_in(report: str) -> tuple[list[str], list[int]]:
    """Return what a type checker objects to in right code, and the lines with mistakes that it found."""
    lines = [found for line in report.splitlines() if (found := REPORTED.search(line))]
    return [each.string for each in lines if each[1] == "api"], sorted(
        {int(each[2]) for each in lines if each[1] == "mistakes"}
    )


@pytest.mark.slow
def test_mypy_finds_wrong_message_types() -> None:
    """Each marked line, and nothing else."""
    report, errors, _ = api.run(
        ["--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary", str(RIGHT), str(WRONG)]
    )
    assert errors == ""
    assert found_in(report) == ([], MISTAKES)


@pytest.mark.slow
def test_pyright_finds_wrong_message_types() -> None:
    """Each marked line, and nothing else."""
    require("node")  # Pyright runs on it.
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, str(RIGHT), str(WRONG)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert found_in(done.stdout) == ([], MISTAKES), done.stdout + done.stderr
