"""The migration report as a command: arguments, output and exit code."""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from channels.legacy.findings import Finding, Weight
from channels.legacy.scan import scan

DESCRIPTION = "Read a project written for Channels 1.x and list what needs attention, with file, line and remedy."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the report to ``parser``."""
    parser.add_argument("paths", nargs="*", type=Path, default=[Path()], help="Projects or files (default: here).")
    parser.add_argument("--json", action="store_true", help="Print a JSON list of findings instead of text.")


def run(paths: Sequence[Path], as_json: bool, output: TextIO) -> int:
    """Print the report on ``paths``.

    Returns:
        1 if anything breaks, else 0.

    Raises:
        FileNotFoundError: A path does not exist.
    """
    findings = scan(paths)
    output.write(_as_json(findings) if as_json else _as_text(findings))
    return int(any(finding.weight is Weight.BREAKS for finding in findings))


def _as_json(findings: list[Finding]) -> str:
    return json.dumps([finding.as_dict() for finding in findings], indent=2) + "\n"


def _as_text(findings: list[Finding]) -> str:
    if not findings:
        return "Nothing needs attention.\n"
    counts = Counter(finding.weight for finding in findings)
    summary = ", ".join(f"{counts[weight]} {weight.value}" for weight in Weight if counts[weight])
    lines = [str(finding) for finding in findings]
    return "\n".join([*lines, "", f"Places that need attention: {len(findings)} ({summary})."]) + "\n"


def main() -> int:
    """Run the report with the arguments of the command line."""
    import sys

    parser = argparse.ArgumentParser(prog="python -m channels.legacy", description=DESCRIPTION)
    add_arguments(parser)
    options = parser.parse_args()
    try:
        return run(options.paths, options.json, sys.stdout)
    except FileNotFoundError as error:
        parser.error(str(error))
