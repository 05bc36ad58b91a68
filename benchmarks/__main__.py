"""Measure the package and print tables: ``python -m benchmarks [part ...]``; all parts without one."""

import argparse
import itertools
import json
import multiprocessing
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import dispatch, durable, layers, page, table, traffic, typed

PARTS = ("traffic", "ordering", "layers", "durable", "dispatch", "typed")
PEERS = "table"
"""Not measured unless it is named: it installs the stacks it compares with."""


def print_scenario(result: dict[str, Any]) -> None:
    """Print one comparison."""
    print(f"\n{result['name']}")
    for target, figures in result["targets"].items():
        line = f"  {target:<24}{figures['rate']:>12,.0f} {result['unit']}"
        if "p50_ms" in figures:
            line += f"{figures['p50_ms']:>10.2f} ms p50{figures['p99_ms']:>10.2f} ms p99"
        if figures.get("out_of_order"):
            line += f"   {figures['out_of_order']:,.0f} out of order"
        print(line)
    print(f"  {'times slower':<24}{result['ratio']:>12.2f}")
    for name, seconds in result.get("cpu_seconds", {}).items():
        print(f"    {name:<22}{seconds:>12.2f} s of processor time")


def print_table(found: dict[str, Any]) -> None:
    """Print the table of the peers."""
    for work, rows in itertools.groupby(found["rows"], key=lambda row: row["work"]):
        print(f"\n{work}")
        for row in rows:
            line = f"  {row['stack']:<32}{row['rate']:>12,.1f} {row['unit']:<14}ours: {row['times']:>8.2f} times"
            if "p50_ms" in row:
                line += f"{row['p50_ms']:>10.2f} ms p50"
            print(line + (f"   {row['lost']:.0f} rounds lost something" if row.get("lost") else ""))
    for name, ratio in found["durable"].items():
        print(f"\nDelivery at least once, {name}: {ratio:.2f} times the cost of at most once")
    print(f"\n{found['machine']}")


def print_report(report: dict[str, Any]) -> None:
    """Print all that was measured."""
    for result in report.get("traffic", ()):
        print_scenario(result)
    if "ordering" in report:
        print_scenario(report["ordering"])
    for name, figures in report.get("layers", {}).items():
        print(f"\nLayer: {name}")
        for what, rate in figures.items():
            print(f"  {what:<40}{rate:>12,.0f} messages/s{1e6 / rate:>10.1f} us each")
    for name, figures in report.get("durable", {}).items():
        print(f"\nDelivery at least once, {name}: {figures['ratio']:.2f} times the cost of at most once")
        for way in (durable.MOST, durable.LEAST):
            microseconds = figures[way]
            print(f"  {way:<40}{microseconds:>12.1f} us for a message, from its send until its consumer has run")
    if "dispatch" in report:
        print("\nOne frame through dispatch")
        for what, microseconds in report["dispatch"].items():
            print(f"  {what:<44}{microseconds:>8.1f} us")
    if "typed" in report:
        print("\nOne message of a typed consumer, from its frame to the frames it leads to")
        for what, microseconds in report["typed"].items():
            print(f"  {what:<52}{microseconds:>8.1f} us")
    if PEERS in report:
        print_table(report[PEERS])
    print(f"\n{report['python']}, {report['cores']} cores, measured in {report['seconds']:.0f} s")


def main() -> None:
    """Measure the parts that the command line names; all without one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"what to measure, of {', '.join(PARTS)} (default: all), or {PEERS}")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, whose median counts (default: 5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="seconds of each round (default: 1)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--write", action="store_true", help=f"with {PEERS}: also put the table into the documentation")
    options = parser.parse_args()
    unknown = set(options.parts) - {*PARTS, PEERS}
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}; choose from {', '.join(PARTS)}")
    measures: dict[str, Callable[[], Any]] = {
        "traffic": lambda: traffic.run(options.rounds, options.seconds),
        "ordering": lambda: traffic.run_ordering(options.rounds),
        "layers": lambda: layers.run(options.seconds),
        "durable": lambda: durable.run(options.rounds),
        "dispatch": lambda: dispatch.run(options.seconds),
        "typed": lambda: typed.run(options.seconds),
        PEERS: lambda: table.run(options.rounds, options.seconds),
    }
    if options.write and PEERS not in options.parts:
        parser.error(f"--write is for {PEERS}")
    began = time.monotonic()
    report: dict[str, Any] = {}
    for part in options.parts or PARTS:
        print(f"measuring {part} ...", file=sys.stderr, flush=True)
        report[part] = measures[part]()
    report["python"] = f"Python {platform.python_version()}"
    report["cores"] = multiprocessing.cpu_count()
    report["seconds"] = time.monotonic() - began
    print_report(report)
    if options.write:
        page.write(report[PEERS])
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
